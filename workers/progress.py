"""How far a job is. Whoever works says it as often as it likes.

The row, which is the truth, is written by the thread that keeps the lease (`lease.py`), at most
twice a second, and so is the stream of events, which is faster.
"""

import threading
from dataclasses import dataclass, replace

from graph.model.jobs import percent
from graph.storage.jobs import Counts


@dataclass(frozen=True, slots=True)
class Position:
    """Where a job is: the stage, and how much of what that stage has to do."""

    stage: str
    done: int
    total: int
    percent: int  # 0 to 100 over the whole job
    # What exists so far.
    counts: Counts | None = None

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
    """The latest position of a job. Reporting never blocks and never fails.

    The percentage only grows: stages may overlap, and a job that waited for others goes on where it
    was, though it looks again at what it has to do.
    """

    def __init__(self, begins: int = 0) -> None:
        """For a job that is so far already, in percent."""
        self._percent = begins
        self._lock = threading.Lock()
        self._position: Position | None = None
        self._told: Position | None = None

    def report(self, stage: str, done: int = 0, total: int = 0) -> None:
        """The job is here now."""
        with self._lock:
            counts = self._position.counts if self._position else None
            self._percent = max(self._percent, percent(stage, done=done, total=total))
            self._position = Position(stage, done, total, self._percent, counts)

    def count(self, counts: Counts) -> None:
        """So much of the graph exists, wherever the job is."""
        with self._lock:
            if self._position is not None:
                self._position = replace(self._position, counts=counts)

    def news(self) -> Position | None:
        """The position, if it changed since it was last asked for."""
        with self._lock:
            if self._position == self._told:
                return None
            self._told = self._position
            return self._position
