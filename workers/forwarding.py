"""Forwards what the database tells of jobs to the streams that tenants watch.

A thread of the dispatcher that leads, with a connection of its own: a slow Redis delays nobody who
waits for a job. What is told while nobody listens is lost, and those who watch find it in the rows.
"""

import threading
from uuid import UUID

import structlog

from graph import telemetry
from graph.errors import StorageError
from graph.model.ids import JobId, TenantId
from graph.settings import Settings
from graph.storage.signals import JOB_STATES_CHANNEL, Listener
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

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
