"""What the pool and its parser processes say to each other, and how: length, then MessagePack.

Where a frame would begin there may be the number of a signal instead, once or many times: the
process met that fault and stands still, with all it holds, until its parent ends it.

The parent believes nothing else of a process: a reply is typed, bounded in size and is about the
file that is next in line; anything else counts as the death of the process.
"""

import signal
import struct
from typing import Final

import msgspec

HEADER: Final = struct.Struct(">I")
# Every frame to the parent is shorter; the facts of a file of 1 MiB are a tenth of it, compressed.
# So the first byte of a length is below 4, and the number of a fault is never taken for one.
FRAME_BYTES: Final = 64 << 20
FAULTS: Final = frozenset(
    {signal.SIGILL, signal.SIGTRAP, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV}
)
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
    address_bytes: int  # the address space that it takes before the first file ...
    address_limit: int  # ... of what it may take


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
