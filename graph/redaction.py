"""What must not be read in a log, taken out of every line by its shape.

This is the second lock. The first is that nobody logs a secret: secrets travel in types that do
not print themselves. Whatever slips through in the text of an exception, in an address or in a
header of a library is caught here if it looks like what it is.
"""

import re

HIDDEN = "[hidden]"

# Tokens whose makers gave them a prefix, for just this.
_PREFIXES = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("glpat-", "gldt-", "glrt-", "glft-", "glcbt-", "glptt-", "gloas-"),
    *("cl_live_", "cl_oper_"),
)
_HEADERS = ("authorization", "x-api-key", "private-token")
_SCHEMES = ("bearer", "basic", "token", "digest", "negotiate")
# A line without any of these is done with: nearly all are, and looking costs a microsecond.
_MARKS = (*_PREFIXES, *_HEADERS, "://")

# Bounded repetitions throughout: a hostile line must not cost more than its length.
_SECRETS = re.compile(
    rf"""
    (?P<prefix>{"|".join(_PREFIXES)}) [A-Za-z0-9_.-]{{4,512}}
    |
    # the value of a header, also in a mapping, a list of pairs, or quoted in a quotation
    (?P<header>
        (?:{"|".join(_HEADERS)}) [\\"']{{0,4}} \s{{0,4}} [:=,] \s{{0,4}}
        (?:\x1b\[[0-9;]{{0,8}}m)? (?:b(?=["']))? [\\"']{{0,4}}
        (?:(?:{"|".join(_SCHEMES)})\s{{1,4}})?
    )
    [^\s"',;)}}\]\\\x1b]{{1,4096}}
    |
    # who asks, in an address: up to the last @ of its authority
    (?P<address>://) [^\s/?\#"'<>\\]{{1,512}} @
    |
    # or further, where a password was not encoded; a number behind the colon is a port
    (?P<broken>://) [^\s/@:"'<>\\]{{0,255}} :(?!\d{{1,5}}/) [^\s"'<>\\]{{1,512}} @
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redacted(text: str) -> str:
    """The text without what looks like a secret."""
    lowered = text.lower()
    if not any(mark in lowered for mark in _MARKS):
        return text
    return _SECRETS.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    at = "@" if kind in {"address", "broken"} else ""
    return f"{match[kind]}{HIDDEN}{at}"
