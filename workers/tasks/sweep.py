"""Housekeeping by the clock."""

from graph.settings import get_settings
from workers import scratch
from workers.celery_app import app
from workers.queues import SWEEP_TASK
from workers.tasks.logged import LoggedTask


@app.task(name=SWEEP_TASK, base=LoggedTask)
def sweep_scratch() -> int:
    """Remove the scratch folders of killed workers of this machine; returns how many."""
    return scratch.sweep(get_settings().scratch)
