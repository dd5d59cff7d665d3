"""The API as its own process on a port, as the stack and the container run it, met by sockets.

    python -m tests.service.serving

is `python -m service.server` with some routes more, under `/test`.
"""

import io
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from service.embedded import services

if TYPE_CHECKING:
    from fastapi import FastAPI

    from graph.settings import Settings

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60
# More than any answer takes; a test that waits for it has found something that hangs.
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        """The header of this name; that there are two is never right here."""
        found = [value for key, value in self.headers if key.lower() == name]
        assert len(found) <= 1, found
        return found[0] if found else None

    def problem(self) -> dict[str, Any]:
        """The body of an error, checked for its form."""
        assert self["content-type"] == "application/problem+json"
        body: dict[str, Any] = json.loads(self.body)
        assert body["status"] == self.status
        assert body["request_id"] == self["x-request-id"]
        assert body["action"]
        return body

    @property
    def code(self) -> str:
        return str(self.problem()["code"])


class _Read(io.BufferedReader):
    def close(self) -> None:
        """Answers close what they were read from; the next one is still to come."""


class Connection:
    """One connection of a client that may send what it likes."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_SECONDS)
        self._read = _Read(socket.SocketIO(self.socket, "r"))
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise

    def send(self, data: bytes) -> None:
        """Send, unless the server has closed already: what it said then is still to be read."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def answer(self, method: str = "GET") -> Answer:
        # It asks of a socket nothing but this, and would keep what is behind its answer.
        response = HTTPResponse(SimpleNamespace(makefile=lambda _: self._read), method=method)  # type: ignore[arg-type]
        response.begin()
        return Answer(response.status, response.getheaders(), response.read())

    def ends(self) -> bool:
        """Whether the server closes the connection without saying more."""
        try:
            return self._read.read(1) == b""
        except ConnectionResetError:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    def connect(self, receive_buffer: int | None = None) -> Connection:
        return Connection(self.port, receive_buffer)

    def ask(self, data: bytes, method: str = "GET") -> Answer:
        """The answer to these bytes on a connection of their own."""
        with self.connect() as connection:
            connection.send(data)
            return connection.answer(method)

    def get(self, path: str, *headers: str) -> Answer:
        return self.ask(request("GET", path, *headers))

    def log(self) -> str:
        return self.log_file.read_text()

    def kilobytes(self) -> int:
        """The memory that the process has in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])

    def stop(self) -> int:
        """Its exit code after a SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def healthy(self) -> bool:
        """Whether it answers, and has had no fault since it began."""
        alive = self.get("/healthz").status == 200
        return alive and not re.search(r"Traceback|http\.fault|Fatal error|Exception", self.log())


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: api.example.com", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextmanager
def serving(
    settings: "Settings", folder: Path, *, module: str = "service.server", **changes: Any
) -> Iterator[Server]:
    """A server with these settings runs for the time of the context; killed at its end."""
    port = changes.get("codeloom_port") or free_port()
    given = {
        "codeloom_host": "127.0.0.1",
        "codeloom_port": port,
        # Every test comes from the same address.
        "address_requests_per_minute": 1_000_000,
        **changes,
    }
    changed = settings.model_copy(update=given)
    log_file = folder / f"api-{port}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=services.environment(changed),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        server = Server(process, port, log_file)
        until_ready(server)
        yield server
    finally:
        process.kill()
        process.wait()


def until_ready(server: Server) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        with suppress(ConnectionRefusedError):
            assert server.get("/healthz").status == 200
            return
        assert server.process.poll() is None, server.log()
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make(settings: "Settings") -> "FastAPI":
    """The API with routes that do what no real one does for long enough to be watched."""
    import asyncio

    from fastapi import Request, Response
    from fastapi.responses import StreamingResponse

    from service.app import create_app

    app = create_app(settings)

    @app.get("/test/client")
    def client(request: Request) -> dict[str, str]:
        assert request.client is not None
        return {"host": request.client.host, "scheme": request.url.scheme}

    @app.get("/test/wait")
    async def wait(seconds: float) -> dict[str, float]:
        await asyncio.sleep(seconds)
        return {"seconds": seconds}

    @app.get("/test/block")
    def block(seconds: float) -> dict[str, float]:
        time.sleep(seconds)
        return {"seconds": seconds}

    @app.get("/test/large")
    def large(size: int) -> Response:
        return Response(b"x" * size)

    @app.get("/test/endless")
    async def endless() -> Response:
        async def ticks() -> Any:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.01)

        return StreamingResponse(ticks())

    @app.get("/test/fault")
    def fault() -> None:
        raise RuntimeError("hunter2")

    @app.post("/test/body")
    async def body(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    return app


if __name__ == "__main__":
    from graph.settings import get_settings
    from service.server import serve

    serve(get_settings(), make)
