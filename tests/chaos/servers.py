"""A PostgreSQL and a Valkey of the chaos suite alone, to be stopped, restarted and frozen."""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from service.embedded.postgres import SUPERUSER, PostgresServer
from service.embedded.process import ProcessSpec
from service.embedded.valkey import ValkeyServer

START_SECONDS = 120
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Servers:
    """Both run between `start` and `close`."""

    def __init__(self) -> None:
        # PostgreSQL may run as another user, who must be let in.
        self.folder = Path(tempfile.mkdtemp(prefix="codeloom-chaos-"))
        sockets = self.folder / "run"
        for made in (self.folder, sockets):
            made.mkdir(mode=0o711, exist_ok=True)
            made.chmod(0o711)
        self._postgres = PostgresServer(self.folder / "postgres", sockets / "pg")
        self._valkey = ValkeyServer(self.folder / "valkey", sockets)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def database_url(self) -> str:
        return self._postgres.url()

    @property
    def superuser_url(self) -> str:
        return self._postgres.url(SUPERUSER)

    @property
    def redis_url(self) -> str:
        return self._valkey.url()

    def start(self) -> None:
        self.start_valkey()
        asyncio.run(self._postgres.prepare())
        self._start(self._postgres.specification())
        asyncio.run(self._postgres.create_login())

    def start_valkey(self) -> None:
        self._start(self._valkey.specification())

    def restart_postgres(self, number: signal.Signals) -> None:
        """SIGINT ends all sessions and stops in order, SIGQUIT leaves it to recovery."""
        self._stop("postgres", number)
        asyncio.run(self._postgres.prepare())
        self._start(self._postgres.specification())

    def stop_valkey(self, number: signal.Signals) -> None:
        self._stop("valkey", number)

    def freeze_valkey(self, seconds: float) -> None:
        self._processes["valkey"].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._processes["valkey"].send_signal(signal.SIGCONT)

    def close(self) -> None:
        for name in list(self._processes):
            self._stop(name, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
        shutil.rmtree(self.folder)

    def _stop(self, name: str, number: signal.Signals) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        process.wait(START_SECONDS)

    def _start(self, specification: ProcessSpec) -> None:
        identity = specification.identity
        with (self.folder / f"{specification.name}.log").open("ab") as log:
            process = subprocess.Popen(
                list(specification.argv),
                cwd="/",
                env={**os.environ, **specification.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_us,  # noqa: PLW1509  it asks the kernel and ends
                **(identity.spawn_arguments() if identity else {}),
            )
        self._processes[specification.name] = process
        deadline = time.monotonic() + START_SECONDS
        while not asyncio.run(_ready(specification, process.pid)):
            assert process.poll() is None, f"{specification.name} ended"
            assert time.monotonic() < deadline, f"{specification.name} does not answer"
            time.sleep(0.05)


async def _ready(specification: ProcessSpec, pid: int) -> bool:
    return await specification.ready(pid)


def end_with_us() -> None:
    """Runs in a child before it becomes what it is to be: a test run that is killed leaves none."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
