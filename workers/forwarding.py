"""Forwards what the database tells of jobs to the streams that tenants watch, and to Celery.

Celery needs to know of one thing only: the task of a cancelled job is revoked, so that no worker
takes it up to find that out. Nothing depends on it.

A thread of the dispatcher that leads, with a connection of its own: a slow Redis delays nobody who
waits for a job. What is told while nobody listens is lost, and those who watch find it in the rows.
"""

import threading
from uuid import UUID

import structlog

from graph import telemetry
from graph.errors import StorageError
from graph.model.ids import JobId, TenantId
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs
from graph.storage.session import system_session
from graph.storage.signals import JOB_STATES_CHANNEL, Listener
from workers import messages
from workers.events import EventWriter

_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class Forwarder:
    """Forwards for as long as its block lasts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=telemetry.carried(self._run), daemon=True, name="forwarder"
        )

    def _run(self) -> None:
        writer = EventWriter(self._settings.redis_url)
        while not self._stop.is_set():
            try:
                with Listener(self._settings, JOB_STATES_CHANNEL) as listener:
                    self._forward(listener, writer)
            except StorageError as error:
                _log.warning("forwarder.storage_unavailable", error=error.code)
                self._stop.wait(_RETRY_SECONDS)
        writer.close()

    def _forward(self, listener: Listener, writer: EventWriter) -> None:
        while not self._stop.is_set():
            for call in listener.calls(_LOOK_SECONDS):
                tenant, job, state = call.split("/")
                ids = TenantId(UUID(tenant)), JobId(UUID(job))
                with telemetry.about(tenant_id=ids[0], job_id=ids[1]):
                    writer.append(*ids, "state", {"state": state})
                    if state == JobState.CANCELLED:
                        self._revoke(*ids)

    def _revoke(self, tenant_id: TenantId, job_id: JobId) -> None:
        with system_session("dispatch", settings=self._settings) as conn:
            task_id = jobs.last_task(conn, tenant_id=tenant_id, job_id=job_id)
        if task_id is None:
            return
        try:
            messages.revoke(task_id, terminate=False)
        except messages.BrokerUnavailable as error:
            _log.warning("forwarder.task_not_revoked", error=error.code)
        else:
            _log.info("task.revoked", task_id=task_id)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
