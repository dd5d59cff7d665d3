"""What every request passes through, as pure ASGI: an id, a size, a media type, an access log.

Starlette's BaseHTTPMiddleware would cost more than the routing itself (measured: 430 us a request),
and it buffers what these classes must see as it arrives.
"""

import asyncio
import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from graph import telemetry
from service.problems import problem_response

log = structlog.get_logger(__name__)

# Where a request's state has the code that it is refused with, when it could not be read.
REFUSAL = "refusal"
# Where it says that the log is to have no line of it, because one like it has.
UNTOLD = "untold"

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_CLOSE = {"connection": "close"}
_SECURITY_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    # Answers depend on the key that asked; whoever may be cached says so with its own header.
    ("cache-control", "no-store"),
)


def request_id_of(scope: Scope) -> str:
    """The id that `RequestContext` gave this request."""
    return str(scope["state"]["request_id"])


class RequestContext:
    """Outermost: names the request, adds the headers every answer has, logs it, and answers 500.

    It stands outside of everything so that an error in any other layer still leaves as a problem
    with a request id, and never as a stack trace or a dropped connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other ASGI events pass through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        offered = Headers(scope=scope).get("x-request-id", "")
        request_id = offered if _ACCEPTED_ID.fullmatch(offered) else uuid7().hex
        scope.setdefault("state", {})["request_id"] = request_id
        # Whom it is for is added as soon as that is known: see `service.auth`.
        telemetry.begin(request_id=request_id)
        answered = _Answered(scope, send, request_id)
        started = time.perf_counter()
        try:
            await self.app(scope, receive, answered.send)
        except ClientDisconnect:
            log.info("http.abandoned", method=scope["method"])
        except Exception:
            log.exception("http.fault", method=scope["method"])
            if answered.status:
                raise  # half an answer cannot be taken back: the server closes the connection
            await problem_response(scope, "internal_error")(scope, receive, answered.send)
        except asyncio.CancelledError:
            # The server stops and has waited for long enough. Nothing is behind us that had to
            # know, and an answer that has begun ends where it is.
            if not answered.status:
                stopping = problem_response(scope, "server_stopping", headers={"retry-after": "1"})
                await stopping(scope, receive, answered.send)
        finally:
            if not scope["state"].get(UNTOLD):
                _tell(scope, answered.status, time.perf_counter() - started)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    log.info(
        "http.request",
        method=scope["method"],
        # The template, not the path: paths hold names of the tenant's files.
        route=getattr(scope.get("route"), "path", None),
        status=status,
        milliseconds=round(seconds * 1000, 2),
    )


class _Answered:
    """Sends on, remembers the status, and adds the headers that every answer carries."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._secure = scope.get("scheme") == "https"
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._request_id
            for name, value in _SECURITY_HEADERS:
                headers.setdefault(name, value)
            if self._secure:
                headers.setdefault("strict-transport-security", "max-age=31536000")
        await self._send(message)


class BodyGuard:
    """Refuses bodies that are too large, too slow, not JSON or not even HTTP.

    A declared length is only a shortcut to an early answer: what counts is the bytes received, so
    a chunked body or a false declaration gains nothing. The time is that of the whole body: a byte
    now and then does not prolong it.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, seconds: float) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a guarded body, or answer 413 or 415."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = _declared_length(headers)
        if declared > self.max_body_bytes:
            refusal = problem_response(scope, "body_too_large", headers=_CLOSE)
            await refusal(scope, receive, send)
            return
        has_body = declared > 0 or "transfer-encoding" in headers
        if has_body and scope["method"] in METHODS_WITH_BODY and not is_json(headers):
            await problem_response(scope, "media_type_unsupported")(scope, receive, send)
            return
        body = _Body(scope, receive, self.max_body_bytes, self.seconds)
        await self.app(scope, body.receive, send)


class _Body:
    """The body of one request, as it arrives."""

    def __init__(self, scope: Scope, receive: Receive, max_bytes: int, seconds: float) -> None:
        self._scope = scope
        self._receive = receive
        self._bytes_left = max_bytes
        self._seconds = seconds
        self._deadline = 0.0  # counts from the first time that somebody waits for it
        self._complete = False

    async def receive(self) -> Message:
        """The next piece. Raises what is answered when there can be none."""
        if self._complete:
            return await self._receive()  # which is the end of the connection
        self._deadline = self._deadline or asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers=_CLOSE) from None
        refusal = self._scope["state"].get(REFUSAL)
        if refusal is not None:
            raise HTTPException(400, detail=refusal, headers=_CLOSE)
        self._bytes_left -= len(message.get("body", b""))
        if self._bytes_left < 0:
            raise HTTPException(413, headers=_CLOSE)
        self._complete = not message.get("more_body", False)
        return message


def _declared_length(headers: Headers) -> int:
    # More digits than any length has would take long to read.
    text = headers.get("content-length", "")[:20]
    return int(text) if text.isascii() and text.isdigit() else 0


def is_json(headers: Headers) -> bool:
    """Whether the body is declared to be JSON, or something that is JSON by its suffix."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
