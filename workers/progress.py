"""Tells how far a job is: in its row, which is the truth, and in a Redis stream, which is faster.

Whoever works calls `Progress.report` as often as it likes; the row is written by the thread that
keeps the lease (`lease.py`), at most twice a second.
"""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import redis
import structlog

from graph.model import names
from graph.model.ids import JobId, TenantId
from graph.model.jobs import percent
from graph.storage.jobs import Counts

_STREAM_LENGTH = 1000
_STREAM_SECONDS = 3600
# How long Redis is left alone after it failed: a job must not wait for it again and again.
_PAUSE_SECONDS = 30.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a job is: the stage, and how much of what that stage has to do."""

    stage: str
    done: int = 0
    total: int = 0
    # What exists so far.
    counts: Counts | None = None

    @property
    def percent(self) -> int:
        """0 to 100 over the whole job."""
        return percent(self.stage, done=self.done, total=self.total)

    def event(self) -> dict[str, object]:
        """The same, for those who watch."""
        counts = {"nodes": self.counts.nodes, "edges": self.counts.edges} if self.counts else {}
        return {
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "percent": self.percent,
            **counts,
        }


class Progress:
    """The latest position of a job. Reporting never blocks and never fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._position: Position | None = None
        self._told: Position | None = None

    def report(
        self, stage: str, done: int = 0, total: int = 0, counts: Counts | None = None
    ) -> None:
        """The job is here now. Counts stay until they are said anew."""
        with self._lock:
            known = self._position.counts if self._position else None
            self._position = Position(stage, done, total, counts or known)

    def news(self) -> Position | None:
        """The position, if it changed since it was last asked for."""
        with self._lock:
            if self._position == self._told:
                return None
            self._told = self._position
            return self._position


class ProgressStream:
    """Appends positions to the job's Redis stream; a Redis that is away is no failure."""

    def __init__(self, redis_url: str | None, tenant_id: TenantId, job_id: JobId) -> None:
        self._key = names.job_stream(tenant_id, job_id)
        self._silent_until = 0.0
        self._client = (
            redis.Redis.from_url(redis_url, socket_connect_timeout=0.5, socket_timeout=0.5)
            if redis_url
            else None
        )

    def append(self, event: Mapping[str, object]) -> None:
        """Add an event. Only the last thousand are kept, for an hour after the last."""
        if self._client is None or time.monotonic() < self._silent_until:
            return
        try:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.xadd(
                self._key, {"event": json.dumps(event)}, maxlen=_STREAM_LENGTH, approximate=True
            )
            pipeline.expire(self._key, _STREAM_SECONDS)
            pipeline.execute()
        except redis.RedisError as error:
            self._silent_until = time.monotonic() + _PAUSE_SECONDS
            _log.warning("progress.stream_unavailable", error=type(error).__name__)

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()
