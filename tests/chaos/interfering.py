"""A Celery process in which faults happen on demand: `python -m tests.chaos.interfering worker ...`

A fault is a file in CHAOS_FOLDER: the first process that comes to its place takes the file away,
and the fault happens to that one. Stages last a little longer than they would, so that something
can happen in them. With CHAOS_UNFENCED, what keeps a worker from publishing that has lost its job
is gone; with CHAOS_UNANNOUNCED, nothing is written down before it is stored.
"""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from graph.errors import StorageError
from graph.storage import artifacts, copying, pending, uploads
from graph.storage import publish as publishing
from graph.storage.jobs import holding
from tests.chaos.processes import command, descendants, send
from workers import lease, scratch, shard, storing
from workers.celery_app import app
from workers.git.command import GitProcess
from workers.pipeline import Ingestion
from workers.stages import publish

FOLDER = Path(os.environ.get("CHAOS_FOLDER", ""))
SUPERUSER_URL = os.environ.get("CHAOS_SUPERUSER_URL", "")
POISON = "poison"
PAUSE_SECONDS = 0.1
SLOW_SECONDS = 2.0

_here = threading.local()


def taken(name: str) -> bool:
    """Whether the fault is asked for, and is ours."""
    try:
        (FOLDER / name).unlink()
    except FileNotFoundError:
        return False
    return True


def hang_up(connection: psycopg.Connection[Any]) -> None:
    """The server ends the session, as an operator might."""
    with psycopg.connect(SUPERUSER_URL, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])


def at_stages() -> None:
    reach = Ingestion.reach

    def reached(self: Ingestion, failpoint: str) -> None:
        reach(self, failpoint)
        poisoned = self.job.repository.name == POISON and failpoint == "parse"
        if poisoned or taken(f"die {failpoint}"):
            os.kill(os.getpid(), signal.SIGKILL)
        if taken(f"full {failpoint}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        if taken(f"hold {failpoint}"):
            held = FOLDER / f"held {failpoint}"
            held.write_text(str(os.getpid()))
            while held.exists():
                time.sleep(0.02)
        time.sleep(PAUSE_SECONDS)

    Ingestion.reach = reached  # type: ignore[method-assign]
    reach_in_shard = shard.reach

    def reached_in_shard(*given: Any) -> None:
        reach_in_shard(*given)
        if taken(f"die {given[0]}"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)

    shard.reach = reached_in_shard
    folder = scratch.folder

    @contextmanager
    def full(root: Path, name: str) -> Iterator[Path]:
        with folder(root, name) as path:
            if taken("full disk"):
                (path / "half").write_text("half a file")
                raise OSError(errno.ENOSPC, "No space left on device")
            yield path

    scratch.folder = full


def in_the_database() -> None:
    send = copying._send

    def cut(conn: Any, target: Any, repository: Any, rows: Any) -> Any:
        def some() -> Iterator[tuple[Any, ...]]:
            for number, row in enumerate(rows):
                if number == 1 and taken("copy"):
                    hang_up(conn.connection.driver_connection)
                yield row

        return send(conn, target, repository, some())

    copying._send = cut
    publish_it = publish.publish

    def published(*given: Any, **named: Any) -> Any:
        _here.publishes = True
        try:
            return publish_it(*given, **named)
        finally:
            _here.publishes = False

    publish.publish = published
    commit = psycopg.Connection.commit

    def committed(self: psycopg.Connection[Any]) -> None:
        which = "publishing" if getattr(_here, "publishes", False) else "any"
        if taken(f"before {which} commit"):
            hang_up(self)
        commit(self)
        if taken(f"after {which} commit"):
            hang_up(self)
            raise psycopg.OperationalError("the connection is lost")

    psycopg.Connection.commit = committed  # type: ignore[method-assign]


def in_the_store() -> None:
    keep, get, begin = uploads.FileUpload.keep, artifacts.FileStore.get, artifacts.FileStore.begin

    def kept(self: uploads.FileUpload, key: str, *, replace: bool = True) -> bool:
        if taken("store is slow"):
            time.sleep(SLOW_SECONDS)
        if taken("store keeps nothing"):
            raise StorageError("The object store did not answer.")
        done = keep(self, key, replace=replace)
        if taken("store forgets to answer"):
            raise StorageError("The object store did not answer.")
        return done

    def got(self: artifacts.FileStore, key: str) -> Iterator[bytes]:
        if taken("store gives nothing"):
            raise StorageError("The object store did not answer.")
        return get(self, key)

    def begun(self: artifacts.FileStore) -> artifacts.Upload:
        if taken("store takes nothing"):
            raise StorageError("The object store did not answer.")
        return begin(self)

    uploads.FileUpload.keep = kept  # type: ignore[method-assign]
    artifacts.FileStore.get = got  # type: ignore[method-assign]
    artifacts.FileStore.begin = begun  # type: ignore[method-assign]


def in_git() -> None:
    begin = GitProcess.__init__

    def begun(self: GitProcess, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        if named.get("network") is not None:
            for name in ("git", "git's helper"):
                if taken(f"{name} dies fetching"):
                    threading.Thread(target=_kill_fetching, args=(self, name != "git")).start()

    GitProcess.__init__ = begun  # type: ignore[method-assign]


def _kill_fetching(git: GitProcess, helper: bool) -> None:
    """Kill git, or what speaks https for it, as soon as that does."""
    leader = git._process.pid
    while git._process.returncode is None:
        speaking = [pid for pid in descendants(leader) if command(pid).startswith("git-remote")]
        if speaking:
            send(speaking[-1] if helper else leader, signal.SIGKILL)
            return
        time.sleep(0.01)


def without_fence() -> None:
    """A job is whoever's that once had it."""
    fence = "and epoch = :epoch and state = 'running'"
    for module, name in (
        (publishing, "_OURS"),
        (holding, "_END"),
        (holding, "_PROGRESS"),
        (pending, "_ANNOUNCE"),
    ):
        fenced = getattr(module, name)
        assert fence in fenced.text
        fenced.text = fenced.text.replace(fence, "and cast(:epoch as integer) is not null")
    lease.Lease._judge = lambda *_: None  # type: ignore[method-assign,assignment]
    lease.Lease._endure = lambda *_: None  # type: ignore[method-assign,assignment]
    lease.Lease._keep_lock = lambda *_: None  # type: ignore[method-assign,assignment]
    lease.SessionLock = Unlocked  # type: ignore[misc]


def without_announcing() -> None:
    """Nobody writes down what is about to be stored."""
    storing.Stored.announce = lambda *_: None  # type: ignore[method-assign]


class Unlocked(lease.SessionLock):
    """A lock that everybody gets."""

    def acquire(self) -> bool:
        return True


if __name__ == "__main__":
    at_stages()
    in_the_database()
    in_the_store()
    in_git()
    if os.environ.get("CHAOS_UNFENCED"):
        without_fence()
    if os.environ.get("CHAOS_UNANNOUNCED"):
        without_announcing()
    sys.exit(app.start(sys.argv[1:]))
