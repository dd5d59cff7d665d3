"""What the pool and its parser processes say to each other, and how: length, then MessagePack.

The parent believes nothing else of a process: a reply is typed, bounded in size and is about the
file that is next in line; anything else counts as the death of the process.
"""

import struct
from typing import Final

import msgspec

HEADER: Final = struct.Struct(">I")
# The exit code of a process that ran out of memory and noticed.
OUT_OF_MEMORY: Final = 70


class Setup(msgspec.Struct, array_like=True, frozen=True):
    """The first frame to a process: what it may spend."""

    seconds: float  # on one file, by its own clock
    nodes: int  # of one file's syntax tree
    memory_bytes: int
    cpu_seconds: int  # in its whole life


class Hello(msgspec.Struct, array_like=True, frozen=True):
    """The first frame from a process: it is confined and waits for files."""

    confinement: list[str]
    resident_bytes: int  # the most it ever held, before the first file


class Request(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A file to parse. Requests come several in a frame."""

    language: str
    data: bytes


class Reply(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The verdict on one file; replies come in the order of the requests."""

    outline: bytes = b""
    body: bytes = b""
    reason: str = ""  # a skip reason, and then there are no facts
    note: str = ""  # for a fault of ours: which exception, raised where


def pack(message: msgspec.Struct | list[Request]) -> bytes:
    """One frame."""
    payload = msgspec.msgpack.encode(message)
    return HEADER.pack(len(payload)) + payload
