"""However an attempt ends, the store holds what has a row and nothing else."""

import subprocess
import sys

import pytest
from sqlalchemy import text

from graph.errors import LeaseLost, StorageRefused
from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.storage import jobs, usage
from graph.storage.artifacts import FileStore, open_store
from graph.storage.session import system_session, tenant_session
from tests.workers.stand import ROOT, Stand
from workers import facade, lease, pipeline, storing
from workers.tasks import jobs as tasks

FILES = {"a.py": "def a():\n    return b()\n\ndef b():\n    return 1\n"}
OTHER = {"c.py": "def c():\n    return 1\n"}


def dispatched(stand: Stand, job_id: JobId) -> int:
    """The epoch of the job, which somebody may run now."""
    with tenant_session(stand.tenant_id, role="owner", settings=stand.settings) as conn:  # type: ignore[arg-type]
        conn.execute(text("update jobs set run_at = now() where state = 'queued'"))
    with system_session("dispatch", settings=stand.settings) as conn:
        jobs.pick(conn, slots=8, lease_seconds=60)
    return stand.job(job_id).epoch


def run(stand: Stand, job_id: JobId, failpoint: str = "") -> str:
    settings = stand.settings.model_copy(update={"codeloom_failpoint": failpoint})
    return tasks.run(stand.tenant_id, job_id, dispatched(stand, job_id), settings)


def run_killed(stand: Stand, job_id: JobId, boundary: str) -> None:
    """An attempt by a process that is killed there; its job is taken back at once."""
    code = (
        "import sys\nfrom workers.tasks.jobs import run_message\n"
        "run_message(sys.argv[1], sys.argv[2], int(sys.argv[3]))"
    )
    given = [str(stand.tenant_id), str(job_id), str(dispatched(stand, job_id))]
    ran = [sys.executable, "-c", code, *given]
    environment = stand.environment(CODELOOM_FAILPOINT=f"{boundary}:kill")
    assert subprocess.run(ran, cwd=ROOT, env=environment, check=False).returncode == -9
    with tenant_session(stand.tenant_id, role="owner", settings=stand.settings) as conn:  # type: ignore[arg-type]
        over = "lease_until = now() - interval '1 s'"
        conn.execute(text(f"update jobs set {over} where state = 'running'"))
    with system_session("dispatch", settings=stand.settings) as conn:
        jobs.reap(conn)


def objects(stand: Stand) -> set[str]:
    return {each.key for each in open_store(stand.settings.artifacts).list(stand.tenant_id)}


def counts(stand: Stand) -> tuple[int, int, int]:
    """Objects, rows, and what is pending."""
    with tenant_session(stand.tenant_id, role="worker", settings=stand.settings) as conn:
        rows, waiting = (
            conn.execute(text(f"select count(*) from {table}")).scalar_one()
            for table in ("artifacts", "pending_artifacts")
        )
    return len(objects(stand)), rows, waiting


@pytest.mark.parametrize("boundary", ["resolve", "uploaded"])
def test_the_next_attempt_removes_what_a_killed_one_left(stand: Stand, boundary: str) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    run_killed(stand, job_id, boundary)
    left = objects(stand)
    assert left
    # Another commit, so other bytes under other keys.
    stand.repo.commit(OTHER)
    assert run(stand, job_id) == "succeeded"
    assert not left & objects(stand)
    assert counts(stand) == (2, 2, 0)


def test_equal_bytes_are_stored_again_and_stay(stand: Stand) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    run_killed(stand, job_id, "uploaded")
    left = objects(stand)
    assert run(stand, job_id) == "succeeded"
    assert objects(stand) == left
    assert counts(stand) == (2, 2, 0)


def test_a_commit_that_succeeded_before_the_kill_is_not_undone(stand: Stand) -> None:
    stand.repo.commit(FILES)
    run_killed(stand, stand.request(), "published")
    assert storing.settle_all(stand.settings) == 0
    assert counts(stand) == (2, 2, 0)


def test_a_failed_attempt_leaves_nothing(stand: Stand) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    assert run(stand, job_id, "uploaded:raise") == "queued"
    assert counts(stand) == (0, 0, 0)
    assert run(stand, job_id) == "succeeded"
    assert counts(stand) == (2, 2, 0)


@pytest.mark.parametrize("end", [JobState.CANCELLED, JobState.DEAD])
def test_what_no_attempt_follows_is_removed_by_the_clock(stand: Stand, end: JobState) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    if end is JobState.DEAD:
        for number in range(3):
            stand.repo.commit({f"more{number}.py": f"def more{number}():\n    return 1\n"})
            run_killed(stand, job_id, "uploaded")
    else:
        run_killed(stand, job_id, "uploaded")
        stand.cancel(job_id)
    assert stand.job(job_id).state is end
    assert counts(stand) == (2, 0, 2)
    assert storing.settle_all(stand.settings) == 2
    assert counts(stand) == (0, 0, 0)


def test_whoever_lost_its_job_removes_what_it_stored_afterwards(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    epoch = dispatched(stand, job_id)
    put_stream = FileStore.put_stream

    def slowly(store: FileStore, *given: object) -> object:
        """Meanwhile it was thought dead, and all that it had announced was removed."""
        stand.cancel(job_id)
        assert storing.settle_all(stand.settings) == 2
        return put_stream(store, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(FileStore, "put_stream", slowly)
    monkeypatch.setattr(lease.Lease, "check", lambda _: None)
    with lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "w") as held:
        assert held is not None
        with pytest.raises(LeaseLost):
            pipeline.ingest(held, stand.settings)
    assert counts(stand) == (0, 0, 0)


def test_a_store_that_removes_nothing_hides_no_failure_and_is_asked_again(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()

    def refuse(*_: object) -> None:
        raise StorageRefused("The object store removes nothing.")

    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "delete", refuse)
        assert run(stand, job_id, "uploaded:raise") == "queued"
        assert stand.job(job_id).error_code == "storage_unavailable"
        assert counts(stand) == (2, 0, 2)
        with pytest.raises(StorageRefused):
            storing.settle_all(stand.settings)
    assert storing.settle_all(stand.settings) == 2
    assert counts(stand) == (0, 0, 0)


def test_a_purge_that_is_killed_is_ended_by_the_clock(stand: Stand) -> None:
    stand.repo.commit(FILES)
    assert run(stand, stand.request()) == "succeeded"
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        facade.remove_repository(conn, repository_id=stand.repository.id)
        (purge,) = jobs.list_page(conn, kind="purge", limit=1)
    code = (
        "import os, signal, sys\nfrom graph.storage import pending\n"
        "pending.settle = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from workers.tasks.jobs import run_message\n"
        "run_message(sys.argv[1], sys.argv[2], int(sys.argv[3]))"
    )
    given = [str(stand.tenant_id), str(purge.id), str(dispatched(stand, purge.id))]
    ran = [sys.executable, "-c", code, *given]
    killed = subprocess.run(ran, cwd=ROOT, env=stand.environment(), check=False)
    assert killed.returncode == -9
    assert counts(stand) == (2, 0, 2)
    assert storing.settle_all(stand.settings) == 2
    assert counts(stand) == (0, 0, 0)


def split(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> JobId:
    """A large ingestion that waits for its children."""
    wide = {"wide_parse_bytes": 1, "wide_shard_bytes": 1}
    monkeypatch.setattr(stand, "settings", stand.settings.model_copy(update=wide))
    stand.repo.commit({**FILES, **OTHER})
    job_id = stand.request()
    assert run(stand, job_id) == "succeeded"  # as for the message
    assert stand.job(job_id).state is JobState.WAITING
    return job_id


def run_children(stand: Stand, job_id: JobId) -> int:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        children = jobs.list_page(conn, parent=job_id, limit=100)
    assert {run(stand, child.id) for child in children} == {"succeeded"}
    return len(children)


def test_what_a_large_ingestion_lends_goes_with_its_end(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = split(stand, monkeypatch)
    children = run_children(stand, job_id)
    assert children > 1
    # For each child what it parses, and what it made of that.
    assert counts(stand) == (2 * children,) * 3
    assert storing.settle_all(stand.settings) == 0
    assert run(stand, job_id) == "succeeded"
    assert stand.job(job_id).state is JobState.SUCCEEDED
    assert counts(stand) == (2, 2, 0)


@pytest.mark.parametrize("parsed", [True, False])
def test_a_large_ingestion_that_is_cancelled_leaves_nothing(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, parsed: bool
) -> None:
    job_id = split(stand, monkeypatch)
    if parsed:
        run_children(stand, job_id)
    stand.cancel(job_id)
    assert storing.settle_all(stand.settings) > 1
    assert counts(stand) == (0, 0, 0)
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        held = {one.resource.name: one.used for one in usage.of_tenant(conn).standings}
    assert held["stored_bytes"] == 0


def test_a_large_ingestion_that_is_asked_for_again_parses_what_is_gone_again(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = split(stand, monkeypatch)
    children = run_children(stand, job_id)
    assert run(stand, job_id, "resolve:raise") == "queued"
    stand.cancel(job_id)
    assert storing.settle_all(stand.settings) == 2 * children
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        facade.retry(conn, job_id=job_id)
    run(stand, job_id)
    assert stand.job(job_id).state is JobState.WAITING
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        again = jobs.list_page(conn, parent=job_id, states=[JobState.QUEUED], limit=100)
    assert {run(stand, child.id) for child in again} == {"succeeded"}
    assert run(stand, job_id) == "succeeded"
    assert stand.job(job_id).state is JobState.SUCCEEDED
    assert counts(stand) == (2, 2, 0)
