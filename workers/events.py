"""What happens to jobs, told to whoever watches: a stream in Redis for each tenant.

The rows are the truth; a stream is only faster than looking at them. So a Redis that is away, slow
or emptied is no failure: those who watch look at the rows meanwhile.
"""

import json
import time
from collections.abc import Mapping
from typing import Literal

import redis
import structlog

from graph.model import names
from graph.model.ids import JobId, TenantId

# `state`: the job went on to another state. `progress`: it is further in the same one.
EventKind = Literal["state", "progress"]

# What is kept of a tenant, and for how long after its last event.
_LENGTH = 5000
_SECONDS = 3600
_TIMEOUT_SECONDS = 0.5
# How long Redis is left alone after it failed: nobody waits for it again and again.
_PAUSE_SECONDS = 30.0

_log = structlog.get_logger(__name__)


class EventWriter:
    """Appends to the streams of tenants. Never fails, and waits for Redis half a second at most."""

    def __init__(self, redis_url: str | None) -> None:
        self._silent_until = 0.0
        self._client = (
            redis.Redis.from_url(
                redis_url,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                socket_timeout=_TIMEOUT_SECONDS,
            )
            if redis_url
            else None
        )

    def append(
        self, tenant_id: TenantId, job_id: JobId, kind: EventKind, data: Mapping[str, object]
    ) -> None:
        """The event is the last of the tenant's stream, unless Redis is away."""
        if self._client is None or time.monotonic() < self._silent_until:
            return
        stream = names.event_stream(tenant_id)
        event = {"job": str(job_id), "kind": kind, "data": json.dumps(data)}
        try:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.xadd(stream, event, maxlen=_LENGTH, approximate=True)  # type: ignore[arg-type]
            pipeline.expire(stream, _SECONDS)
            pipeline.execute()
        except redis.RedisError as error:
            self._silent_until = time.monotonic() + _PAUSE_SECONDS
            _log.warning("events.redis_unavailable", error=type(error).__name__)

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()
