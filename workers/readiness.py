"""A worker's word, in Redis, that it takes tasks: so learns who started it how the start went."""

import redis
import structlog

from graph.model import names
from graph.settings import Settings

# Who waits for a start reads the word soon; nothing depends on it later.
_KEPT_SECONDS = 60
_TIMEOUT_SECONDS = 5

_log = structlog.get_logger(__name__)


def key_of(name: str) -> str:
    """Where the worker of this name, that before the @ of its hostname, says so."""
    return names.shared_key("worker", name, "ready")


def say(settings: Settings, *, name: str, pid: int) -> None:
    """Best effort: a worker works as well when its word is not heard."""
    try:
        with _client(settings) as client:
            client.set(key_of(name), str(pid), ex=_KEPT_SECONDS)
    except redis.RedisError as error:
        _log.warning("worker.readiness_not_told", error=type(error).__name__)


def said(settings: Settings, *, name: str, pid: int) -> bool:
    """Whether this process said so; an earlier one of the name does not count.

    A broker that does not answer yet has heard nothing.
    """
    try:
        with _client(settings) as client:
            return bool(client.get(key_of(name)) == str(pid).encode())
    except redis.RedisError:
        return False


def _client(settings: Settings) -> redis.Redis:
    # Not the asynchronous client: with Python 3.11 it forgets a stop that arrives while it writes.
    return redis.Redis.from_url(
        str(settings.redis_url),
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
    )
