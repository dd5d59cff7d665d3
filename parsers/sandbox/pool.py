"""Parser processes kept busy: files in, verdicts out, one for each file, whatever happens.

One thread and a selector feed the processes. What the death of a process means:

1. The file whose reply was due is the suspect; the files after it are simply given again.
2. A process that shows no life for longer than a file may take is killed: `timeout`, at once.
3. The suspect of any other death is tried once more as the first file of a fresh process, so that
   its verdict depends neither on its neighbours nor on chance. If that dies too before the reply:
   `memory` or `crashed`.
4. A fault is a death: the process stands still until it is ended.
"""

import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self

from parsers.codec import EncodedFacts
from parsers.sandbox.frames import OUT_OF_MEMORY, Hello, Reply, Setup
from parsers.sandbox.items import (
    Key,
    ParseItem,
    ParseOutcome,
    ParserDidNotStart,
    ParsingStopped,
    SandboxLimits,
)
from parsers.sandbox.memory import was_refused
from parsers.sandbox.process import BadReply, Death, Faulted, ParserProcess
from parsers.skips import SkipReason

# How long a request to stop may go unheard while nothing is answered.
_TICK_SECONDS = 0.1
_START_SECONDS = 60.0
_STARTS = 5
_NOTE_LENGTH = 200


def never() -> bool:
    """Nobody asks to stop."""
    return False


class ParserPool:
    """Up to `processes` parser processes: started when there is work, killed on leaving.

    A pool serves one job of one tenant, in one thread: the kernel ends a process together with the
    thread that started it.
    """

    def __init__(self, processes: int, limits: SandboxLimits) -> None:
        self.size = max(1, processes)
        self.limits = limits
        self.confinement: tuple[str, ...] = ()  # the walls around the latest process
        self.running: list[ParserProcess[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.running:
            process.end()
        self.running.clear()

    def start(self) -> ParserProcess[Any]:
        """Another process."""
        process: ParserProcess[Any] = ParserProcess(
            Setup(
                seconds=self.limits.file_seconds,
                nodes=self.limits.file_nodes,
                memory_bytes=self.limits.memory_bytes,
                cpu_seconds=self.limits.process_cpu_seconds,
            )
        )
        self.running.append(process)
        return process

    def parse_all(
        self, items: Iterable[ParseItem[Key]], *, stopped: Callable[[], bool] = never
    ) -> Iterator[ParseOutcome[Key]]:
        """Exactly one outcome for each item, as they come. Items are taken as they are needed.

        Processes with unanswered work are killed when the iterator is closed or fails.

        Raises:
            ParsingStopped: `stopped` said so.
            ParserDidNotStart: no process can be had.
        """
        run = _Run(self, items)
        try:
            while run.feed():
                if stopped():
                    raise ParsingStopped
                yield from run.listen()
                yield from run.overdue()
        finally:
            run.close()


class _Run(Generic[Key]):
    """One pass over some items."""

    def __init__(self, pool: ParserPool, items: Iterable[ParseItem[Key]]) -> None:
        self.pool = pool
        self.limits = pool.limits
        self.source = iter(items)
        self.again: deque[ParseItem[Key]] = deque()  # innocent: their process died before them
        self.suspects: deque[ParseItem[Key]] = deque()  # each came with a death, so there is room
        self.selector = selectors.DefaultSelector()
        self.writing: set[int] = set()
        self.failed_starts = 0
        for process in pool.running:
            self._watch(process)

    def feed(self) -> bool:
        """Give every process enough to do; False when everything has its verdict."""
        for process in [p for p in self.pool.running if not p.pending and self._worn(p)]:
            self._end(process)
        while self.suspects:
            process = self._start()
            process.on_trial = True
            self._give(process, [self.suspects.popleft()])
        while (hand := self._free_hand()) is not None:
            batch = self._batch()
            if not batch:
                break
            self._give(hand(), batch)
        return any(process.pending for process in self.pool.running)

    def listen(self) -> Iterator[ParseOutcome[Key]]:
        """Move bytes both ways, as far as they go within a tick."""
        for ready, events in self.selector.select(_TICK_SECONDS):
            process: ParserProcess[Key] = ready.data
            # One that ended earlier in the same tick: its descriptors are somebody else's by now.
            if process not in self.pool.running:
                continue
            if events & selectors.EVENT_WRITE:
                self._write(process)
            else:
                yield from self._read(process)

    def overdue(self) -> Iterator[ParseOutcome[Key]]:
        """Kill what has shown no life for longer than one file may take."""
        for process in list(self.pool.running):
            if not (process.pending and self._late(process)):
                continue
            # The caller may have kept us from listening: what has come meanwhile is a sign of life.
            process.read()
            if not self._late(process):
                yield from self._read(process)
                continue
            if process.hello is None:
                raise ParserDidNotStart("it took too long")
            suspect = process.pending.popleft()
            self.again.extend(process.pending)
            self._end(process)
            yield ParseOutcome(suspect.key, SkipReason.TIMEOUT, "killed")

    def _late(self, process: ParserProcess[Key]) -> bool:
        allowed = self.limits.file_seconds + self.limits.grace_seconds
        silent = time.monotonic() - process.since
        return silent > (allowed if process.hello is not None else _START_SECONDS)

    def close(self) -> None:
        """Leave only processes that wait for work."""
        for process in [p for p in self.pool.running if p.pending]:
            self._end(process)
        self.selector.close()

    def _worn(self, process: ParserProcess[Key]) -> bool:
        return (
            process.given_files >= self.limits.process_files
            or process.given_bytes >= self.limits.process_bytes
        )

    def _free_hand(self) -> Callable[[], ParserProcess[Key]] | None:
        """How to come by a process that should have more work: an idle one, a new one, any."""
        limits = self.limits
        free: list[ParserProcess[Key]] = [
            process
            for process in self.pool.running
            if process.pending_bytes < limits.batch_bytes
            and len(process.pending) < limits.batch_files
            and not self._worn(process)
        ]
        least = min(free, key=lambda process: process.pending_bytes, default=None)
        if (least is None or least.pending) and len(self.pool.running) < self.pool.size:
            return self._start
        return None if least is None else lambda: least

    def _batch(self) -> list[ParseItem[Key]]:
        batch: list[ParseItem[Key]] = []
        size = 0
        while self.again and size < self.limits.batch_bytes:
            batch.append(self.again.popleft())
            size += len(batch[-1].data)
        while size < self.limits.batch_bytes and len(batch) < self.limits.batch_files:
            item = next(self.source, None)
            if item is None:
                break
            batch.append(item)
            size += len(item.data)
        return batch

    def _start(self) -> ParserProcess[Key]:
        process = self.pool.start()
        self._watch(process)
        return process

    def _watch(self, process: ParserProcess[Key]) -> None:
        self.selector.register(process.output, selectors.EVENT_READ, process)

    def _give(self, process: ParserProcess[Key], batch: list[ParseItem[Key]]) -> None:
        process.give(batch)
        self._write(process)

    def _write(self, process: ParserProcess[Key]) -> None:
        process.write()
        if process.blocked and process.input not in self.writing:
            self.writing.add(process.input)
            self.selector.register(process.input, selectors.EVENT_WRITE, process)
        elif not process.blocked and process.input in self.writing:
            self.writing.discard(process.input)
            self.selector.unregister(process.input)

    def _end(self, process: ParserProcess[Key]) -> Death:
        self.pool.running.remove(process)
        self.selector.unregister(process.output)
        if process.input in self.writing:
            self.writing.discard(process.input)
            self.selector.unregister(process.input)
        return process.end()

    def _read(self, process: ParserProcess[Key]) -> Iterator[ParseOutcome[Key]]:
        alive = process.read()
        try:
            for item, reply in process.replies():
                yield _outcome(item, reply)
        except BadReply:
            yield from self._died(process, SkipReason.CRASHED, "sent what is no reply")
            return
        except Faulted:
            alive = False
        if process.hello is not None:
            self.pool.confinement = tuple(process.hello.confinement)
            self.failed_starts = 0
        if not alive:
            yield from self._died(process)

    def _died(
        self, process: ParserProcess[Key], reason: SkipReason | None = None, note: str = ""
    ) -> Iterator[ParseOutcome[Key]]:
        complaint = process.complaint()
        death = self._end(process)
        if process.hello is None:
            self._count_failed_start(complaint)
        if not process.pending:
            return
        suspect = process.pending.popleft()
        self.again.extend(process.pending)
        if process.hello is None or process.answered or not process.on_trial:
            self.suspects.append(suspect)
        elif reason is not None:
            yield ParseOutcome(suspect.key, reason, note)
        else:
            yield ParseOutcome(suspect.key, *_verdict(death, process.hello))

    def _count_failed_start(self, complaint: str) -> None:
        """Killed on its way up, a process may be had at the next try; what complains is broken."""
        self.failed_starts += 1
        if complaint or self.failed_starts == _STARTS:
            raise ParserDidNotStart(complaint)


def _verdict(death: Death, hello: Hello) -> tuple[SkipReason, str]:
    """Why a file killed its process, twice: refused memory, a grammar meets a fault as well."""
    name = signal.Signals(-death.code).name if death.code < 0 else f"exit code {death.code}"
    if death.code in (OUT_OF_MEMORY, -signal.SIGKILL):
        return SkipReason.MEMORY, name
    if death.code == -signal.SIGXCPU:
        return SkipReason.TIMEOUT, "processor time"
    taken, limit = death.address_bytes, hello.address_limit
    if was_refused(before=hello.address_bytes, limit=limit, at_fault=taken):
        return SkipReason.MEMORY, f"{name} at {taken >> 20} of {limit >> 20} MiB"
    return SkipReason.CRASHED, name


def _outcome(item: ParseItem[Key], reply: Reply) -> ParseOutcome[Key]:
    if reply.reason:
        return ParseOutcome(item.key, SkipReason(reply.reason), reply.note[:_NOTE_LENGTH])
    return ParseOutcome(item.key, EncodedFacts(reply.outline, reply.body))
