"""How far a job is. Whoever works says it as often as it likes.

The row, which is the truth, is written by the thread that keeps the lease (`lease.py`), at most
twice a second, and so is the stream of events, which is faster.
"""

import threading
from dataclasses import dataclass

from graph.model.jobs import percent
from graph.storage.jobs import Counts


@dataclass(frozen=True, slots=True)
class Position:
    """Where a job is: the stage, and how much of what that stage has to do."""

    stage: str
    done: int = 0
    total: int = 0
    # What exists so far.
    counts: Counts | None = None

    @property
    def percent(self) -> int:
        """0 to 100 over the whole job."""
        return percent(self.stage, done=self.done, total=self.total)

    def event(self) -> dict[str, object]:
        """The same, for those who watch."""
        counts = {"nodes": self.counts.nodes, "edges": self.counts.edges} if self.counts else {}
        return {
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "percent": self.percent,
            **counts,
        }


class Progress:
    """The latest position of a job. Reporting never blocks and never fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._position: Position | None = None
        self._told: Position | None = None

    def report(
        self, stage: str, done: int = 0, total: int = 0, counts: Counts | None = None
    ) -> None:
        """The job is here now. Counts stay until they are said anew."""
        with self._lock:
            known = self._position.counts if self._position else None
            self._position = Position(stage, done, total, counts or known)

    def news(self) -> Position | None:
        """The position, if it changed since it was last asked for."""
        with self._lock:
            if self._position == self._told:
                return None
            self._told = self._position
            return self._position
