"""Bytes in, facts out: parse one file, walk its tree, bind its names.

Equal bytes give equal facts, wherever they stand and in whatever order they come.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import tree_sitter

from parsers import registry
from parsers.facts import FileFacts
from parsers.language import Language
from parsers.scopes import bind
from parsers.skips import SkipReason
from parsers.walk import NodeLimitReached, Walk

_CHUNK = 1 << 16
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost."""

    seconds: float = 10.0
    nodes: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """The file yields no facts, and why."""

    reason: SkipReason


def extract(data: bytes, language: Language, limits: Limits) -> FileFacts | Refusal:
    """The facts of a file, or the reason there are none.

    A limit reached while parsing refuses the file; one reached while walking does too, because
    names bound in a part of the file only would be bound wrongly.
    """
    source = to_utf8(data)
    deadline = time.monotonic() + limits.seconds
    expired = _expiry(deadline)
    tree = _parse(source, language, expired)
    if tree is None:
        return Refusal(SkipReason.TIMEOUT)
    walk = Walk(source, language)
    try:
        walk.run(
            tree.root_node,
            registry.rules(language.name),
            node_limit=limits.nodes,
            expired=expired,
        )
    except NodeLimitReached:
        return Refusal(SkipReason.TOO_MANY_NODES)
    except TimeoutError:
        return Refusal(SkipReason.TIMEOUT)
    if language.finish is not None:
        language.finish(walk)
    lines = source.count(b"\n") + (not source.endswith(b"\n") and bool(source))
    errors = 1 if tree.root_node.has_error else 0
    facts = walk.facts(lines, "", errors)
    bind(facts, language.policy)
    return facts


def to_utf8(data: bytes) -> bytes:
    """The source as UTF-8 without a byte order mark; UTF-16 is recognised by its mark."""
    if data.startswith(_UTF8_MARK):
        return data[len(_UTF8_MARK) :]
    if data.startswith(_UTF16_MARKS):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data


def _expiry(deadline: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > deadline


def _parse(
    source: bytes, language: Language, expired: Callable[[], bool]
) -> tree_sitter.Tree | None:
    """Parse by chunks: with the whole source as bytes the binding ignores the callback."""
    parser = tree_sitter.Parser(registry.grammar(language.grammar))

    def read(offset: int, _point: object) -> bytes:
        return source[offset : offset + _CHUNK]

    def progress(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001 - the binding's signature
        return expired()

    try:
        return parser.parse(read, progress_callback=progress)
    except ValueError:  # how the binding reports that the callback stopped it
        return None
