"""The sending side of a connection: a client gets its answer whole, unless it does not take it.

A socket that is closed while bytes lie unread in it resets the connection, and the client loses an
answer that it had not read yet: just the one that says what was wrong with those bytes. So we stop
to write, read on for a moment, and close then (RFC 9112, 9.6).
"""

import asyncio
import socket
import struct
from collections.abc import Callable

from typing_extensions import override

# In which a client notices that it was answered, stops to send and closes.
_LINGER_SECONDS = 2.0
# To linger, but for no time: what was not taken until now is dropped.
_RESET = struct.pack("ii", 1, 0)


class Closing(asyncio.Transport):
    """A transport that closes in this way, and that loses patience with a client."""

    def __init__(
        self,
        inner: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        unread: Callable[[], bool],
        seconds: float,
    ) -> None:
        """`unread` says whether the client may still be sending.

        `seconds` is the time in which it takes at least something of what waits for it.
        """
        super().__init__()
        self._inner = inner
        self._loop = loop
        self._unread = unread
        self._seconds = seconds
        self._closing = False
        self._waiting = 0
        self._patience: asyncio.TimerHandle | None = None

    @override
    def close(self) -> None:
        """Close when everything is written and, if there is more to read, was read for a moment."""
        if self.is_closing():
            return
        self._closing = True
        if self._unread() and self._inner.can_write_eof():
            self._inner.write_eof()
            if not self._inner.is_reading():
                self._inner.resume_reading()
            self._wait(_LINGER_SECONDS)
        else:
            self._inner.close()
            self._wait(self._seconds)

    def watch(self) -> None:
        """More waits for the client than it should: it has some time to take some of it."""
        self._wait(self._seconds)

    def watch_no_more(self) -> None:
        """It has taken most of it."""
        if not self._closing:
            self.lost()

    @override
    def abort(self) -> None:
        """Reset the connection: nothing of it is left, also not in the kernel."""
        self._closing = True
        of_client = self._inner.get_extra_info("socket")
        of_client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._inner.abort()

    def lost(self) -> None:
        """The connection is closed; its socket may be another's by now."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    @override
    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._closing or self._inner.is_closing()

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, unless nothing can be sent any more."""
        if not self.is_closing():
            self._inner.write(data)

    @override
    def pause_reading(self) -> None:
        """Let the client wait."""
        if not self.is_closing():
            self._inner.pause_reading()

    @override
    def resume_reading(self) -> None:
        """Let the client send on."""
        if not self.is_closing():
            self._inner.resume_reading()

    @override
    def get_extra_info(self, name: str, default: object = None) -> object:
        """What the socket says of itself."""
        return self._inner.get_extra_info(name, default)

    def _wait(self, seconds: float) -> None:
        self.lost()
        self._waiting = self._inner.get_write_buffer_size()
        self._patience = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        waiting = self._inner.get_write_buffer_size()
        if 0 < waiting < self._waiting:
            self._wait(self._seconds)
        elif waiting:
            self.abort()
        elif self._closing:
            self._inner.abort()  # it has everything, and was given a moment to close by itself
