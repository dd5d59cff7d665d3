"""Requests over raw sockets, as cheaply as Python sends them, so that load is not the bottleneck.

The bytes of a request are made once, connections are kept, and of an answer only its status and its
length are read.
"""

import asyncio
import multiprocessing
import os
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Self

from typing_extensions import override

_TICK_SECONDS = 0.005
# Behind the one who measures, on the core that they share.
_NICENESS = 10
_MOST_REQUESTS = 200_000
_PATIENCE_SECONDS = 60


def request(path: str, secret: str) -> bytes:
    """A GET with a key."""
    lines = (f"GET {path} HTTP/1.1", "Host: api.example.com", f"Authorization: Bearer {secret}")
    return "\r\n".join([*lines, "", ""]).encode()


def answered(data: bytes | bytearray) -> tuple[int, int]:
    """The status of the answer that these bytes begin with, and its length; 0 if it is not here."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return 0, 0
    at = data.lower().find(b"content-length:", 0, head)
    if at < 0:
        raise ValueError("an answer without a length")
    length = head + 4 + int(data[at + 15 : data.index(b"\r\n", at)])
    return int(data[9:12]), length if len(data) >= length else 0


class Asker:
    """A connection on which one request follows the other."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, data: bytes) -> int:
        """The status that these bytes are answered with, when all of the answer is there."""
        self._socket.sendall(data)
        found = bytearray()
        while True:
            status, length = answered(found)
            if length:
                return status
            more = self._socket.recv(1 << 16)
            if not more:
                raise ConnectionResetError
            found += more

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


@dataclass(frozen=True)
class Offer:
    """What each process asks for, over how many connections."""

    port: int
    data: bytes
    connections: int
    rate: float | None  # a second, of all processes; None: every connection asks all the time


@dataclass
class Sent:
    """What was asked and how it was answered."""

    offered: int = 0  # due by the rate; more than `total` where no connection was free
    total: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Sent") -> None:
        """Count another process or round as well."""
        self.offered += other.offered
        self.total += other.total
        self.statuses += other.statuses


class Load:
    """Processes that make load when they are told to, for the time of the context."""

    def __init__(self, offer: Offer, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes = []
        self._processes = []
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(offer, processes, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def begin(self, seconds: float) -> None:
        """Make load for so long, while the caller does something else."""
        for pipe in self._pipes:
            pipe.send(seconds)

    def end(self) -> Sent:
        """What came of it, when all is answered."""
        sent = Sent()
        for pipe in self._pipes:
            sent.add(pipe.recv())
        return sent

    def run(self, seconds: float) -> Sent:
        """Make load for so long."""
        self.begin(seconds)
        return self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.close()
            process.join()


def _serve(offer: Offer, processes: int, pipe: "Connection[Sent, float]") -> None:
    os.nice(_NICENESS)
    asyncio.run(_Generator(offer, processes).obey(pipe))


class _Generator:
    """The connections of one process."""

    def __init__(self, offer: Offer, processes: int) -> None:
        self.offer = offer
        self.rate = offer.rate / processes if offer.rate else None
        self.free: deque[_Kept] = deque()
        self.sent = Sent()
        self.until = 0.0
        self.rested = asyncio.Event()  # no request is under way

    async def obey(self, pipe: "Connection[Sent, float]") -> None:
        """Make load each time that the pipe says for how long, until it is closed."""
        loop = asyncio.get_running_loop()
        for _ in range(self.offer.connections):
            await loop.create_connection(lambda: _Kept(self), "127.0.0.1", self.offer.port)
        while True:
            try:
                seconds = await asyncio.to_thread(pipe.recv)
            except EOFError:
                return
            self.sent = Sent()
            await self._run(seconds)
            pipe.send(self.sent)

    async def _run(self, seconds: float) -> None:
        started = time.perf_counter()
        self.until = started + seconds
        while (now := time.perf_counter()) < self.until and self.sent.total < _MOST_REQUESTS:
            waiting = len(self.free)
            if self.rate is not None:
                due = int((now - started) * self.rate) - self.sent.offered
                self.sent.offered += due
                waiting = min(due, waiting)
            for _ in range(waiting):
                self.free.popleft().ask()
            await asyncio.sleep(_TICK_SECONDS)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self.rested.wait()

    def rest(self, connection: "_Kept") -> None:
        """The connection is free."""
        self.free.append(connection)
        if len(self.free) == self.offer.connections:
            self.rested.set()


class _Kept(asyncio.Protocol):
    """A connection that is kept."""

    def __init__(self, generator: _Generator) -> None:
        self._generator = generator
        self._found = bytearray()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream")
        self._transport = transport
        self._generator.rest(self)

    def ask(self) -> None:
        """Send the request."""
        self._generator.sent.total += 1
        self._generator.rested.clear()
        self._transport.write(self._generator.offer.data)

    @override
    def data_received(self, data: bytes) -> None:
        """A piece of its answer."""
        self._found += data
        status, length = answered(self._found)
        if not length:
            return
        del self._found[:length]
        generator = self._generator
        generator.sent.statuses[status] += 1
        if generator.rate is None and time.perf_counter() < generator.until:
            self.ask()
        else:
            generator.rest(self)
