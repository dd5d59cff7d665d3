"""A seeded schedule: requests and faults in an order that the seed alone decides."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from graph.model.ids import JobId
from graph.model.jobs import ENDED, JobState
from graph.storage import repositories
from graph.storage.session import tenant_session
from tests.chaos.invariants import violations
from tests.workers.digest import graph
from tests.workers.stand import Stand
from tests.workers.test_recovery import send
from workers import facade
from workers.git.remotes import LocalRemote

FILES = {
    "a/__init__.py": "from a.one import One\n",
    "a/one.py": "from a.two import two\n\nclass One:\n    def go(self):\n        return two()\n",
    "a/two.py": "def two() -> int:\n    return 2\n",
}
STAGES = ("checkout", "inventory", "parse", "resolve", "load", "publish", "published")
QUIET_SECONDS = 100.0


class Schedule:
    """One run: `play`, then `settle`, then `broken` tells what should not be."""

    def __init__(self, stand: Stand, seed: int) -> None:
        self.stand = stand
        self.random = random.Random(seed)
        self.told: list[str] = []
        self.jobs: list[JobId] = []
        self.workers = 0
        self.faults: dict[str, Callable[[], None]] = {
            "kill the dispatcher": self.kill_dispatcher,
            "kill the worker": self.kill_worker,
            "kill a process below the worker": self.kill_below,
            "freeze a child beyond its lease": self.freeze,
            "empty the broker": self.empty_broker,
            "end database sessions": self.end_sessions,
            "stale messages": self.stale_messages,
            "die at a stage": self.die_at_a_stage,
        }

    def play(self) -> None:
        self.stand.repo.commit(FILES)
        self.stand.start_dispatcher()
        self.new_worker()
        for _ in range(self.random.randint(2, 4)):
            self.ask()
            time.sleep(self.random.uniform(0, 1.5))
            name = self.random.choice(sorted(self.faults))
            self.told.append(name)
            self.faults[name]()

    def ask(self) -> None:
        ref = self.random.choice((None, "main", "refs/heads/main"))
        job_id = self.stand.request(ref, force=self.random.random() < 0.5)
        self.jobs.append(job_id)
        self.told.append(f"request {ref}")
        if self.random.random() < 0.2:
            self.told.append("cancel it")
            self.stand.cancel(job_id)

    def new_worker(self, **extra: str) -> None:
        self.workers += 1
        self.stand.start_worker(f"worker{self.workers}", **extra)

    def worker(self) -> str:
        return f"worker{self.workers}"

    def kill_dispatcher(self) -> None:
        self.stand.kill("dispatcher")
        self.stand.start_dispatcher()

    def kill_worker(self) -> None:
        self.stand.kill(self.worker())
        self.new_worker()

    def die_at_a_stage(self) -> None:
        stage = self.random.choice(STAGES)
        self.told.append(stage)
        self.stand.kill(self.worker())
        self.new_worker(CODELOOM_FAILPOINT=f"{stage}:kill")
        self.ask()
        time.sleep(2)
        self.kill_worker()

    def kill_below(self) -> None:
        below = descendants(self.stand.processes[self.worker()].pid)
        if below:
            end(self.random.choice(below), signal.SIGKILL)

    def freeze(self) -> None:
        below = descendants(self.stand.processes[self.worker()].pid)
        for pid in below:
            end(pid, signal.SIGSTOP)
        time.sleep(self.stand.settings.lease_seconds + 1)
        for pid in below:
            end(pid, signal.SIGCONT)

    def empty_broker(self) -> None:
        self.stand.redis().flushdb()

    def end_sessions(self) -> None:
        url = str(self.stand.settings.database_url).replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where pid <>"
                " pg_backend_pid() and datname = current_database() and usename = current_user"
            )

    def stale_messages(self) -> None:
        job = self.stand.job(self.random.choice(self.jobs))
        ids: dict[str, object] = {"tenant_id": str(self.stand.tenant_id), "job_id": str(job.id)}
        messages = [{**ids, "epoch": epoch} for epoch in (job.epoch, job.epoch - 1, "z")]
        send(self.stand, [*messages, {"surprise": True}])

    def settle(self, seconds: float = QUIET_SECONDS) -> None:
        """Leave all of it alone until no job is unfinished, for so long at most."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.quiet():
            time.sleep(0.2)

    def quiet(self) -> bool:
        ended = all(self.stand.job(job_id).state in ENDED for job_id in self.jobs)
        return ended and not list(self.stand.settings.scratch.glob("*"))

    def broken(self) -> list[str]:
        found = violations(self.stand.settings, self.stand.tenant_id)
        left = sorted(path.name for path in self.stand.settings.scratch.glob("*"))
        found += [f"scratch is left: {name}" for name in left]
        states = {self.stand.job(job_id).state for job_id in self.jobs}
        if not found and JobState.SUCCEEDED in states and graph(self.stand) != self.clean():
            found.append("the graph is not that of a clean run")
        return found

    def clean(self) -> object:
        """The graph of the same commit, made in one go under another name."""
        link = self.stand.repo.path.with_name("same")
        link.symlink_to(self.stand.repo.path)
        with tenant_session(self.stand.tenant_id, settings=self.stand.settings) as conn:
            other = repositories.register(conn, url=LocalRemote(link).url, name="same")
            job_id = facade.request_ingestion(conn, repository_id=other.id).id
        assert self.stand.ended(job_id).state is JobState.SUCCEEDED
        return graph(self.stand, repository=other.number)


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [each for child in below for each in (int(child), *descendants(int(child)))]


def end(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended by itself."""
    if Path(f"/proc/{pid}").exists():
        os.kill(pid, number)
