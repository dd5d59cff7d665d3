"""What is answered before a route is looked for: refused connections, HEAD, browsers elsewhere."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from service.middleware import REFUSAL
from service.problems import CATALOGUE, problem_response

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What a page may read of an answer besides its body.
_EXPOSED = ("ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id")
_PREFLIGHT_SECONDS = 600
_RETRY_SECONDS = "1"


class Refusals:
    """Answers what the connection would not take; see `service.connection`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if nothing was wrong with it."""
        code = scope["state"].get(REFUSAL) if scope["type"] == "http" else None
        if code is None:
            await self.app(scope, receive, send)
            return
        headers = {"connection": "close"}
        if CATALOGUE[code].status == 503:  # noqa: PLR2004
            headers["retry-after"] = _RETRY_SECONDS
        await problem_response(scope, code, headers=headers)(scope, receive, send)


class Heads:
    """HEAD is answered as GET would be, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as one that a route knows."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        answered = False

        async def head_of(message: Message) -> None:
            nonlocal answered
            if answered:
                return
            await send(message)
            if message["type"] == "http.response.start":
                answered = True
                # Also where the answer would be a stream: it learns that nobody listens.
                await send({"type": "http.response.body", "body": b""})

        # A copy: the server has to know that it was HEAD, or it misses the body.
        read = {**scope, "method": "GET"}
        try:
            await self.app(read, receive, head_of)
        finally:
            scope["route"] = read.get("route")


class Cors(CORSMiddleware):
    """Lets pages of certain origins use the API; they bring a key, for cookies mean nothing here.

    What comes from any other origin is passed on as if there were no such thing as CORS: a browser
    then shows nothing of the answer to the page.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            # Any: which headers mean something is the business of the routes.
            allow_headers=("*",),
            expose_headers=_EXPOSED,
            max_age=_PREFLIGHT_SECONDS,
        )

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add what a browser asks for, or answer its preflight."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        wanted = headers.get("access-control-request-method", "GET")
        if headers.get("origin") in self.allow_origins and wanted in _METHODS:
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)
