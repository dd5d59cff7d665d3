"""The task of a ping: a worker's sign of life, by the way that the message of a job takes."""

import socket

from graph.settings import get_settings
from workers import pinging
from workers.celery_app import app
from workers.queues import PING_TASK
from workers.tasks.logged import LoggedTask


@app.task(name=PING_TASK, base=LoggedTask)
def ping(queue: str, token: str) -> str:
    """Answer whoever asks this queue. Returns how the message ended, for the log.

    A message that came twice, late or from nowhere does nothing.
    """
    return pinging.answer(get_settings(), queue=queue, token=token, worker=socket.gethostname())
