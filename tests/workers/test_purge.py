"""A removed repository, or an old snapshot, is purged by a job like any other."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from graph.errors import RepositoryNotFound, TenantValidationError
from graph.model.ids import JobId, RepositoryId, new_id
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs, usage
from graph.storage.artifacts import artifact_key, open_store
from graph.storage.session import system_session, tenant_session
from tests.workers.stand import ROOT, Stand
from workers import facade, housekeeping
from workers.tasks import jobs as tasks

TABLES = ("nodes", "edges", "documents", "snapshots", "refs", "artifacts")


def run(stand: Stand, job_id: JobId, settings: Settings | None = None) -> str:
    """Dispatch the job and do it here, as a worker would."""
    with system_session("dispatch", settings=stand.settings) as conn:
        jobs.pick(conn, slots=1000)
    return tasks.run(stand.tenant_id, job_id, stand.job(job_id).epoch, settings or stand.settings)


def rows(stand: Stand) -> dict[str, int]:
    with tenant_session(stand.tenant_id, role="worker", settings=stand.settings) as conn:
        return {
            table: conn.execute(text(f"select count(*) from {table}")).scalar_one()
            for table in TABLES
        }


def stored(stand: Stand) -> int:
    return len(list(open_store(stand.settings.artifacts).list(stand.tenant_id)))


def waiting(stand: Stand, kind: str) -> list[JobId]:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        found = jobs.list_page(conn, kind=kind, states=[JobState.QUEUED], limit=10)
    return [job.id for job in found]


@pytest.fixture
def ingested(stand: Stand) -> JobId:
    stand.repo.commit({"a.py": "def a():\n    return b()\n\ndef b():\n    return 1\n"})
    job_id = stand.request("main")
    assert run(stand, job_id) == "succeeded"
    assert all(rows(stand).values())
    return job_id


def test_a_removed_repository_leaves_nothing(stand: Stand, ingested: JobId) -> None:
    assert stored(stand) == rows(stand)["artifacts"] > 0
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        facade.remove_repository(conn, repository_id=stand.repository.id)
    (job_id,) = waiting(stand, "purge")
    before = rows(stand)
    assert run(stand, job_id) == "succeeded"
    assert rows(stand) == dict.fromkeys(TABLES, 0)
    assert stored(stand) == 0
    job = stand.job(job_id)
    assert job.report is not None
    assert job.report["removed"] == before
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        held = {one.resource.name: one.used for one in usage.of_tenant(conn).standings}
    assert (held["files"], held["nodes"], held["stored_bytes"]) == (0, 0, 0)


def test_a_purge_that_died_goes_on_where_it_was(
    stand: Stand, ingested: JobId, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        facade.remove_repository(conn, repository_id=stand.repository.id)
    (job_id,) = waiting(stand, "purge")
    from graph.storage import purging

    with monkeypatch.context() as patch:
        patch.setattr(purging, "forget_artifacts", lambda *_, **__: 1 / 0)
        assert run(stand, job_id) != "succeeded"
    assert rows(stand)["documents"] == 0
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        facade.retry(conn, job_id=job_id)
    assert run(stand, job_id) == "succeeded"
    assert rows(stand)["artifacts"] == stored(stand) == 0


def test_old_snapshots_go_and_the_head_answers_as_before(stand: Stand, ingested: JobId) -> None:
    stand.repo.commit({"later.py": "def later():\n    return 1\n"})
    second = stand.request("main")
    assert run(stand, second) == "succeeded"
    assert rows(stand)["snapshots"] == 2
    with tenant_session(stand.tenant_id, role="owner", settings=stand.settings) as conn:  # type: ignore[arg-type]
        for table, column in (("snapshots", "published_at"), ("documents", "loaded_at")):
            conn.execute(text(f"update {table} set {column} = now() - interval '1 year'"))
        conn.execute(text("update artifacts set created_at = now() - interval '1 year'"))
    keep_one = stand.settings.model_copy(update={"snapshots_kept": 1})
    assert housekeeping._ask_for_purges(keep_one, stand.tenant_id) == 1
    (job_id,) = waiting(stand, "purge")
    assert run(stand, job_id, keep_one) == "succeeded"
    removed = (stand.job(job_id).report or {})["removed"]
    assert removed["snapshots"] == 1
    assert rows(stand)["snapshots"] == 1
    assert stored(stand) == rows(stand)["artifacts"]
    again = stand.request("main", force=True)
    assert run(stand, again) == "succeeded"


def test_a_purge_costs_nothing_of_the_month(stand: Stand, ingested: JobId) -> None:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        job = facade.request_purge(conn, repository_id=stand.repository.id)
    assert run(stand, job.id) == "succeeded"
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        reserved = conn.execute(
            text("select count(*) from reservations where job_id = :job"), {"job": job.id}
        ).scalar_one()
    assert reserved == 0


def test_two_purges_of_a_repository_are_one(stand: Stand, ingested: JobId) -> None:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        one, two = (facade.request_purge(conn, repository_id=stand.repository.id) for _ in range(2))
    assert one.id == two.id


def test_a_job_is_asked_for_by_its_kind_and_parameters(stand: Stand) -> None:
    asked: list[RepositoryId] = []

    def request(kind: str, **parameters: object) -> jobs.Job:
        with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
            return facade.request_job(conn, kind=kind, parameters=parameters, may_use=asked.append)

    repository = str(stand.repository.id)
    job = request("ingest", repository_id=repository, ref="main", force=True)
    assert (job.kind, job.ref, job.force) == ("ingest", "main", True)
    assert request("purge", repository_id=repository).kind == "purge"
    assert asked == [stand.repository.id] * 2
    with pytest.raises(RepositoryNotFound):
        request("purge", repository_id=str(new_id()))
    for kind, parameters in (
        ("mine", {}),
        ("ingest", {}),
        ("ingest", {"repository_id": "x"}),
        ("ingest", {"repository_id": repository, "branch": "main"}),
        ("ingest", {"repository_id": repository, "force": "yes"}),
        ("purge", {"repository_id": repository, "ref": "main"}),
    ):
        with pytest.raises(TenantValidationError):
            request(kind, **parameters)


def test_what_killed_workers_stored_is_swept_when_it_is_old_and_nothing_else(
    stand: Stand, ingested: JobId
) -> None:
    store = open_store(stand.settings.artifacts)
    orphans = [leave(stand, f"left {number}") for number in range(3)]
    young = leave(stand, "young")
    again = leave(stand, "stored again")
    archive = leave(stand, "archive", kind="audit")
    for each in [*store.list(stand.tenant_id)]:
        age(stand, each.key)
    store.put_if_absent(again, [b"stored again"])
    age(stand, young, days=0)
    kept = {each.key for each in store.list(stand.tenant_id)} - set(orphans)
    die_at_second_delete(stand)
    assert len(list(store.list(stand.tenant_id))) == len(kept) + 2
    assert housekeeping.sweep_objects(stand.settings) == 2
    assert {each.key for each in store.list(stand.tenant_id)} == kept >= {young, again, archive}
    assert housekeeping.sweep_objects(stand.settings) == 0
    assert run(stand, stand.request("main", force=True)) == "succeeded"


def leave(stand: Stand, content: str, kind: str = "facts") -> str:
    """An object without a row."""
    key = artifact_key(stand.tenant_id, kind, hashlib.sha256(content.encode()).digest())
    assert open_store(stand.settings.artifacts).put_if_absent(key, [content.encode()])
    return key


def age(stand: Stand, key: str, days: int = 2) -> None:
    path = Path(str(stand.settings.artifacts_url).removeprefix("file://")) / key
    then = time.time() - days * 86400
    os.utime(path, (then, then))


def die_at_second_delete(stand: Stand) -> None:
    """A sweep in a process that is killed in the middle."""
    code = (
        "import os, signal\n"
        "from graph.settings import get_settings\n"
        "from graph.storage.artifacts import FileStore\n"
        "from workers import housekeeping\n"
        "delete, done = FileStore.delete, []\n"
        "def dying(store, key):\n"
        "    if done:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    done.append(key)\n"
        "    delete(store, key)\n"
        "FileStore.delete = dying\n"
        "housekeeping.sweep_objects(get_settings())\n"
    )
    ran = [sys.executable, "-c", code]
    assert subprocess.run(ran, cwd=ROOT, env=stand.environment(), check=False).returncode == -9
