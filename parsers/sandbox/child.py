"""The parser process: reads files from one pipe, writes facts to another, knows nothing else.

Started by `parsers.sandbox.process` with the interpreter isolated and an empty environment. It
loads every language before it confines itself, because afterwards nothing can be opened.
"""

import codecs
import faulthandler
import gc
import os
import resource
import signal
import sys
from typing import BinaryIO

import msgspec

from parsers import codec, registry
from parsers.extract import Limits, Refusal, extract
from parsers.sandbox.confinement import confine, within_hard_limit
from parsers.sandbox.frames import FAULTS, HEADER, OUT_OF_MEMORY, Hello, Reply, Request, Setup, pack
from parsers.sandbox.memory import address_space
from parsers.skips import SkipReason

# Looked up by name, and then imported, at their first use.
_ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1")


def main() -> None:
    """Parse until the pipe ends."""
    source = os.fdopen(0, "rb")
    target = os.fdopen(1, "wb", buffering=0)
    setup = msgspec.msgpack.decode(_frame(source), type=Setup)
    limits = Limits(seconds=setup.seconds, nodes=setup.nodes)
    _warm_up(limits)
    _stand_still_at_a_fault()
    address_bytes = address_space("self")
    address_limit = within_hard_limit(resource.RLIMIT_AS, setup.memory_bytes)
    _silence()
    walls = confine(memory_bytes=setup.memory_bytes, cpu_seconds=setup.cpu_seconds)
    _write(target, pack(Hello(walls, address_bytes, address_limit)))
    requests = msgspec.msgpack.Decoder(list[Request])
    while frame := _frame(source):
        for request in requests.decode(frame):
            _write(target, pack(_reply(request, limits)))
        gc.collect()


def _warm_up(limits: Limits) -> None:
    """Load every grammar, encoding and table that some file may ask for."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    for language in registry.languages().values():
        facts = extract(b"", language, limits)
        if not isinstance(facts, Refusal):
            codec.encode(facts)
    # What is loaded stays, and the facts of a file die by their reference counts: to walk them
    # again and again as they grow took a twelfth of the time. The rest goes between frames.
    gc.collect()
    gc.freeze()
    gc.disable()


def _silence() -> None:
    """From here on a message could quote a file, and a full pipe that nobody reads would block."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _stand_still_at_a_fault() -> None:
    """Let a fault in a grammar be told to the parent, and nothing more happen in this process.

    A handler in Python never runs, as the grammar never returns. The interpreter's own, in C,
    writes the signal's number to the descriptor and goes back to the instruction at fault, again
    and again: so the parent may look at what the process holds, which nobody can at a dead one.
    """
    # A stack for handlers: the ordinary one may be full, or not allowed to grow.
    faulthandler.enable(sys.stderr)
    for fault in FAULTS:
        signal.signal(fault, lambda *_: None)
    # Opened anew, as a descriptor that a handler writes to must not block and the replies' may.
    replies = os.open("/proc/self/fd/1", os.O_WRONLY | os.O_NONBLOCK)
    signal.set_wakeup_fd(replies, warn_on_full_buffer=False)


def _reply(request: Request, limits: Limits) -> Reply:
    language = registry.languages()[request.language]
    try:
        facts = extract(request.data, language, limits)
        if isinstance(facts, Refusal):
            return Reply(reason=facts.reason)
        encoded = codec.encode(facts)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception as fault:  # noqa: BLE001 - the guard around one file: a fault of a rule
        return Reply(reason=SkipReason.CRASHED, note=_where(fault))
    return Reply(encoded.outline, encoded.body)


def _where(fault: Exception) -> str:
    """The exception's class and place: its message may hold text of the file."""
    place = fault.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(fault).__name__
    module = "/".join(place.tb_frame.f_code.co_filename.split("/")[-3:])
    return f"{type(fault).__name__} at {module}:{place.tb_lineno}"


def _frame(source: BinaryIO) -> bytes:
    """The next frame; empty at the end."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return b""
    size: int = HEADER.unpack(header)[0]
    payload = source.read(size)
    if len(payload) < size:
        sys.exit(0)
    return payload


def _write(target: BinaryIO, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[target.write(view) :]
