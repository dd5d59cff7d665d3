"""Our own processes as the stack runs them: the API, the dispatcher, the workers and beat.

Each reads its configuration from the environment only, exactly as in production.
"""

import asyncio
import os
import signal
import sys
import time

import httpx

from graph.settings import Settings
from service.embedded.process import ProcessSpec, ReadyCheck
from workers import facade

# The groups of workers here, by their queues. There is no work yet that waits in the fourth.
WORKER_GROUPS = ("parse", "maintenance", "git")
_SETTLED_SECONDS = 0.5
# "Every address" is one to listen on, not one to call.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: ours, and every setting that was given a value."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        **{name.upper(): str(value) for name, value in given.items() if value is not None},
    }


def address(settings: Settings) -> str:
    """Where the API answers a client on this machine."""
    host = _LOOPBACK.get(settings.codeloom_host, settings.codeloom_host)
    bracketed = f"[{host}]" if ":" in host else host
    return f"http://{bracketed}:{settings.codeloom_port}"


def api(settings: Settings) -> ProcessSpec:
    """The HTTP API; ready when it says so itself."""
    return ProcessSpec(
        name="api",
        argv=_python("service.server"),
        environment=environment(settings),
        ready=_answers(f"{address(settings)}/readyz"),
        restarts=True,
        stop_seconds=settings.shutdown_grace_seconds + 1.5,
    )


def dispatcher(settings: Settings) -> ProcessSpec:
    """The process that hands queued jobs to the worker; ready when its heartbeat is in the row."""
    settled = _settled()

    async def ready(pid: int) -> bool:
        return await settled(pid) and await asyncio.to_thread(facade.dispatcher_ready, settings)

    return ProcessSpec(
        name="dispatcher",
        argv=_python("workers.dispatcher"),
        environment=environment(settings),
        ready=ready,
        restarts=True,
        stop_seconds=2.5,
    )


def worker(settings: Settings, group: str) -> ProcessSpec:
    """A group of workers; a job they run at the stop is given back by its lease and runs again."""

    async def ready(pid: int) -> bool:
        return await asyncio.to_thread(facade.worker_ready, settings, group=group, pid=pid)

    return ProcessSpec(
        name=f"worker-{group}",
        argv=[
            *_python("workers.group"),
            group,
            # Nobody here asks what the others do.
            "--without-gossip",
            "--without-mingle",
            "--loglevel=warning",
        ],
        environment=environment(settings),
        ready=ready,
        restarts=True,
        stop_signal=signal.SIGTERM,
        # Cold: without a supervisor there will be no broker either to finish a job with.
        orphan_signal=signal.SIGQUIT,
        stop_seconds=4,
    )


def beat(settings: Settings) -> ProcessSpec:
    """The process that fires periodic work; it has nothing to be ready for but to live."""
    return ProcessSpec(
        name="beat",
        argv=[
            *_python("celery"),
            "--app=workers.celery_app",
            "--quiet",
            "beat",
            "--pidfile=",
            "--loglevel=warning",
        ],
        environment=environment(settings),
        ready=_settled(),
        restarts=True,
        stop_seconds=2.5,
    )


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _settled() -> ReadyCheck:
    """Ready once the process has lived for a moment: one that cannot start ends before that."""
    started = time.monotonic()

    async def ready(_pid: int) -> bool:
        return time.monotonic() - started > _SETTLED_SECONDS

    return ready


def _answers(url: str) -> ReadyCheck:
    async def ready(_pid: int) -> bool:
        try:
            async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
                answer = await client.get(url)
        except httpx.TransportError:
            # Nothing listens yet.
            return False
        return answer.status_code == httpx.codes.OK

    return ready
