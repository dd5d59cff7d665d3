"""Whether Redis is away: noticed by whoever asks it, and then tried by one request in a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from redis.exceptions import RedisError

REST_SECONDS = 1.0
# What asking raises when it is away, or too slow.
FAILURES = (RedisError, TimeoutError, OSError)

_log = structlog.get_logger(__name__)


class Breaker:
    """Keeps requests from waiting for a Redis that is away. The log tells once of each outage."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._away = False
        self._rests_until = 0.0
        self._trying = False

    def lets_through(self) -> bool:
        """Whether to ask Redis, which is then done within `watched`."""
        if not self._away:
            return True
        if self._trying or self._clock() < self._rests_until:
            return False
        self._trying = True
        return True

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notes how asking ends, and raises what it raises.

        Only the one that tries it says that Redis is back: an answer to what was asked before the
        outage says nothing. However the one that tries it ends, even because its client went away,
        the next one may try.
        """
        trying = self._away
        try:
            yield
        except FAILURES as error:
            self._failed(error)
            raise
        else:
            if trying:
                _log.warning("limits.redis_is_back")
                self._away = False
        finally:
            if trying:
                self._trying = False

    def _failed(self, error: Exception) -> None:
        if not self._away:
            _log.error("limits.redis_unavailable", error=type(error).__name__)
        self._away = True
        self._rests_until = self._clock() + REST_SECONDS
