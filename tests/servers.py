"""One real PostgreSQL and one real Valkey for a whole test run.

The first test process that needs them starts a keeper, `python -m tests.servers`, which outlives
that process (it may be any one of several xdist workers) and ends with the run: it waits for the
process that leads the run, then stops both servers and removes their files.
"""

import asyncio
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from service.embedded.postgres import SUPERUSER, PostgresServer
from service.embedded.supervisor import Supervisor
from service.embedded.valkey import ValkeyServer

START_SECONDS = 60
FAILED = "failed"


@dataclass(frozen=True)
class Servers:
    """Where the servers of this run listen."""

    superuser_url: str
    login_url: str  # holds `{database}` where the database's name belongs
    redis_url: str  # holds `{number}` where the database's number belongs


def of_run(leader: int) -> Servers:
    """The servers of the test run that process `leader` leads, started if they are not yet."""
    started = Path(f"/proc/{leader}/stat").read_text().rsplit(")", 1)[1].split()[19]
    folder = Path(tempfile.gettempdir()) / f"codeloom-tests-{os.geteuid()}-{leader}-{started}"
    folder.mkdir(mode=0o711, exist_ok=True)
    folder.chmod(0o711)
    if folder.stat().st_uid != os.geteuid():
        raise RuntimeError(f"{folder} belongs to someone else")
    described = folder / "servers.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not described.exists():
            _start_keeper(folder, leader, described)
    return Servers(**json.loads(described.read_text()))


def _start_keeper(folder: Path, leader: int, described: Path) -> None:
    with (folder / "keeper.log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-m", "tests.servers", str(folder), str(leader)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while not described.exists():
        if (folder / FAILED).exists() or time.monotonic() > deadline:
            raise RuntimeError((folder / "keeper.log").read_text())
        time.sleep(0.02)


async def keep(folder: Path, leader: int) -> None:
    """Run both servers in `folder` until the leader has ended."""
    descriptor = os.pidfd_open(leader)
    logs = folder / "logs"
    sockets = folder / "run"
    for made in (logs, sockets):
        made.mkdir(mode=0o711)
        made.chmod(0o711)
    postgres = PostgresServer(folder / "postgres", sockets / "pg", durable=False)
    valkey = ValkeyServer(folder / "valkey", sockets)
    await postgres.prepare()
    async with Supervisor(logs) as supervisor:
        await supervisor.start(postgres.specification(), valkey.specification())
        await postgres.create_login()
        servers = Servers(
            superuser_url=postgres.url(SUPERUSER, SUPERUSER),
            login_url=postgres.url(database="{database}"),
            redis_url=valkey.url().replace("db=0", "db={number}"),
        )
        partial = folder / "servers.json.partial"
        partial.write_text(json.dumps(asdict(servers)))
        partial.rename(folder / "servers.json")
        await asyncio.to_thread(select.select, [descriptor], [], [])
    shutil.rmtree(folder)


def main(folder: Path, leader: int) -> None:
    """Go on in a process that is nobody's child: tests count, and kill, the children they have."""
    if os.fork():
        return
    os.setsid()
    try:
        asyncio.run(keep(folder, leader))
    except BaseException:
        (folder / FAILED).touch()
        raise


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
