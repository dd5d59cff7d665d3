"""Names of hosts, in the one form in which two of them can be compared.

A credential goes to one host. Whether that is the host of an address is a comparison of texts, so
both must have the form that leaves nothing to interpretation: lower case, ASCII, a plain address
where it is an address, and the port where it is not the one of https.
"""

import ipaddress
import re

import idna

_FORM = re.compile(r"(?P<name>\[[^\[\]%]+\]|[^\s:/?#@\[\]\\%]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_NAME = 253
_MAX_PORT = 65535
_HTTPS = 443


def canonical(text: str) -> str:
    """The host, with its port if it has one of its own; raises ValueError for what is no host.

    Names in other scripts become what resolvers are asked for. Of addresses only the plain form
    is taken: 127.1 and 0x7f000001 are addresses to a resolver and names to a careless check.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("This is not the name of a host.")
    return _name(match["name"]) + _port(match["port"])


def _name(text: str) -> str:
    if text.startswith("["):
        return f"[{ipaddress.IPv6Address(text[1:-1])}]"
    # By the newer rules of names: the older ones send what is meant for one name to another.
    name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    labels = name.split(".")
    if len(name) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("This is not the name of a host.")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        return str(ipaddress.IPv4Address(name))
    return name


def _port(text: str | None) -> str:
    if text is None or int(text) == _HTTPS:
        return ""
    if not 0 < int(text) <= _MAX_PORT:
        raise ValueError("The port is out of range.")
    return f":{int(text)}"
