"""The task of an erasure."""

from uuid import UUID

from graph.model.ids import ErasureId
from graph.settings import get_settings
from workers import erasure, stopping
from workers.celery_app import app
from workers.queues import ERASE_TASK
from workers.tasks.logged import LoggedTask


@app.task(name=ERASE_TASK, base=LoggedTask)
def erase_tenant(erasure_id: str) -> str:
    """Go on with an erasure. Returns how far that came, for the log.

    A message that came twice, late or from nowhere does nothing.
    """
    try:
        wanted = ErasureId(UUID(erasure_id))
    except (ValueError, AttributeError, TypeError):
        return "malformed"
    return erasure.run(get_settings(), wanted, should_stop=stopping.announced)
