"""Where a repository lives: an https URL of a strict grammar, or a folder of this machine.

The grammar decides what a URL may look like, not which address it may reach: hosts that resolve
to a private address are the egress proxy's business (see the door of this room).
"""

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from typing_extensions import override

from graph.errors import RemoteNotAllowed

# Anything longer is an attack or a mistake; the hosts we know stay below 200.
_MAX_URL = 2048
_MAX_PATH = 4096
_MAX_HOST = 253
_MAX_PORT = 65535

_URL = re.compile(
    r"https://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^?#]*)"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# pchar of RFC 3986, without the quotes, brackets and separators that no forge uses.
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&*+,;=:@-]|%[2-7][0-9A-Fa-f])+")
_ENCODED_TRICK = re.compile(r"%(?:2[eEfF]|5[cC]|7[fF])")  # . / \ DEL in disguise
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# `git@host:path`, as forges offer it to be copied, also without the user; the same as a URL.
_SSH = re.compile(
    r"(?:(?:git\+)?ssh://(?:[^/@]*@)?(?P<host>[^/@:]+)(?::[0-9]*)?/"
    r"|(?=[^/:]*[@.])(?:[^/@:]*@)?(?P<short>[^/@:]+):(?!//))/?(?P<path>.+)"
)

# They answer an address without `.git` by a redirect, and redirects are refused.
_FORGES = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")


@dataclass(frozen=True, slots=True)
class HttpsRemote:
    """A repository behind an https URL. It never carries a credential, so it may be shown."""

    url: str
    host: str

    @override
    def __str__(self) -> str:
        return self.url

    @property
    def fetch_url(self) -> str:
        """The address that git is given: the one that answers without a redirect."""
        if self.host in _FORGES and not self.url.endswith(".git"):
            return f"{self.url}.git"
        return self.url

    @property
    def name(self) -> str:
        """A name to show: the last two segments of the path, which forges give a meaning."""
        return "/".join(self.url.removesuffix(".git").split("/")[3:][-2:])


@dataclass(frozen=True, slots=True)
class LocalRemote:
    """A repository in a folder of this machine: a work tree or a bare repository."""

    path: Path

    @override
    def __str__(self) -> str:
        return str(self.path)

    @property
    def url(self) -> str:
        """How it is stored: `file:///path`, with what a URL may not hold in percent form."""
        return self.path.as_uri()

    @property
    def name(self) -> str:
        """A name to show: that of the folder."""
        return self.path.name.removesuffix(".git") or "/"


Remote = HttpsRemote | LocalRemote


def parse(text: str, *, allow_local: bool) -> Remote:
    """Read a remote in its canonical form; `RemoteNotAllowed` says what is wrong with the text.

    The message never repeats the text: it may hold a password.
    """
    if _CONTROL.search(text) or not text.strip():
        raise RemoteNotAllowed("The address is empty or holds control characters.")
    if text.startswith(("/", "file:///")):
        return _parse_local(text, allow_local=allow_local)
    if ssh := _SSH.fullmatch(text):
        raise RemoteNotAllowed(
            f"Repositories are not fetched over SSH. Give the https form: {_https_form(ssh)}."
        )
    if not text.lower().startswith("https://"):
        raise RemoteNotAllowed(
            "The address must be an https URL" + (" or an absolute path." if allow_local else ".")
        )
    return _parse_https(text)


def _parse_local(text: str, *, allow_local: bool) -> LocalRemote:
    if not allow_local:
        raise RemoteNotAllowed("Repositories on this machine are not allowed by its settings.")
    if text.startswith("file://"):
        text = unquote(text.removeprefix("file://"), errors="surrogateescape")
    if len(os.fsencode(text)) > _MAX_PATH or "\0" in text:
        raise RemoteNotAllowed("The path is too long, or holds a NUL.")
    # Normalised but not resolved: what a link points to is looked up at each use.
    return LocalRemote(Path(os.path.normpath(text)))


def _parse_https(text: str) -> HttpsRemote:
    if len(text) > _MAX_URL or not text.isascii():
        raise RemoteNotAllowed("The URL is too long or not ASCII.")
    scheme_and_host, slash, path = _split_path(text)
    if "@" in scheme_and_host:
        raise RemoteNotAllowed("The URL must not hold a user name or a password.")
    match = _URL.fullmatch(scheme_and_host.lower() + slash + path)
    if match is None:
        raise RemoteNotAllowed("The URL is not of the form https://host/path.")
    host = _checked_host(match["host"])
    port = _checked_port(match["port"])
    return HttpsRemote(url=f"https://{host}{port}{_checked_path(match['path'])}", host=host)


def _https_form(ssh: re.Match[str]) -> str:
    """Made of the host and the path alone: what goes before them may be a secret."""
    try:
        return _parse_https(f"https://{ssh['host'] or ssh['short']}/{ssh['path']}").url
    except RemoteNotAllowed:
        return "https://host/path"


def _split_path(text: str) -> tuple[str, str, str]:
    head, slash, path = text[len("https://") :].partition("/")
    return f"https://{head}", slash, path


def _checked_host(host: str) -> str:
    if host.startswith("["):
        return f"[{_address(host[1:-1], version=6)}]"
    labels = host.split(".")
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise RemoteNotAllowed("The host of the URL is not a valid name.")
    # A name whose last label is a number is an address to every resolver, in forms (2130706433,
    # 0x7f.1, 127.1) that checks of addresses overlook: only the plain form is taken.
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        return _address(host, version=4)
    return host


def _address(text: str, *, version: int) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version:
        raise RemoteNotAllowed("The host of the URL is not a valid address.")
    return str(address)


def _checked_port(port: str | None) -> str:
    if port is None or int(port) == 443:  # noqa: PLR2004  the port of https
        return ""
    if not 0 < int(port) <= _MAX_PORT:
        raise RemoteNotAllowed("The port of the URL is out of range.")
    return f":{int(port)}"


def _checked_path(path: str) -> str:
    segments = path.strip("/").split("/")
    for segment in segments:
        if (
            segment in {".", ".."}
            or segment.startswith("-")
            or not _SEGMENT.fullmatch(segment)
            or _ENCODED_TRICK.search(segment)
        ):
            raise RemoteNotAllowed("The path of the URL holds a segment that is not allowed.")
    return "/" + "/".join(segments)
