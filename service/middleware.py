"""What every request passes through, as pure ASGI: an id, a size, a media type, an access log.

Starlette's BaseHTTPMiddleware would cost more than the routing itself (measured: 430 us a request),
and it buffers what these classes must see as it arrives.
"""

import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from service.problems import problem_response

log = structlog.get_logger(__name__)

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
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
        answered = _Answered(scope, send, request_id)
        started = time.perf_counter()
        try:
            await self.app(scope, receive, answered.send)
        except Exception:
            log.exception("http.fault", request_id=request_id, method=scope["method"])
            if answered.status:
                raise  # half an answer cannot be taken back: the server closes the connection
            await problem_response(scope, "internal_error")(scope, receive, answered.send)
        finally:
            route = scope.get("route")
            log.info(
                "http.request",
                request_id=request_id,
                method=scope["method"],
                # The template, not the path: paths hold names of the tenant's files.
                route=getattr(route, "path", None),
                status=answered.status,
                milliseconds=round((time.perf_counter() - started) * 1000, 2),
                tenant=scope["state"].get("tenant"),
                operator=_operator_of(scope),
            )


def _operator_of(scope: Scope) -> str | None:
    operator = scope["state"].get("operator")
    return str(operator.key_id) if operator is not None else None


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
    """Refuses bodies that are too large, counted as they arrive, or that are not JSON.

    A declared length is only a shortcut to an early answer: what counts is the bytes received, so
    a chunked body or a false declaration gains nothing.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body, or answer 413 or 415."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = _declared_length(headers)
        if declared > self.max_body_bytes:
            refusal = problem_response(scope, "body_too_large", headers={"connection": "close"})
            await refusal(scope, receive, send)
            return
        has_body = declared > 0 or "transfer-encoding" in headers
        if has_body and scope["method"] in _METHODS_WITH_BODY and not _is_json(headers):
            await problem_response(scope, "media_type_unsupported")(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body_bytes:
                raise HTTPException(413, headers={"connection": "close"})
            return message

        await self.app(scope, counted, send)


def _declared_length(headers: Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _is_json(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
