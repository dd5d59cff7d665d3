"""What we say to Celery: that a job is to be run, that one is not. Ids and nothing else.

A message is a nudge. One that is lost, doubled or late changes when a job runs, never whether.
"""

from collections.abc import Container
from typing import Any

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError

from graph.errors import CodeloomError
from graph.model.ids import ErasureId
from graph.storage.jobs import Dispatched
from workers.celery_app import app
from workers.queues import ERASE_TASK, JOB_TASKS, PERIODIC_TASK, PING_TASK


class BrokerUnavailable(CodeloomError):
    """Redis does not take messages at this moment."""

    code = "broker_unavailable"
    kind = "unavailable"
    transient = True


def publish(job: Dispatched) -> None:
    """Tell the workers to run a job. Raises BrokerUnavailable."""
    ids = {"tenant_id": str(job.tenant_id), "job_id": str(job.job_id), "epoch": job.epoch}
    _send(JOB_TASKS[job.kind], ids, task_id=job.task_id)


def publish_periodic(name: str, run: int, queue: str) -> None:
    """Tell the workers to do a run of what runs by the clock. Raises BrokerUnavailable."""
    _send(PERIODIC_TASK, {"name": name, "run": run}, queue=queue)


def publish_erasure(erasure_id: ErasureId) -> None:
    """Tell the workers that an erasure is to be gone on with. Raises BrokerUnavailable."""
    _send(ERASE_TASK, {"erasure_id": str(erasure_id)})


def publish_ping(queue: str, token: str) -> None:
    """Ask whoever takes tasks from a queue to answer. Raises BrokerUnavailable."""
    _send(PING_TASK, {"queue": queue, "token": token}, shown=("queue",), queue=queue)


def _send(
    task: str,
    what: dict[str, Any],
    *,
    task_id: str | None = None,
    queue: str | None = None,
    shown: Container[str] | None = None,
) -> None:
    """Into the task's own queue by default.

    `shown` are those of the arguments that events, logs and Flower show; all by default.
    """
    seen = {name: value for name, value in what.items() if shown is None or name in shown}
    try:
        app.send_task(
            task,
            kwargs=what,
            argsrepr="()",
            kwargsrepr=repr(seen),
            retry=False,
            ignore_result=True,
            task_id=task_id,
            queue=queue,
        )
    except (KombuError, CeleryError, OSError) as error:
        raise BrokerUnavailable from error


def revoke(task_id: str, *, terminate: bool) -> None:
    """Tell the workers not to run a task; with `terminate`, end the child that runs it.

    Raises BrokerUnavailable.
    """
    try:
        app.control.revoke(task_id, terminate=terminate, signal="SIGTERM")
    except (KombuError, CeleryError, OSError) as error:
        raise BrokerUnavailable from error
