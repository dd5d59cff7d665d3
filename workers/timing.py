"""How long each stage of a job took, by the wall and in CPU: of this process and its children.

The database's CPU is not in it. A child counts in the stage in which it ends, so a stage ends its
own.
"""

import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StageTime:
    """What one stage took in all."""

    name: str
    wall_seconds: float
    cpu_seconds: float


class _Clocks(NamedTuple):
    wall: float
    # Of this thread and of children that have ended.
    own: float
    # Of the other threads: what a stage has others do for it.
    others: float


class Stopwatch:
    """Books the time that passes to one stage at a time. For use by one thread."""

    def __init__(self) -> None:
        self._spent: dict[str, list[float]] = {}
        # The stages that are open, the inmost last.
        self._open: list[str] = []
        self._since = _now()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The block is this stage's; an enclosing stage pauses for it.

        What other threads do meanwhile is the enclosing stage's: it set them to work.
        """
        self._book()
        self._spent.setdefault(name, [0.0, 0.0])
        self._open.append(name)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def through(self, name: str, items: Iterable[_T]) -> Iterator[_T]:
        """The same items; making each is this stage's time, using it is its user's."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def times(self) -> list[StageTime]:
        """What was booked so far, in the order in which the stages began."""
        return [
            StageTime(name, round(wall, 3), round(cpu, 3))
            for name, (wall, cpu) in self._spent.items()
        ]

    def _book(self) -> None:
        before, self._since = self._since, _now()
        if self._open:
            inmost = self._spent[self._open[-1]]
            inmost[0] += self._since.wall - before.wall
            inmost[1] += self._since.own - before.own
            self._spent[self._open[0]][1] += self._since.others - before.others


def _now() -> _Clocks:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    thread = time.thread_time()
    return _Clocks(
        wall=time.monotonic(),
        own=thread + children.ru_utime + children.ru_stime,
        others=time.process_time() - thread,
    )
