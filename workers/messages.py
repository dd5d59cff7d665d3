"""What we say to Celery: that a job is to be run, that one is not. Ids and nothing else.

A message is a nudge. One that is lost, doubled or late changes when a job runs, never whether.
"""

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
    try:
        app.send_task(
            JOB_TASKS[job.kind],
            kwargs=ids,
            task_id=job.task_id,
            # What events, logs and Flower show of the message.
            argsrepr="()",
            kwargsrepr=repr(ids),
            retry=False,
            ignore_result=True,
        )
    except (KombuError, CeleryError, OSError) as error:
        raise BrokerUnavailable from error


def publish_periodic(name: str, run: int, queue: str) -> None:
    """Tell the workers to do a run of what runs by the clock. Raises BrokerUnavailable."""
    what = {"name": name, "run": run}
    try:
        app.send_task(
            PERIODIC_TASK,
            kwargs=what,
            queue=queue,
            argsrepr="()",
            kwargsrepr=repr(what),
            retry=False,
            ignore_result=True,
        )
    except (KombuError, CeleryError, OSError) as error:
        raise BrokerUnavailable from error


def publish_erasure(erasure_id: ErasureId) -> None:
    """Tell the workers that an erasure is to be gone on with. Raises BrokerUnavailable."""
    what = {"erasure_id": str(erasure_id)}
    try:
        app.send_task(
            ERASE_TASK,
            kwargs=what,
            argsrepr="()",
            kwargsrepr=repr(what),
            retry=False,
            ignore_result=True,
        )
    except (KombuError, CeleryError, OSError) as error:
        raise BrokerUnavailable from error


def publish_ping(queue: str, token: str) -> None:
    """Ask whoever takes tasks from a queue to answer. Raises BrokerUnavailable."""
    what = {"queue": queue, "token": token}
    try:
        app.send_task(
            PING_TASK,
            kwargs=what,
            queue=queue,
            argsrepr="()",
            kwargsrepr=repr({"queue": queue}),
            retry=False,
            ignore_result=True,
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
