"""Who is asking: an API key becomes a caller, or the request ends with 401.

Everything under `/v1` is closed unless a valid key is sent, before routing and before a body is
read: a route that forgets to ask for a caller is still closed, and a stranger cannot tell which
routes exist. What is under `/v1/admin` and `/v1/health`, and `/metrics`, opens to keys of operators
alone, and they open nothing else: a caller of either kind has a type of its own, and a place of its
own in the request's state.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import Generic, TypeVar

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from graph import telemetry
from graph.errors import ApiKeyInvalid, CodeloomError, OperatorKeyRequired, TenantKeyRequired
from graph.model import key_form
from graph.storage.keys import Caller
from graph.storage.operator_keys import Operator
from service.errors import answer
from service.problems import problem_response

# A revoked key is refused everywhere at the latest this long after its revocation.
REMEMBERED_SECONDS = 15.0
_REMEMBERED_KEYS = 10_000
_METRICS = "/metrics"
_CLOSED = ("/v1", _METRICS)
_OPERATED = ("/v1/admin", "/v1/health", _METRICS)

Who = TypeVar("Who", bound=Caller | Operator)


class Authenticator(Generic[Who]):
    """Finds the caller of a key, and remembers it for a few seconds.

    Remembering saves a round trip to the database on nearly every request. Only digests are kept,
    and only of keys that were valid: guessing finds nothing to compare with. A key that ends in
    these seconds ends then; one that is revoked in them is refused after them.
    """

    def __init__(
        self,
        lookup: Callable[[str], Who | None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        prefix: str = key_form.TENANT_KEY,
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._now = now
        self._prefix = prefix
        self._known: OrderedDict[bytes, tuple[Who, float]] = OrderedDict()
        self._lock = Lock()

    async def caller(self, secret: str) -> Who:
        """The caller of a key.

        Raises ApiKeyInvalid, TenantSuspended, or StorageError when the database is away.
        """
        if not key_form.well_formed(secret, self._prefix):
            raise ApiKeyInvalid  # costs neither a thread nor a look-up
        digest = _digest(secret)
        known = self._remembered(digest)
        if known is not None:
            return known
        caller = await to_thread.run_sync(self._lookup, secret)
        if caller is None:
            raise ApiKeyInvalid
        self._remember(digest, caller)
        return caller

    def remembers(self, secret: str) -> bool:
        """Whether this key was valid a moment ago, so that finding its caller costs nothing."""
        if not key_form.well_formed(secret, self._prefix):
            return False
        return self._remembered(_digest(secret)) is not None

    def _remembered(self, digest: bytes) -> Who | None:
        with self._lock:
            caller, until = self._known.get(digest, (None, 0.0))
        if caller is None or until <= self._clock():
            return None
        # Where the clock of this host is ahead, the database is asked and says that it is valid.
        ended = caller.expires_at is not None and caller.expires_at <= self._now()
        return None if ended else caller

    def _remember(self, digest: bytes, caller: Who) -> None:
        with self._lock:
            self._known[digest] = (caller, self._clock() + REMEMBERED_SECONDS)
            self._known.move_to_end(digest)
            if len(self._known) > _REMEMBERED_KEYS:
                self._known.popitem(last=False)


class Authentication:
    """Lets a request to `/v1` pass only with a caller, which it puts into the request's state."""

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator[Caller],
        operators: Authenticator[Operator],
    ) -> None:
        self.app = app
        self.authenticator = authenticator
        self.operators = operators

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its caller, or answer 401, 403 or 503."""
        if scope["type"] != "http" or not _is_below(scope, _CLOSED):
            await self.app(scope, receive, send)
            return
        secret = presented(Headers(scope=scope))
        if not secret:
            challenge = {"www-authenticate": 'Bearer realm="codeloom"'}
            refusal = problem_response(scope, "api_key_missing", headers=challenge)
            await refusal(scope, receive, send)
            return
        try:
            scope["state"].update(await self._identify(scope, secret))
        except CodeloomError as error:
            await answer(scope, error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _identify(self, scope: Scope, secret: str) -> dict[str, object]:
        """What the state is to say of whoever asks.

        A key has to be valid first: only then is it told that it is one of the wrong kind.
        """
        operated = _is_below(scope, _OPERATED)
        if secret.startswith(key_form.OPERATOR_KEY):
            operator = await self.operators.caller(secret)
            telemetry.identify(operator_id=operator.key_id)
            if not operated:
                raise TenantKeyRequired
            return {"operator": operator}
        caller = await self.authenticator.caller(secret)
        telemetry.identify(tenant_id=caller.tenant_id)
        if operated:
            raise OperatorKeyRequired
        return {"caller": caller}


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _is_below(scope: Scope, places: tuple[str, ...]) -> bool:
    path = scope.get("path", "")
    return any(path == place or path.startswith(place + "/") for place in places)


def presented(headers: Headers) -> str:
    """The key a request carries, or an empty string.

    `X-API-Key` counts when there is no bearer token: a proxy may use `Authorization` for itself.
    """
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key", "").strip()
