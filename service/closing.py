"""The end of a connection: the client can read the last answer, but not put it off for ever.

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
# In which it takes the rest of an answer that has been written.
_FLUSH_SECONDS = 30.0
# To linger, but for no time: what was not taken until now is dropped.
_RESET = struct.pack("ii", 1, 0)


class Closing(asyncio.Transport):
    """A transport that closes in this way."""

    def __init__(
        self,
        inner: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        unread: Callable[[], bool],
    ) -> None:
        """`unread` says whether the client may still be sending."""
        super().__init__()
        self._inner = inner
        self._loop = loop
        self._unread = unread
        self._closing = False
        self._last_patience: asyncio.TimerHandle | None = None

    @override
    def close(self) -> None:
        """Close when everything is written and, if there is more to read, was read for a moment."""
        if self.is_closing():
            return
        self._closing = True
        flushed = self._inner.get_write_buffer_size() == 0
        if self._unread() and self._inner.can_write_eof():
            self._inner.write_eof()
            if not self._inner.is_reading():
                self._inner.resume_reading()
            seconds = _LINGER_SECONDS if flushed else _FLUSH_SECONDS
            self._last_patience = self._loop.call_later(seconds, self._inner.abort)
            return
        self._inner.close()
        if not flushed:
            self._last_patience = self._loop.call_later(_FLUSH_SECONDS, self.abort)

    @override
    def abort(self) -> None:
        """Reset the connection: nothing of it is left, also not in the kernel."""
        self._closing = True
        of_client = self._inner.get_extra_info("socket")
        of_client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._inner.abort()

    def lost(self) -> None:
        """The connection is closed; its socket may be another's by now."""
        if self._last_patience is not None:
            self._last_patience.cancel()

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
