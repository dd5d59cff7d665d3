"""Tells the children of a worker that it is about to stop.

Only the parent hears SIGTERM. A job may take an hour, and whoever stops a worker waits seconds: so
its jobs are given back at once, to be run again elsewhere, instead of being killed and missed
until their leases run out. The attempt does not count.
"""

from multiprocessing import get_context

from graph.errors import CodeloomError

# Made before the worker forks, so that every child has the same one.
_event = get_context("fork").Event()


class WorkerStops(CodeloomError):
    """The worker was asked to stop, so the job will be run by another."""

    code = "worker_stops"
    kind = "unavailable"
    transient = True


def announce() -> None:
    """From now on, jobs of this worker are given back."""
    _event.set()


def announced() -> bool:
    """Whether this worker is about to stop."""
    return _event.is_set()
