"""Limits of requests: what an address, a key and a tenant may ask in a minute.

Counted in Redis by a generic cell rate algorithm: a full minute's worth at once, then as much as
flows in. One script decides and charges in one step and on the clock of Redis, so neither several
API processes nor their clocks can let more through. The key is asked before its tenant: a key that
asks too much is refused by its own limit and takes nothing from the tenant's other keys; and what
the tenant's limit refuses is not charged to the key.

What was refused is refused until the time that it was told, without asking Redis again: nothing
passes sooner, whoever else asks. So what is asked far above a limit costs Redis nothing, and us
little.

Without Redis, reading goes on within this process's share of the limits, and everything else is
refused with 503: what starts work must not be let through uncounted. No request waits for Redis
longer than `LIMITS_PATIENCE_SECONDS`, and after a failure only one in a second tries it again.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import redis.asyncio
import structlog

from graph.errors import LimitsUnavailable, RateLimited
from graph.settings import Settings
from service.counting import Charge, InMemory, InRedis
from service.outages import FAILURES, Breaker

PERIOD_SECONDS = 60
# What a response that has arrived needs to be read, where our own event loop was late.
_GRACE_SECONDS = 0.02
# Of one connection, where nobody waits for it any more: a request gives up sooner by itself, and
# hears an answer that came in time even where it is read late.
_CONNECTION_SECONDS = 2.0
# What is there at once while Redis is away, of a minute's worth: little, because with each outage,
# however short, the count begins anew.
_AWAY_BURST = 0.1
# Connections of a process; more requests than that at one moment wait their turn, or do without.
_CONNECTIONS = 64
# The largest integer that a structured field has (RFC 9651).
_MAX_INTEGER = 999_999_999_999_999
# Callers that are counted in memory while Redis is away, and refusals that are remembered.
_REMEMBERED = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that is limited: its name in the headers, its key in Redis, how much a minute."""

    name: str
    key: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a limit after a request was charged, or refused."""

    limit: Limit
    remaining: int
    resets_after: float  # seconds until all of it is there again
    retry_after: float  # seconds until the refused request would pass; 0 for one that passed


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request passes, and what is left of each limit that was asked, in their order."""

    standings: tuple[Standing, ...]
    # By the last of them, which it is above.
    refused: bool
    # Known without asking: one like it was refused before, and this one came too early again.
    repeated: bool = False

    @property
    def retry_seconds(self) -> int:
        """Whole seconds after which a refused request would pass."""
        return max(1, math.ceil(self.standings[-1].retry_after))


@dataclass(slots=True)
class _Refusal:
    """How requests of a cost are refused until then, and how many were since."""

    until: float
    decision: Decision
    repeated: int = 0


class Gate:
    """Charges requests to limits."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._replicas = settings.api_replicas
        self._patience = settings.limits_patience_seconds
        self._local = InMemory(_REMEMBERED)
        self._redis = _connected(settings.redis_url, self._patience)
        self._shared = InRedis(self._redis) if self._redis is not None else None
        self._breaker = Breaker(clock)
        # By the key of the first limit and the cost.
        self._refused: OrderedDict[tuple[str, int], _Refusal] = OrderedDict()

    async def charge(
        self, limits: list[Limit], cost: int, *, reading: bool, waited: float = 0.0
    ) -> Decision:
        """Whether the request passes; then it was charged to every limit, and else to none.

        The first limit that it is above refuses it, and the later ones are not asked. `waited` is
        how many seconds the request has waited for Redis before. Raises LimitsUnavailable when
        Redis is away and the request does more than read.
        """
        closed = next((each for each in limits if not each.per_minute), None)
        if closed is not None:
            standing = Standing(closed, 0, resets_after=PERIOD_SECONDS, retry_after=PERIOD_SECONDS)
            return Decision((standing,), refused=True)
        if self._shared is None:
            return await self._charge_here(limits, cost, share=1, burst=1.0)
        known = self._known_refusal(limits, cost)
        if known is not None:
            return known
        asked = self._clock()
        if self._breaker.lets_through():
            with suppress(*FAILURES), self._breaker.watched():
                decision = await self._patiently(self._charge(self._shared, limits, cost), waited)
                self._remember(decision, cost, asked)
                return decision
        if not reading:
            raise LimitsUnavailable
        return await self._charge_here(limits, cost, share=self._replicas, burst=_AWAY_BURST)

    async def _patiently(self, decision: Coroutine[Any, Any, Decision], waited: float) -> Decision:
        """The decision, if Redis gives it in time. Raises TimeoutError, and what it raises.

        An event loop that was busy meanwhile is not the fault of Redis: the answer may be there and
        only wait to be read.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(decision)
        patience = max(_GRACE_SECONDS, self._patience - waited)
        until = loop.time() + patience
        try:
            await asyncio.wait({task}, timeout=patience)
            if not task.done() and loop.time() > until + _GRACE_SECONDS:
                await asyncio.wait({task}, timeout=_GRACE_SECONDS)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            task.cancel()

    async def close(self) -> None:
        """Give the connections back."""
        if self._redis is not None:
            await self._redis.aclose()

    def _known_refusal(self, limits: list[Limit], cost: int) -> Decision | None:
        known = self._refused.get((limits[0].key, cost))
        if known is None:
            return None
        standings = known.decision.standings
        left = known.until - self._clock()
        # Its time is over; or the plan is another by now.
        if left <= 0.0 or [each.limit for each in standings] != limits[: len(standings)]:
            del self._refused[limits[0].key, cost]
            if known.repeated:
                _log.info("limits.repeated", limit=standings[-1].limit.name, times=known.repeated)
            return None
        known.repeated += 1
        *above, last = standings
        resets_after = max(0.0, last.resets_after - (last.retry_after - left))
        last = replace(last, retry_after=left, resets_after=resets_after)
        return Decision((*above, last), refused=True, repeated=True)

    def _remember(self, decision: Decision, cost: int, asked: float) -> None:
        if not decision.refused:
            return
        # From when we asked, not from when we were answered: never longer than Redis said.
        until = asked + decision.standings[-1].retry_after
        name = decision.standings[0].limit.key, cost
        before = self._refused.get(name)
        self._refused[name] = _Refusal(until, decision, before.repeated if before else 0)
        if len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)

    async def _charge_here(
        self, limits: list[Limit], cost: int, *, share: int, burst: float
    ) -> Decision:
        mine = [Limit(each.name, each.key, max(1, each.per_minute // share)) for each in limits]
        return await self._charge(self._local, mine, cost, burst=burst)

    async def _charge(
        self, where: InRedis | InMemory, limits: list[Limit], cost: int, *, burst: float = 1.0
    ) -> Decision:
        charges: list[Charge] = []
        for limit in limits:
            at_once = max(1, int(limit.per_minute * burst))
            # A request that costs more than ever is there at once would never pass.
            charges.append((PERIOD_SECONDS / limit.per_minute, at_once, min(cost, at_once)))
        told = await where.charge([limit.key for limit in limits], charges)
        standings = tuple(
            Standing(limit, max(0, int(left)), reset, retry if refused else 0.0)
            for limit, (refused, left, reset, retry) in zip(limits, told, strict=False)
        )
        return Decision(standings, refused=bool(told[-1][0]))


def headers(standings: Sequence[Standing]) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy`, as draft-ietf-httpapi-ratelimit-headers has them."""
    if not standings:
        return {}
    left = (
        f'"{s.limit.name}";r={min(s.remaining, _MAX_INTEGER)};t={math.ceil(s.resets_after)}'
        for s in standings
    )
    policy = (
        f'"{s.limit.name}";q={min(s.limit.per_minute, _MAX_INTEGER)};w={PERIOD_SECONDS}'
        for s in standings
    )
    return {"ratelimit": ", ".join(left), "ratelimit-policy": ", ".join(policy)}


def refusal(decision: Decision) -> RateLimited:
    """The error that a refused request is answered with."""
    limit = decision.standings[-1].limit
    return RateLimited(
        f"More than {limit.per_minute} a minute for this {limit.name}, requests counted by what"
        f" they cost. The next one passes in {decision.retry_seconds} s."
    )


def _connected(redis_url: str | None, patience: float) -> redis.asyncio.Redis | None:
    if redis_url is None:
        return None
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        redis_url,
        max_connections=_CONNECTIONS,
        timeout=patience,
        socket_timeout=_CONNECTION_SECONDS,
        socket_connect_timeout=_CONNECTION_SECONDS,
    )
    # From the pool, so that closing the client closes the pool's connections.
    return redis.asyncio.Redis.from_pool(pool)
