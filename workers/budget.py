"""What one job may use: time, files, bytes, nodes. Checked between items, never by a signal."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from graph.errors import BudgetExceeded


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of one attempt, and when it began."""

    seconds: float
    nodes: int
    clock: Callable[[], float] = time.monotonic
    started: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds until the attempt has to end; raises BudgetExceeded when there are none."""
        left = self.started + self.seconds - self.clock()
        if left <= 0:
            raise BudgetExceeded(f"The job took longer than {self.seconds / 60:.0f} minutes.")
        return left

    def check_nodes(self, count: int) -> None:
        """Raise BudgetExceeded beyond the number of nodes that a repository may have."""
        if count > self.nodes:
            raise BudgetExceeded(f"The repository has more than {self.nodes} nodes.")
