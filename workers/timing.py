"""How long each stage of a job took, by the wall and in CPU: of this process and its children.

The database's CPU is not in it. A child counts in the stage in which it ends, so a stage ends its
own.
"""

import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StageTime:
    """What one stage took in all."""

    name: str
    wall_seconds: float
    cpu_seconds: float


class Stopwatch:
    """Books the time that passes to one stage at a time."""

    def __init__(self) -> None:
        self._spent: dict[str, list[float]] = {}
        self._current: str | None = None
        self._since = (0.0, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The block is this stage's; an enclosing stage pauses for it."""
        enclosing = self._switch(name)
        try:
            yield
        finally:
            self._switch(enclosing)

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

    def _switch(self, name: str | None) -> str | None:
        now = time.monotonic(), _cpu_seconds()
        before = self._current
        if before is not None:
            spent = self._spent[before]
            spent[0] += now[0] - self._since[0]
            spent[1] += now[1] - self._since[1]
        if name is not None:
            self._spent.setdefault(name, [0.0, 0.0])
        self._current, self._since = name, now
        return before


def _cpu_seconds() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total
