"""Where requests meet their limits, before a body is read.

An address does so before its key is looked up, a key and its tenant after.
"""

import ipaddress
import time
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.errors import LimitsUnavailable
from graph.model.names import redis_key, shared_key
from graph.settings import Settings
from graph.storage.keys import Caller
from graph.storage.operator_keys import Operator
from service import limits
from service.auth import Authenticator, presented
from service.errors import answer
from service.limits import Gate, Limit, Standing
from service.middleware import UNTOLD

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# What says that we live must not depend on who asks how often.
UNLIMITED = frozenset({"/healthz", "/readyz"})
# What a request costs, by its method and by what its path ends with; see `cost_of`.
_READ, _SEARCH, _WRITE, _START = 1, 5, 10, 50
_COSTS_OF_READS = {
    "symbols": _SEARCH,
    "references": _SEARCH,
    "callers": _SEARCH,
    "callees": _SEARCH,
    "export": _START,
    "events": _WRITE,  # streams that stay
}
_COSTS_OF_WRITES = {"ingestions": _START, "jobs": _START, "retry": _START, "erase": _START}
_IPV6_NETWORK_BYTES = 8
# Where a request's state has how many seconds it has waited for Redis already.
_WAITED = "limits_waited"
_ADDRESS = "address"


def cost_of(method: str, path: str) -> int:
    """What a request costs. A route that nobody thought of costs what its method does."""
    last = path.rstrip("/").rpartition("/")[2]
    if method in _READING:
        return _COSTS_OF_READS.get(last, _READ)
    return _COSTS_OF_WRITES.get(last, _WRITE)


class AddressLimits:
    """Limits what an address asks without a key that is known already.

    So guessing keys, and asking what needs none, costs no look-up in the database beyond the limit,
    while a key that was valid a moment ago is not held up by its neighbours behind one address.
    """

    def __init__(
        self,
        app: ASGIApp,
        gate: Gate,
        settings: Settings,
        callers: Authenticator[Caller],
        operators: Authenticator[Operator],
    ) -> None:
        self.app = app
        self.gate = gate
        self.per_minute = settings.address_requests_per_minute
        self.known = (callers, operators)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429 or 503."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED or self._is_known(scope):
            await self.app(scope, receive, send)
            return
        limit = Limit(_ADDRESS, shared_key("requests", address_of(scope)), self.per_minute)
        # Whoever is not known reads, as far as this limit goes: what they may do comes later.
        await _through(self.gate, [limit], scope, receive, send, self.app, reading=True, cost=1)

    def _is_known(self, scope: Scope) -> bool:
        secret = presented(Headers(scope=scope))
        return bool(secret) and any(each.remembers(secret) for each in self.known)


class CallerLimits:
    """Limits what a key, and all keys of a tenant together, ask; or the key of an operator."""

    def __init__(self, app: ASGIApp, gate: Gate, settings: Settings) -> None:
        self.app = app
        self.gate = gate
        self.operator_per_minute = settings.operator_requests_per_minute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with what is left in its answer's headers, or answer 429 or 503."""
        applied = self._limits(scope) if scope["type"] == "http" else []
        if not applied:
            await self.app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        await _through(
            self.gate,
            applied,
            scope,
            receive,
            send,
            self.app,
            reading=method in _READING,
            cost=cost_of(method, path),
        )

    def _limits(self, scope: Scope) -> list[Limit]:
        state = scope["state"]
        operator: Operator | None = state.get("operator")
        if operator is not None:
            name = shared_key("requests", "operator", str(operator.key_id))
            return [Limit("key", name, self.operator_per_minute)]
        caller: Caller | None = state.get("caller")
        return limits_of(caller) if caller is not None else []


def limits_of(caller: Caller) -> list[Limit]:
    """What a caller's plan limits; the key first."""
    found = []
    if caller.key_requests_per_minute is not None:
        name = redis_key(caller.tenant_id, "requests", "key", str(caller.key_id))
        found.append(Limit("key", name, caller.key_requests_per_minute))
    if caller.requests_per_minute is not None:
        name = redis_key(caller.tenant_id, "requests", "tenant")
        found.append(Limit("tenant", name, caller.requests_per_minute))
    return found


def address_of(scope: Scope) -> str:
    """The client's address as part of a name: of IPv6 the network, since a host has all of it."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0] if client else "")
    except ValueError:
        return "unknown"  # behind a socket in the file system, all are one
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return address.packed[:_IPV6_NETWORK_BYTES].hex()
        address = address.ipv4_mapped
    return str(address)


async def _through(
    gate: Gate,
    applied: list[Limit],
    scope: Scope,
    receive: Receive,
    send: Send,
    app: ASGIApp,
    *,
    reading: bool,
    cost: int,
) -> None:
    state, began = scope["state"], time.monotonic()
    waited = state.get(_WAITED, 0.0)
    try:
        decision = await gate.charge(applied, cost, reading=reading, waited=waited)
    except LimitsUnavailable as error:
        await answer(scope, error)(scope, receive, send)
        return
    state[_WAITED] = waited + time.monotonic() - began
    if decision.refused:
        # Whoever asks a thousand times a second must not write as many lines.
        state[UNTOLD] = decision.repeated
        response = answer(scope, limits.refusal(decision))
        response.headers.update(limits.headers(decision.standings))
        response.headers["retry-after"] = str(decision.retry_seconds)
        await response(scope, receive, send)
        return
    await app(scope, receive, _telling(scope, send, decision.standings))


def _telling(scope: Scope, send: Send, standings: Sequence[Standing]) -> Send:
    told = limits.headers(standings)
    by_address = standings[0].limit.name == _ADDRESS

    async def tell(message: Message) -> None:
        # Whoever turned out to have a key is told of its limits, if it has any.
        if message["type"] == "http.response.start" and not (by_address and _has_key(scope)):
            MutableHeaders(scope=message).update(told)
        await send(message)

    return tell


def _has_key(scope: Scope) -> bool:
    return "caller" in scope["state"] or "operator" in scope["state"]
