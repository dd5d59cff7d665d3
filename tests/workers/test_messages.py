"""Messages that nobody should have sent, put into Redis by hand, and a real worker that reads them.

After all of them the worker is the one that was started, has run nothing, and runs the next job.
"""

import re
import subprocess
import sys
from uuid import uuid4

import pytest

from graph.model.ids import JobId, TenantId
from graph.model.jobs import JobState
from graph.storage import jobs, repositories, tenants
from graph.storage.session import system_session, tenant_session
from tests.workers import forged
from tests.workers.stand import ROOT, Stand
from workers import facade
from workers.git.remotes import LocalRemote
from workers.queues import PARSE


@pytest.fixture
def working(stand: Stand) -> Stand:
    """A worker and nobody who sends it anything."""
    stand.repo.commit({"a.py": "def a():\n    return 1\n"})
    stand.start_worker()
    return stand


def log(stand: Stand) -> str:
    return (stand.logs / "worker.log").read_text()


def names(stand: Stand, job_id: object, epoch: object, **other: object) -> bytes:
    """A message about a job, as the dispatcher sends it."""
    ids = {"tenant_id": str(stand.tenant_id), "job_id": str(job_id), "epoch": epoch, **other}
    # Limits of its own that would end any job, if they counted.
    return forged.message([[], ids, forged.ENDS], {"timelimit": [0.01, 0.01]})


def answered(stand: Stand, *messages: bytes) -> list[str]:
    """What the worker says of each of the messages, in their order."""
    before = log(stand).count("outcome=")
    for message in messages:
        stand.redis().lpush(PARSE.name, message)
    wanted = before + len(messages)
    stand.until(lambda: log(stand).count("outcome=") >= wanted, "the messages are answered")
    return re.findall(r"outcome=(\w+)", log(stand))[before:]


def asked(stand: Stand, *arguments: str) -> str:
    """What the command line of Celery answers."""
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "workers.celery_app", *arguments],
        cwd=ROOT,
        env=stand.environment(),
        capture_output=True,
        check=True,
        text=True,
    ).stdout


def dispatched(stand: Stand, tenant_id: TenantId) -> JobId:
    """A job of a repository of the tenant, for which a message is under way."""
    with tenant_session(tenant_id, settings=stand.settings) as conn:
        url = LocalRemote(stand.repo.path).url
        own = repositories.list_page(conn, limit=1)
        repository = own[0] if own else repositories.register(conn, url=url, name="repo")
        job_id = facade.request_ingestion(conn, repository_id=repository.id, ref="main").id
    with system_session("dispatch", settings=stand.settings) as conn:
        assert [one.job_id for one in jobs.pick(conn, slots=8, lease_seconds=600)] == [job_id]
    return job_id


def test_what_is_no_message_of_ours_is_dropped_and_told_without_what_it_said(
    working: Stand,
) -> None:
    client, worker = working.redis(), working.processes["worker"]
    forged_tasks = [raw for group in forged.TASKS.values() for raw in group]
    for number, raw in enumerate(forged_tasks):
        # Behind a queue's name: the priority.
        client.lpush(PARSE.name if number % 2 else f"{PARSE.name}\x06\x163", raw)
    database = client.connection_pool.connection_kwargs["db"]
    for raw in forged.NOTICES:
        client.publish(f"/{database}.celery.pidbox", raw or b"0")
    wanted = len(forged_tasks) + len(forged.NOTICES)
    working.until(lambda: log(working).count("message.refused") >= wanted, "all are refused")
    said = log(working)
    assert forged.MARK not in said
    assert "Traceback" not in said
    assert "outcome=" not in said
    assert worker.poll() is None
    assert "pong" in asked(working, "inspect", "ping", "-d", "worker@test", "-t", "30")
    working.start_dispatcher()
    assert working.ended(working.request()).state is JobState.SUCCEEDED
    working.until(lambda: client.hlen("unacked") == 0, "nothing is left to be answered")


def test_what_asks_for_what_it_may_not_runs_nothing(working: Stand) -> None:
    worker = working.processes["worker"]
    with system_session("administration", settings=working.settings) as conn:
        rival = tenants.create(conn, name="rival").id
    theirs = dispatched(working, rival)
    ours = dispatched(working, working.tenant_id)
    before = working.job(ours)
    malformed: list[object] = [None, "1", True, 1.0, -1, 0, 2**31, 10**40, [], {}]
    wrong = [names(working, ours, epoch) for epoch in malformed]
    wrong += [names(working, job_id, 1) for job_id in (None, 7, [], {}, "", "x" * 9_000)]
    assert set(answered(working, *wrong)) == {"malformed"}
    stale = [
        names(working, ours, before.epoch + 1),
        names(working, theirs, 1),
        names(working, ours, 1, tenant_id=str(rival)),
        # As of jobs and tenants that have been removed.
        names(working, uuid4(), 1),
        names(working, ours, 1, tenant_id=str(uuid4())),
    ]
    assert answered(working, *stale) == ["stale"] * len(stale)
    assert working.job(ours) == before
    with tenant_session(rival, settings=working.settings) as conn:
        assert jobs.get(conn, job_id=theirs).state is JobState.DISPATCHED
    right = names(working, ours, before.epoch)
    late = names(working, ours, before.epoch - 1)
    assert answered(working, right, right, stale[0], late)[:2] == ["succeeded", "stale"]
    done = working.job(ours)
    assert (done.state, done.attempt) == (JobState.SUCCEEDED, 1)
    answered(working, right, stale[0])
    assert working.job(ours) == done
    assert worker.poll() is None
