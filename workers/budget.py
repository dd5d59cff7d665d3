"""What one job may use: time, files, bytes, nodes. Checked between items, never by a signal.

Each limit is the smaller of two: the installation's, and what the attempt was granted of its
tenant's month. Which of them was met decides what the tenant is told.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from graph.errors import BudgetExceeded, CheckoutTooLarge, CodeloomError, QuotaExceeded
from graph.settings import Settings
from graph.storage.reservations import Allowance


def most(settings: Settings) -> Allowance:
    """The most that an attempt can use, whoever it is for."""
    return Allowance(
        clone_bytes=settings.max_clone_bytes, job_seconds=settings.job_hard_limit_seconds
    )


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of one attempt, and when it began."""

    soft_limit_seconds: float
    most_clone_bytes: int
    nodes: int
    granted: Allowance
    clock: Callable[[], float] = time.monotonic
    started: float = field(default_factory=time.monotonic)

    @property
    def clone_bytes(self) -> int:
        """Bytes that the attempt may fetch."""
        return min(self.most_clone_bytes, self.granted.clone_bytes)

    def left(self) -> float:
        """Seconds until the attempt has to end.

        Raises BudgetExceeded when there are none, QuotaExceeded when there were none to be had.
        """
        seconds = min(self.soft_limit_seconds, self.granted.job_seconds)
        left = self.started + seconds - self.clock()
        if left > 0:
            return left
        if seconds < self.soft_limit_seconds:
            raise QuotaExceeded(
                f"The {seconds:.0f} seconds that were left of the month's job_minutes were not"
                " enough for this job.",
                resets_at=self.granted.resets_at,
            )
        raise BudgetExceeded(f"The job took longer than {seconds / 60:.0f} minutes.")

    def too_large(self, error: CheckoutTooLarge) -> CodeloomError:
        """What it means that a fetch met its limit."""
        if self.clone_bytes == self.most_clone_bytes:
            return error
        return QuotaExceeded(
            f"The {self.clone_bytes} bytes that were left of the month's clone_bytes were not"
            " enough for this repository.",
            resets_at=self.granted.resets_at,
        )

    def check_nodes(self, count: int) -> None:
        """Raise BudgetExceeded beyond the number of nodes that a repository may have."""
        if count > self.nodes:
            raise BudgetExceeded(f"The repository has more than {self.nodes} nodes.")


def limits(settings: Settings, granted: Allowance) -> Budget:
    """The budget of an attempt that begins now."""
    return Budget(
        settings.job_soft_limit_seconds,
        settings.max_clone_bytes,
        settings.max_nodes_per_repository,
        granted,
    )
