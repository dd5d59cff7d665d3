"""Starts, stops and kills the real processes, and asks the database how the jobs are."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from graph.model.ids import JobId
from graph.model.jobs import ENDED, JobState
from graph.settings import Settings
from graph.storage import engine, jobs, repositories, tenants
from graph.storage.jobs import Job
from graph.storage.session import system_session, tenant_session
from tests.workers.gitrepo import Repo
from workers import facade
from workers.git.remotes import LocalRemote
from workers.readiness import key_of

ROOT = Path(__file__).parent.parent.parent


class Stand:
    """One tenant with one repository, and whatever processes a test starts."""

    def __init__(self, settings: Settings, repo: Repo) -> None:
        self.settings = settings
        self.repo = repo
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.logs = settings.codeloom_home / "logs"
        self.logs.mkdir(parents=True)
        with system_session("administration", settings=settings) as conn:
            self.tenant_id = tenants.create(conn, name="t").id
        with tenant_session(self.tenant_id, settings=settings) as conn:
            self.repository = repositories.register(
                conn, url=LocalRemote(repo.path).url, name="repo"
            )

    def __enter__(self) -> Self:
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
        if error is not None:
            for log in sorted(self.logs.iterdir()):
                print(f"--- {log.name}\n{log.read_text()[-6000:]}")

    def environment(self, **extra: str) -> dict[str, str]:
        given = {
            name.upper(): str(getattr(self.settings, name))
            for name in self.settings.model_fields_set
        }
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.settings.codeloom_home),
            "PYTHONUNBUFFERED": "1",
            **given,
            **extra,
        }

    def start_dispatcher(self, name: str = "dispatcher") -> None:
        self.start(name, ["-m", "workers.dispatcher"])
        self.until(lambda: facade.dispatcher_ready(self.settings), "a dispatcher leads")

    def start_worker(self, name: str = "worker", **extra: str) -> None:
        self.redis().delete(key_of(name))
        arguments = ["-m", "celery", "-A", "workers.celery_app", "-q", "worker", "-c", "1"]
        # One worker has nobody to gossip with, and asking around takes a second.
        alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self.start(name, [*arguments, *alone, "-n", f"{name}@test", "-l", "WARNING"], extra)
        self.until(lambda: self.redis().exists(key_of(name)), "the worker is ready")

    def start(self, name: str, arguments: list[str], extra: dict[str, str] | None = None) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment(**(extra or {})),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End a process and all below it, as a power cut would."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self, name: str) -> int:
        """Ask a process to end; returns its exit code."""
        process = self.processes.pop(name)
        process.terminate()
        return process.wait(20)

    def redis(self) -> "redis.Redis":
        assert self.settings.redis_url is not None
        return redis.Redis.from_url(self.settings.redis_url)

    def request(
        self, ref: str | None = None, *, force: bool = False, commit: str | None = None
    ) -> JobId:
        with tenant_session(self.tenant_id, settings=self.settings) as conn:
            return facade.request_ingestion(
                conn, repository_id=self.repository.id, ref=ref, commit=commit, force=force
            ).id

    def cancel(self, job_id: JobId) -> None:
        with tenant_session(self.tenant_id, settings=self.settings) as conn:
            facade.cancel(conn, job_id=job_id)

    def job(self, job_id: JobId) -> Job:
        with tenant_session(self.tenant_id, settings=self.settings) as conn:
            return jobs.get(conn, job_id=job_id)

    def ended(self, job_id: JobId, seconds: float = 90) -> Job:
        self.until(lambda: self.job(job_id).state in ENDED, "the job ends", seconds)
        return self.job(job_id)

    def in_state(self, job_id: JobId, state: JobState, seconds: float = 45) -> Job:
        self.until(lambda: self.job(job_id).state is state, f"the job is {state}", seconds)
        return self.job(job_id)

    def until(self, true: Callable[[], object], what: str, seconds: float = 45) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended while waiting until {what}"
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            time.sleep(0.05)
