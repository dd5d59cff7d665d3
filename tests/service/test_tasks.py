"""Jobs as clients of Celery see them: polled, and revoked, by the id of a task in every state."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from celery import Celery
from starlette.testclient import TestClient

from graph.errors import JobNotCancellable, JobNotFound
from graph.model.ids import JobId
from graph.model.jobs import PARSE, JobState
from graph.storage import jobs
from graph.storage.session import system_session, tenant_session
from tests.service.conftest import Member, bearer
from tests.service.test_job_history import Engine
from tests.service.test_job_requests import in_state
from workers import facade, messages
from workers.broker import broker_url

if TYPE_CHECKING:
    from graph.settings import Settings

STATUSES = {
    "queued": "pending",
    "dispatched": "pending",
    "tried again": "pending",
    "running": "started",
    "in progress": "progress",
    "waiting": "started",
    "succeeded": "success",
    "failed": "failed",
    "dead": "failed",
    "cancelled": "cancelled",
    "superseded": "cancelled",
}
ENDED = {"succeeded", "failed", "dead", "superseded"}


@pytest.fixture
def engine(settings: "Settings", acme: Member) -> Engine:
    return Engine(settings, acme)


def brought_to(engine: Engine, state: str) -> JobId:
    """The id of a job in this state; more of them than a job's states has a task."""
    match state:
        case "dispatched":
            with system_session("dispatch", settings=engine.settings) as conn:
                jobs.pick(conn, slots=1000)
        case "tried again":
            engine.act(jobs.retry_later, engine.start(), code="storage_unavailable", message="x")
        case "in progress":
            done = {"stage": "parse", "done": 1, "total": 2, "percent": 40}
            engine.act(jobs.progress, engine.start(), **done)
        case "waiting":
            engine.act(jobs.split, engine.start(), children=[jobs.Wanted(PARSE)])
        case "succeeded":
            engine.act(jobs.finish, engine.start(), report={"files": {"total": 4}})
        case "cancelled":
            engine.start()
            with tenant_session(engine.member.tenant_id, settings=engine.settings) as conn:
                facade.cancel(conn, job_id=engine.job_id)
        case _:
            return in_state(engine, state)
    return engine.job_id


def talk_to(monkeypatch: pytest.MonkeyPatch, redis_url: str | None) -> None:
    """In this process, Celery would have the settings of nobody."""
    app = Celery("told", broker=broker_url(redis_url), set_as_current=False)
    monkeypatch.setattr(messages, "app", app)


def revoke(engine: Engine, task_id: str, *, terminate: bool = False) -> jobs.Job:
    with tenant_session(engine.member.tenant_id, settings=engine.settings) as conn:
        return facade.revoke_task(conn, task_id=task_id, terminate=terminate)


@pytest.mark.parametrize("state", STATUSES)
def test_a_task_is_told_in_the_words_of_celery(
    state: str, client: TestClient, acme: Member, engine: Engine
) -> None:
    job_id = brought_to(engine, state)
    told: dict[str, Any] = client.get(f"/v1/tasks/{job_id}.1", headers=bearer(acme.read)).json()
    assert (told["status"], told["task_id"]) == (STATUSES[state], f"{job_id}.1")
    assert told["ready"] is (state in ENDED | {"cancelled"})
    done = {"snapshot_id": None, "report": {"files": {"total": 4}}}
    assert told["result"] == (done if state == "succeeded" else None)
    assert told["job"] == client.get(f"/v1/jobs/{job_id}", headers=bearer(acme.read)).json()
    assert (told["job"]["error"] is None) is (state not in {"failed", "dead", "tried again"})


@pytest.mark.parametrize("terminate", [False, True])
@pytest.mark.parametrize("state", STATUSES)
def test_a_task_is_revoked_unless_it_has_ended(
    state: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, *, terminate: bool
) -> None:
    talk_to(monkeypatch, engine.settings.redis_url)
    task_id = f"{brought_to(engine, state)}.1"
    if state in ENDED:
        with pytest.raises(JobNotCancellable):
            revoke(engine, task_id, terminate=terminate)
        return
    for _ in "twice":
        assert revoke(engine, task_id, terminate=terminate).state is JobState.CANCELLED
    with tenant_session(engine.member.tenant_id, settings=engine.settings) as conn:
        assert facade.task_info(conn, task_id=task_id).status is facade.TaskStatus.CANCELLED


def test_a_task_is_revoked_while_the_broker_is_away(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk_to(monkeypatch, "redis://127.0.0.1:1/0")
    task_id = f"{brought_to(engine, 'running')}.1"
    assert revoke(engine, task_id, terminate=True).state is JobState.CANCELLED


def test_a_task_of_nobody_or_of_another_tenant_is_neither_told_nor_revoked(
    engine: Engine, rival: Member, settings: "Settings"
) -> None:
    task_id = f"{brought_to(engine, 'running')}.1"
    other = Engine(settings, rival, "other")
    for wrong in (task_id, f"{uuid4()}.1", "nonsense", f"{other.job_id}.x", f"{other.job_id}.", ""):
        with tenant_session(rival.tenant_id, settings=settings) as conn:
            with pytest.raises(JobNotFound):
                facade.task_info(conn, task_id=wrong)
            with pytest.raises(JobNotFound):
                facade.revoke_task(conn, task_id=wrong, terminate=True)
    with tenant_session(engine.member.tenant_id, settings=settings) as conn:
        assert facade.task_info(conn, task_id=task_id).status is facade.TaskStatus.STARTED
