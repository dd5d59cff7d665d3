"""One connection, held to limits that uvicorn's HTTP/1.1 does not have.

uvicorn reads headers of any number and size, waits for them for ever, and answers what is not HTTP
in plain text. Here a head has a size and a time, and whatever is wrong with a request before it is
one becomes a request nonetheless: it goes through the application with the code of its refusal in
its state (`REFUSAL`), so that it is answered, named and logged like every other.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import httptools
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.bounds import LimitedConfig
from service.closing import Closing
from service.middleware import REFUSAL

# More than any client or chain of proxies sends; what counts is `Limits.head_bytes`.
_MAX_HEADERS = 128
# Requests sent before the first was answered. Hardly a client does that; each takes memory.
_MAX_WAITING = 16
# Connections above the limit that may wait for their refusal; more than those are cut off.
_SPARE_CONNECTIONS = 100


class _Phase(Enum):
    """What the next byte that arrives belongs to."""

    BETWEEN = auto()  # to nothing yet
    HEAD = auto()
    BODY = auto()


class _NoRequest(Exception):
    """What arrives is refused with this code."""


class LimitedConnection(HttpToolsProtocol):
    """A connection of a client."""

    def __init__(
        self,
        config: LimitedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        self._phase = _Phase.BETWEEN
        self._refused = False
        self._crowded = False
        self._reset_counts()
        # Ends the wait for a head, or for what is left of a request that was answered already.
        self._patience: asyncio.TimerHandle | None = None

    # --- the connection ------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; one too many is told so when it has asked."""
        seconds = self._limits.answer_seconds
        self._closing = Closing(transport, self.loop, unread=self._unread, seconds=seconds)
        super().connection_made(self._closing)
        excess = len(self.connections) - self._limits.connections
        if excess > _SPARE_CONNECTIONS:
            self._closing.abort()
        self._crowded = excess > 0
        self._wait(self._limits.head_seconds, self._head_is_late)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or we have closed."""
        self._wait_no_more()
        self._closing.lost()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        """Bytes arrived. Behind a refusal they are thrown away, until the client has read it."""
        if self._refused or self.transport.is_closing():
            return
        self._moved = False
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(str(cause) if isinstance(cause, _NoRequest) else "request_malformed")
            return
        # A line without an end never reaches us from the parser, which keeps it: so count it here.
        if not self._moved and self._phase is not _Phase.BETWEEN:
            self._unfinished += len(data)
            if self._unfinished > self._limits.head_bytes:
                in_url = self._phase is _Phase.HEAD and not self._headers
                self._refuse("url_too_long" if in_url else "headers_too_large")

    @override
    def shutdown(self) -> None:
        """The server stops: a request under way is answered, and a stream of events ends itself."""
        if self.cycle is not None:
            self.cycle.scope["state"]["stopping"] = True
        super().shutdown()

    @override
    def pause_writing(self) -> None:
        """The client does not take its answer as fast as it is made; it has some time to."""
        super().pause_writing()
        self._closing.watch()

    @override
    def resume_writing(self) -> None:
        """The client has taken most of what there was."""
        super().resume_writing()
        self._closing.watch_no_more()

    # --- what the parser finds -----------------------------------------------------------------

    @override
    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._unset_keepalive_if_required()
        self._phase = _Phase.HEAD
        self._reset_counts()
        if self._patience is None:
            self._wait(self._limits.head_seconds, self._head_is_late)

    @override
    def on_url(self, url: bytes) -> None:
        """A piece of its address."""
        self._moved = True
        self._head_bytes += len(url)
        if self._head_bytes * 2 > self._limits.head_bytes:
            raise _NoRequest("url_too_long")
        super().on_url(url)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of its head, or of the trailer of its body."""
        self._moved = True
        self._head_bytes += len(name) + len(value)
        self._headers += 1
        if self._head_bytes > self._limits.head_bytes or self._headers > _MAX_HEADERS:
            raise _NoRequest("headers_too_large")
        self._hosts += name.lower() == b"host"
        super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        """Its head is complete: the application takes over."""
        if self.parser.should_upgrade():
            return  # `_parse` reads it once more, as what it is without the wish
        self._check_head()
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._wait_no_more()

    @override
    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._moved = True
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        """It is complete."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._phase = _Phase.BETWEEN
        self._wait_no_more()

    @override
    def on_response_complete(self) -> None:
        """It was answered; what is left of it must come as fast as a head for the next one."""
        super().on_response_complete()
        unread = self._phase is _Phase.BODY and self.cycle.response_complete
        if unread and not self.transport.is_closing():
            self._wait(self._limits.head_seconds, self.transport.close)

    # --- refusals ------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as wish:
                if self.parser.get_method() == b"CONNECT":
                    raise httptools.HttpParserError("a tunnel") from None
                # We speak nothing but HTTP/1.1, and whoever wishes for more is free to go on in it.
                # The parser takes no body behind a wish, so that it would be read as a request.
                rest = memoryview(data)[wish.args[0] :]
                data = self._head_without_wish() + rest
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def _head_without_wish(self) -> bytes:
        version = self.parser.get_http_version().encode()
        line = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)
        kept = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"".join((line, *kept, b"\r\n"))

    def _check_head(self) -> None:
        version = self.parser.get_http_version()
        hosts = self._hosts == 1 or (version == "1.0" and not self._hosts)
        if version not in {"1.0", "1.1"} or not hosts or len(self.pipeline) >= _MAX_WAITING:
            raise _NoRequest("request_malformed")
        if self._crowded:
            raise _NoRequest("server_busy")

    def _refuse(self, code: str) -> None:
        """The request that arrives is answered with this code, in its turn; it is the last one."""
        self._refused = True
        self._wait_no_more()
        self._unset_keepalive_if_required()
        if self._phase is _Phase.BODY:
            self._refuse_body(code)
            return
        if self._phase is _Phase.BETWEEN:
            self.on_message_begin()
            self._wait_no_more()
        # What of it is known; the rest is what the application needs of any request.
        self.scope.setdefault("method", "")
        self.scope["path"] = ""
        self.scope["raw_path"] = self.scope["query_string"] = b""
        self.scope["state"][REFUSAL] = code
        before: RequestResponseCycle | None = self.cycle
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))

    def _refuse_body(self, code: str) -> None:
        """The application learns it where it waits for the body, if it does."""
        self.cycle.scope["state"][REFUSAL] = code
        self.cycle.keep_alive = False
        self.cycle.message_event.set()
        if self.cycle.response_complete:
            self.transport.close()

    def _head_is_late(self) -> None:
        self._patience = None
        if self._phase is _Phase.BETWEEN:
            self.transport.close()  # nothing was asked, so there is nothing to answer
        elif self.flow.read_paused:
            self._wait(self._limits.head_seconds, self._head_is_late)  # it is we who do not read
        else:
            self._refuse("request_timed_out")

    # --- waiting and counting ------------------------------------------------------------------

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._wait_no_more()
        self._patience = self.loop.call_later(seconds, then)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _reset_counts(self) -> None:
        self._moved = True
        self._unfinished = self._head_bytes = self._headers = self._hosts = 0

    def _unread(self) -> bool:
        """Whether the client may still be sending."""
        return self._phase is not _Phase.BETWEEN or self._refused
