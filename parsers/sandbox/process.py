"""One parser process as its parent sees it: what it was given, what came back, since when.

Both pipes are non-blocking: a parent that waited to write while the process waits to be read would
wait for ever. Nothing here decides what a death means; that is the pool's.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

import msgspec

from parsers.codec import EncodedFacts, expanded_bytes
from parsers.sandbox.frames import FAULTS, FRAME_BYTES, HEADER, Hello, Reply, Request, Setup, pack
from parsers.sandbox.items import Key, ParseItem
from parsers.sandbox.memory import address_space
from parsers.skips import SkipReason

# The parent's own search path instead of `site`: the same packages however they are installed,
# and less to start.
_BOOT = "import sys; sys.path[:] = sys.argv[1:]; from parsers.sandbox.child import main; main()"
_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 16
# Ten times what the most crowded file of 1 MiB expands to (12 MiB, measured).
_LARGEST_FACTS = 128 << 20
_COMPLAINT_BYTES = 2000
_REASONS = frozenset(SkipReason)


class BadReply(Exception):
    """A process sent what no parser process sends."""


class Faulted(Exception):
    """A process met a fault and stands still."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended: its exit code, negative for a signal, and what it took at a fault."""

    code: int
    address_bytes: int = 0


class ParserProcess(Generic[Key]):
    """A running process, the items it has not answered yet, and our ends of its pipes."""

    def __init__(self, setup: Setup) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, *(path for path in sys.path if path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={},
            cwd="/",
            start_new_session=True,
        )
        streams = [self._child.stdin, self._child.stdout, self._child.stderr]
        self._streams = [stream for stream in streams if stream is not None]
        self.input, self.output, self._errors = (stream.fileno() for stream in self._streams)
        for pipe in (self.input, self.output, self._errors):
            os.set_blocking(pipe, False)
        _widen(self.input, self.output)
        self.pending: deque[ParseItem[Key]] = deque()
        self.pending_bytes = self.given_files = self.given_bytes = self.answered = 0
        self.on_trial = False  # its first file has killed a process before
        self.since = time.monotonic()  # of its last sign of life, or of work given to an idle one
        self.hello: Hello | None = None
        self._fault = 0  # the signal's number
        self._unsent: deque[memoryview] = deque([memoryview(pack(setup))])
        self._received = bytearray()
        self._hellos = msgspec.msgpack.Decoder(Hello)
        self._replies = msgspec.msgpack.Decoder(Reply)

    @property
    def blocked(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._unsent)

    def give(self, items: Sequence[ParseItem[Key]]) -> None:
        """Queue files; their replies come in the same order."""
        if not self.pending:
            self.since = time.monotonic()
        self.pending.extend(items)
        size = sum(len(item.data) for item in items)
        self.pending_bytes += size
        self.given_bytes += size
        self.given_files += len(items)
        requests = [Request(item.language, item.data) for item in items]
        self._unsent.append(memoryview(pack(requests)))

    def write(self) -> None:
        """Send what the pipe takes now."""
        while self._unsent:
            try:
                sent = os.write(self.input, self._unsent[0])
            except BlockingIOError:
                return
            except BrokenPipeError:  # it died, which reading tells
                self._unsent.clear()
                return
            self._unsent[0] = self._unsent[0][sent:]
            if not self._unsent[0]:
                self._unsent.popleft()

    def read(self) -> bool:
        """Take some of what the pipe holds; False if the process has closed it."""
        try:
            data = os.read(self.output, _READ_BYTES)
        except BlockingIOError:
            return True
        self._received += data
        self.since = time.monotonic()
        return bool(data)

    def replies(self) -> Iterator[tuple[ParseItem[Key], Reply]]:
        """The replies that have arrived whole, each with its item.

        Raises:
            BadReply: what arrived is no reply to anything.
            Faulted: after the replies came the number of a fault.
        """
        while (payload := self._payload()) is not None:
            try:
                if self.hello is None:
                    self.hello = self._hellos.decode(payload)
                    continue
                reply = self._replies.decode(payload)
            except msgspec.MsgspecError as fault:
                raise BadReply from fault
            if not self.pending or not _plausible(reply):
                raise BadReply
            item = self.pending.popleft()
            self.pending_bytes -= len(item.data)
            self.answered += 1
            yield item, reply

    def _payload(self) -> bytes | None:
        received = self._received
        if received and received[0] in FAULTS:
            self._fault = received[0]
            raise Faulted
        if len(received) < HEADER.size:
            return None
        size: int = HEADER.unpack_from(received)[0]
        if size >= FRAME_BYTES:
            raise BadReply
        end = HEADER.size + size
        if len(received) < end:
            return None
        payload = bytes(memoryview(received)[HEADER.size : end])
        del received[:end]
        return payload

    def end(self) -> Death:
        """Kill the process, if it still runs, and collect it."""
        at_fault = Death(-self._fault, address_space(self._child.pid)) if self._fault else None
        self._child.kill()
        code = self._child.wait()
        for stream in self._streams:
            stream.close()
        return at_fault or Death(code)

    def complaint(self) -> str:
        """The end of what it wrote to its standard error before it could see any file."""
        try:
            text = os.read(self._errors, _READ_BYTES).decode("utf-8", "replace")
        except BlockingIOError:
            return ""
        return text[-_COMPLAINT_BYTES:].strip()


def _plausible(reply: Reply) -> bool:
    """A reason that there is, or facts that will not fill the memory of who reads them."""
    if reply.reason:
        return reply.reason in _REASONS
    return 0 <= expanded_bytes(EncodedFacts(reply.outline, reply.body)) <= _LARGEST_FACTS


def _widen(*pipes: int) -> None:
    """A batch, or the facts of a large file, in one go; the kernel's default is 64 KiB."""
    for pipe in pipes:
        try:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except PermissionError:  # over the account's share of pipe memory: slower, not wrong
            return
