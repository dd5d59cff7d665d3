"""Celery's own tools and hooks, with a real worker: what they tell, and that it is ids alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import text

from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.storage.session import system_session, tenant_session
from tests.workers.stand import ROOT, Stand
from workers import facade
from workers.facade import TaskStatus
from workers.queues import INGEST_TASK

WORD = "unspeakable"


def inspected(stand: Stand, what: str) -> dict[str, Any]:
    """What `celery inspect` prints, by worker."""
    command = [sys.executable, "-m", "celery", "-A", "workers.celery_app", "inspect"]
    done = subprocess.run(
        [*command, what, "--json", "--timeout", "20", "--destination", "worker@test"],
        cwd=ROOT,
        env=stand.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert WORD not in done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found["worker@test"]  # type: ignore[no-any-return]


def status(stand: Stand, task_id: str) -> TaskStatus:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        return facade.task_info(conn, task_id=task_id).status


def log(stand: Stand, name: str) -> str:
    return (stand.logs / f"{name}.log").read_text()


def begin_dump(stand: Stand) -> None:
    """`celery events --dump` writes down what workers do from now on."""
    command = ["-m", "celery", "-A", "workers.celery_app", "events", "--dump"]
    with stand.redis() as client:
        before = client.pubsub_numpat()
        stand.start("events", command)
        stand.until(lambda: client.pubsub_numpat() > before, "the events are listened to")


def fails_once(stand: Stand, failpoint: Path) -> JobId:
    """An ingestion that met what passes, and waits for its next attempt."""
    failpoint.write_text("checkout:raise")
    job_id = stand.request(f"{WORD}-branch")
    assert status(stand, f"{job_id}.1") is TaskStatus.PENDING
    stand.start_dispatcher()
    stand.until(lambda: stand.job(job_id).error_code, "its first attempt has failed")
    assert stand.job(job_id).state is JobState.QUEUED
    assert status(stand, f"{job_id}.1") is TaskStatus.PENDING
    return job_id


def test_hooks_inspect_events_and_revoke(stand: Stand, tmp_path: Path) -> None:
    stand.repo.commit({f"{WORD}.py": f"def {WORD}():\n    pass\n"}, message=WORD)
    stand.repo.git("branch", f"{WORD}-branch")
    # However busy the machine is, no attempt is given up: they are counted here.
    patient = {"lease_seconds": 60, "dispatch_lease_seconds": 60}
    stand.settings = stand.settings.model_copy(update={"log_format": "json", **patient})
    failpoint = tmp_path / "failpoint"
    begin_dump(stand)
    stand.start_worker(CODELOOM_FAILPOINT=f"@{failpoint}")
    assert inspected(stand, "ping") == {"ok": "pong"}

    job_id = fails_once(stand, failpoint)
    stand.until(lambda: "task.tried_again" in log(stand, "worker"), "the hook is called")
    (told,) = [line for line in log(stand, "worker").splitlines() if "task.tried_again" in line]
    line = json.loads(told)
    assert (line["error"], line["task"]) == ("storage_unavailable", INGEST_TASK)
    assert (line["job_id"], line["tenant_id"]) == (str(job_id), str(stand.tenant_id))
    assert (line["task_id"], line["epoch"]) == (f"{job_id}.1", 1)
    assert line["seconds"] >= 0

    failpoint.write_text(":")
    with system_session("dispatch", settings=stand.settings) as conn:
        conn.execute(text("update jobs set run_at = now()"))
    assert stand.ended(job_id).state is JobState.SUCCEEDED
    # By whichever of its tasks one asks.
    assert {status(stand, f"{job_id}.{n}") for n in (1, 2)} == {TaskStatus.SUCCESS}
    for event in ("received", "started", "succeeded"):
        told = f"task {event}: {INGEST_TASK}({job_id}.2)"
        stand.until(lambda told=told: told in log(stand, "events"), told)
    assert inspected(stand, "stats")["total"][INGEST_TASK] == 2
    assert "task.returned" in log(stand, "worker")

    _revoke_while_it_runs(stand, failpoint)
    for name in ("worker", "events", "dispatcher"):
        assert WORD not in log(stand, name)


def _revoke_while_it_runs(stand: Stand, failpoint: Path) -> None:
    failpoint.write_text("checkout:wait")
    job_id = stand.request(f"{WORD}-branch", force=True)
    task_id = f"{job_id}.1"
    stand.in_state(job_id, JobState.RUNNING)
    (active,) = inspected(stand, "active")
    assert (active["id"], active["name"]) == (task_id, INGEST_TASK)
    ids = {"tenant_id": str(stand.tenant_id), "job_id": str(job_id), "epoch": 1}
    assert (active["args"], active["kwargs"]) == ([], ids)
    assert status(stand, task_id) is TaskStatus.STARTED

    environment = stand.environment()
    code = (
        "import sys\nfrom uuid import UUID\n"
        "from graph.settings import get_settings\n"
        "from graph.storage.session import tenant_session\n"
        "from workers import facade\n"
        "with tenant_session(UUID(sys.argv[1]), settings=get_settings()) as conn:\n"
        "    print(facade.revoke_task(conn, task_id=sys.argv[2], terminate=True).state)\n"
    )
    # A process of its own: in this one, Celery has the settings of nobody.
    command = [sys.executable, "-c", code, str(stand.tenant_id), task_id]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "cancelled\n"
    assert status(stand, task_id) is TaskStatus.CANCELLED
    stand.until(lambda: not inspected(stand, "active"), "the task has ended")
    # The worker has taken no harm.
    failpoint.write_text(":")
    assert stand.ended(stand.request(f"{WORD}-branch", force=True)).state is JobState.SUCCEEDED
