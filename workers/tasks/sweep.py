"""Housekeeping by the clock."""

from graph.settings import get_settings
from graph.storage.artifacts import FileStore, open_store
from workers import scratch
from workers.celery_app import app
from workers.queues import SWEEP_TASK
from workers.tasks.logged import LoggedTask

# No upload takes a day: a job has an hour.
_ORPHANED_SECONDS = 24 * 60 * 60


@app.task(name=SWEEP_TASK, base=LoggedTask)
def sweep_scratch() -> int:
    """Remove what killed workers of this machine left; returns how many things that were."""
    settings = get_settings()
    removed = scratch.sweep(settings.scratch)
    store = open_store(settings.artifacts)
    if isinstance(store, FileStore):  # others let their service expire unfinished uploads
        removed += store.sweep(older_than_seconds=_ORPHANED_SECONDS)
    return removed
