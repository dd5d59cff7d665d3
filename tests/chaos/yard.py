"""The whole stack with two of what may be two, on servers of its own, for many schedules."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

import psycopg
import redis

from graph.model.ids import JobId, TenantId
from graph.model.jobs import JobState
from graph.model.names import shared_lock
from graph.settings import Settings
from graph.storage import engine, jobs, keys, locks, migrate, repositories, tenants
from graph.storage.engine import SCHEMA
from graph.storage.jobs import Job
from graph.storage.repositories import Repository
from graph.storage.session import system_session, tenant_session
from tests.chaos.processes import children, command, descendants
from tests.chaos.servers import Servers, end_with_us
from tests.service.serving import free_port
from tests.workers import githost
from tests.workers.digest import Rows, graph
from tests.workers.gitrepo import Repo
from tests.workers.stand import ROOT
from workers import facade
from workers.git.remotes import LocalRemote

WORKERS = ("worker1", "worker2")
DISPATCHERS = ("dispatcher1", "dispatcher2")
BEATS = ("beat1", "beat2")
ALL = ("api", *DISPATCHERS, *WORKERS, *BEATS)
START_SECONDS = 90.0
# What a repository is like, one commit after the other; each has documents that others lack.
VERSIONS = tuple(
    {
        "a/__init__.py": "from a.one import One\n",
        "a/one.py": "from a.two import two\n\nclass One:\n    def go(self):\n"
        f"        return two() + {number}\n",
        "a/two.py": "def two() -> int:\n    return 2\n",
        f"a/more{number}.py": "from a.one import One\n\n"
        + "\n".join(f"def more{number}_{each}():\n    return One().go()\n" for each in range(60)),
    }
    for number in range(3)
)
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Place:
    """One repository of a tenant, as `digest.graph` wants to know it."""

    settings: Settings
    tenant_id: TenantId
    secret: str
    repository: Repository
    repo: Repo

    def job(self, job_id: Any) -> Job:
        with tenant_session(self.tenant_id, settings=self.settings) as conn:
            return jobs.get(conn, job_id=job_id)

    def graph(self) -> dict[str, Rows]:
        return graph(self)  # type: ignore[arg-type]  # all that it asks of a stand is here

    def ask(self) -> JobId:
        """A request of ours, past the API."""
        with tenant_session(self.tenant_id, settings=self.settings) as conn:
            return facade.request_ingestion(conn, repository_id=self.repository.id).id

    def ended(self) -> Job:
        """A request of ours, when it has ended."""
        job_id = self.ask()
        deadline = time.monotonic() + START_SECONDS
        while (job := self.job(job_id)).finished_at is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return job


class Yard:
    """Processes by name. `whole` starts those that are missing."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.faults = folder / "faults"
        self.logs = folder / "logs"
        for made in (self.faults, self.logs):
            made.mkdir(parents=True)
        self.servers = Servers()
        self.extra = environment
        self.dispatcher = "workers.dispatcher"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.settings = Settings(
            database_url=self.servers.database_url,
            redis_url=self.servers.redis_url,
            artifacts_url=f"file://{folder / 'artifacts'}",
            codeloom_home=folder / "home",
            codeloom_port=free_port(),
            allow_local_repositories=True,
            git_ca_file=githost.make_certificate(folder),
            address_requests_per_minute=1_000_000,
            parse_processes=1,
            lease_seconds=4,
            heartbeat_seconds=1,
            dispatch_lease_seconds=4,
            # A later commit is large if all of it is parsed; one after the other, they are not.
            wide_parse_bytes=4000,
            wide_shard_bytes=2000,
        )
        self.places = 0
        # Serves the repositories over the network.
        self.host: githost.Host
        self.open = contextlib.ExitStack()
        # Whether it may be used again.
        self.sound = False
        self.clean: list[dict[str, Rows]] = []

    def __enter__(self) -> Self:
        # What loses its parent becomes ours, so that nothing gets away unseen.
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.before = set(children(os.getpid()))
        try:
            self.servers.start()
            self.host = self.open.enter_context(
                githost.serving(self.folder / "repositories", self.folder / "host.pem")
            )
            # So that something can happen while a pack is on its way.
            self.host.part_bytes, self.host.pause_seconds = 1000, 0.05
            migrate.upgrade(self.settings)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in list(self.processes):
            self.kill(name)
        engine.dispose(self.settings)
        self.servers.close()
        self.open.close()
        for pid in self.adopted():
            os.kill(pid, signal.SIGKILL)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def place(self, name: str = "repo", versions: int = 1, *, remote: bool = False) -> Place:
        """A new tenant with one repository; a remote one is fetched over the network."""
        self.places += 1
        repo = Repo(self.folder / "repositories" / f"place{self.places}")
        for version in VERSIONS[:versions]:
            repo.commit(version)
        with system_session("administration", settings=self.settings) as conn:
            tenant_id = tenants.create(conn, name=f"t{self.places}").id
        with tenant_session(tenant_id, settings=self.settings) as conn:
            url = (
                f"{self.host.url}/place{self.places}/.git" if remote else LocalRemote(repo.path).url
            )
            repository = repositories.register(conn, url=url, name=name)
            _, secret = keys.create(conn, tenant_id=tenant_id, scopes=["admin"])
        return Place(self.settings, tenant_id, secret, repository, repo)

    def learn(self) -> None:
        """What each version is like when nothing happens, and a bystander who has all of them."""
        self.bystander = self.place()
        for version in VERSIONS:
            self.bystander.repo.commit(version)
            job = self.bystander.ended()
            assert job.state is JobState.SUCCEEDED, job
            self.clean.append(self.bystander.graph())

    def whole(self) -> None:
        """Everything runs that should, and somebody leads."""
        for name in ALL:
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                self.start(name)
        self.until(lambda: facade.dispatcher_ready(self.settings), "a dispatcher leads")

    def start(self, name: str) -> None:
        celery = ["-m", "tests.chaos.interfering", "-q"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        arguments = {
            "api": ["-m", "service.server"],
            **{each: [*celery, "beat", "--pidfile="] for each in BEATS},
            **{each: ["-m", self.dispatcher] for each in DISPATCHERS},
            **{each: [*celery, "worker", "-c", "1", *quiet, "-n", f"{each}@t"] for each in WORKERS},
        }[name]
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_us,  # noqa: PLW1509  it asks the kernel and ends
            )

    def environment(self) -> dict[str, str]:
        given = {
            name.upper(): str(getattr(self.settings, name))
            for name in self.settings.model_fields_set
        }
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.settings.codeloom_home),
            "PYTHONUNBUFFERED": "1",
            "CHAOS_FOLDER": str(self.faults),
            "CHAOS_SUPERUSER_URL": self.servers.superuser_url,
            **given,
            **self.extra,
        }

    def kill(self, name: str) -> None:
        """End a process and its group at once."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_of_two(self, random: Random, pair: tuple[str, str]) -> str:
        """Either one or both; returns which."""
        names = random.choice((pair[:1], pair[1:], pair))
        for name in names:
            self.kill(name)
        return " ".join(names)

    def kill_main(self, name: str) -> None:
        """End a process and none of those below it."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def below(self, *names: str) -> list[int]:
        found = [self.processes[name].pid for name in names if name in self.processes]
        return [each for pid in found for each in descendants(pid)]

    def adopted(self) -> list[int]:
        """Processes that lost their parent and live; those that ended are let go."""
        ours = {process.pid for process in self.processes.values()}
        lost = []
        for pid in set(children(os.getpid())) - self.before - ours:
            if command(pid) in {"postgres", "valkey-server"}:
                continue
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    lost.append(pid)
        return lost

    def lock_holders(self) -> int:
        """How many of the locks that one process holds for long are held."""
        names = [shared_lock("dispatcher"), shared_lock("beat")]
        return sum(locks.is_held(self.settings, name) for name in names)

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows for somebody whom no fence stops; none for a statement without any."""
        with psycopg.connect(
            self.servers.superuser_url, autocommit=True, options=f"-c search_path={SCHEMA}"
        ) as conn:
            cursor = conn.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def told(self) -> str:
        """The ends of all logs."""
        parts = (f"--- {log.name}\n{log.read_text()[-5000:]}" for log in self.logs.iterdir())
        return "\n".join(sorted(parts))

    def redis(self) -> "redis.Redis":
        return redis.Redis.from_url(self.servers.redis_url)

    def until(self, true: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            time.sleep(0.05)
