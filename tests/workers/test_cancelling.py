"""A job is cancelled in every stage, and ended at every limit: nothing of it stays, nor is lost."""

import os
import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.storage import jobs, repositories
from graph.storage.repositories import Repository
from graph.storage.session import system_session, tenant_session
from tests.chaos.invariants import violations
from tests.workers import githost
from tests.workers.digest import digest
from tests.workers.gitrepo import Repo
from tests.workers.stand import Stand
from tests.workers.test_storing import objects
from workers import facade, failpoints
from workers.tasks import jobs as tasks

FILES = {"a.py": "def a():\n    return 1\n", "b.py": "from a import a\n\n\ndef b():\n    a()\n"}
LATER = {"c.py": "from b import b\n\n\ndef c():\n    b()\n"}
# Where a job is held: at the beginning of a stage, or in the middle of it.
PLACES = ("checkout", "listing", "parsing", "resolve", "loading", "uploaded")
# A job that was cancelled has stopped, and another has run in its slot, within so many seconds. The
# machine may be busy with other things: one of so many cancelled jobs has to make it.
BOUND_SECONDS = 5.0
TRIES = 3


def run_here(stand: Stand, job_id: JobId, **changed: object) -> str:
    """Run the job in this process. Nobody else may be waiting."""
    settings = stand.settings.model_copy(update=changed)
    with system_session("dispatch", settings=settings) as conn:
        (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)
    assert chosen.job_id == job_id
    return tasks.run(stand.tenant_id, job_id, chosen.epoch, settings)


def below(pid: int) -> list[int]:
    """Every process below this one."""
    found: list[int] = []
    try:
        threads = [each / "children" for each in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(child) for each in threads for child in each.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended meanwhile
    for child in children:
        found += [child, *below(child)]
    return found


def nothing_is_left(stand: Stand) -> None:
    uploads = Path(str(stand.settings.artifacts_url).removeprefix("file://")) / "uploads"
    stand.until(lambda: not uploads.exists() or not list(uploads.iterdir()), "no upload is left")
    at_rest(stand)


def at_rest(stand: Stand) -> None:
    """Nothing works, and what is kept is as it should be."""
    stand.until(lambda: not list(stand.settings.scratch.iterdir()), "scratch is empty")
    pid = stand.processes["worker"].pid
    # The one child of the pool, and of it none.
    stand.until(lambda: len(below(pid)) <= 1, "no process is left")
    stand.until(lambda: temporary_tables(stand) == 0, "no temporary table is left")
    rules = partial(violations, stand.settings, stand.tenant_id)
    stand.until(lambda: not rules(), "no rule is broken")


def said_by(stand: Stand, process: str, words: str) -> None:
    log = stand.logs / f"{process}.log"
    stand.until(lambda: words in log.read_text(), f"{process} says {words}")


def temporary_tables(stand: Stand) -> int:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        query = "select count(*) from pg_class where relpersistence = 't' and relkind = 'r'"
        return int(conn.execute(text(query)).scalar_one())


def test_a_job_is_cancelled_in_every_stage(stand: Stand, tmp_path: Path) -> None:
    stand.repo.commit(FILES)
    assert run_here(stand, stand.request()) == "succeeded"
    before = digest(stand), objects(stand)
    stand.repo.commit(LATER)
    failpoint = tmp_path / "failpoint"
    failpoint.write_text(":")
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT=f"@{failpoint}")
    for place in PLACES:
        took = (cancelled_at(stand, place, failpoint) for _ in range(TRIES))
        assert any(seconds < BOUND_SECONDS for seconds in took), place
        assert (digest(stand), objects(stand)) == before, place


def cancelled_at(stand: Stand, place: str, failpoint: Path) -> float:
    """Cancel a job that has come this far; the seconds until another has run in its slot."""
    failpoint.write_text(f"{place}:wait")
    job_id = stand.request()
    stand.until(lambda: waits(stand, job_id, place), f"the job waits at {place}")
    stand.cancel(job_id)
    cancelled = time.monotonic()
    failpoint.write_text(":")
    assert stand.ended(stand.request("nowhere")).error_code == "ref_not_found"
    took = time.monotonic() - cancelled
    job = stand.job(job_id)
    assert (job.state, job.error_code) == (JobState.CANCELLED, None), place
    nothing_is_left(stand)
    said_by(stand, "dispatcher", f"task_id={job.task_id}")
    return took


def waits(stand: Stand, job_id: JobId, place: str) -> bool:
    lines = (stand.logs / "worker.log").read_text().splitlines()
    return any(f"place={place}" in line and str(job_id) in line for line in lines)


def test_a_clone_under_way_is_cancelled(
    stand: Stand, slow_host: githost.Host, tmp_path: Path
) -> None:
    Repo(slow_host.root / "heavy").commit({"noise.bin": os.urandom(400_000), **FILES})
    slow_host.part_bytes, slow_host.pause_seconds = 4000, 0.5
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        url = f"{slow_host.url}/heavy/.git"
        repository = repositories.register(conn, url=url, name="heavy")
    stand.start_dispatcher()
    stand.start_worker(GIT_CA_FILE=str(tmp_path / "host.pem"))
    took = (cloning_cancelled(stand, repository) for _ in range(TRIES))
    assert any(seconds < BOUND_SECONDS for seconds in took)


def cloning_cancelled(stand: Stand, repository: Repository) -> float:
    """Cancel a job in the middle of its clone; the seconds until nothing of it is left."""
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        job_id = facade.request_ingestion(conn, repository_id=repository.id).id
    stand.until(lambda: receives(stand), "git receives the pack")
    stand.cancel(job_id)
    cancelled = time.monotonic()
    nothing_is_left(stand)
    assert stand.job(job_id).state is JobState.CANCELLED
    return time.monotonic() - cancelled


def receives(stand: Stand) -> bool:
    """Whether a git below the worker takes in what a host sends."""
    lines = []
    for pid in below(stand.processes["worker"].pid):
        try:
            lines.append(Path(f"/proc/{pid}/cmdline").read_bytes())
        except FileNotFoundError:
            continue  # it has ended meanwhile
    return any(b"index-pack" in line or b"unpack-objects" in line for line in lines)


@pytest.mark.parametrize(
    ("limit", "code", "said"),
    [
        ({"max_nodes_per_repository": 2}, "budget_exceeded", "2 nodes"),
        ({"max_paths_per_repository": 1}, "checkout_too_large", "paths"),
    ],
)
def test_a_budget_that_is_used_up_fails_the_job_for_good(
    stand: Stand, limit: dict[str, int], code: str, said: str
) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    assert run_here(stand, job_id, **limit) == "failed"
    job = stand.job(job_id)
    assert (job.state, job.attempt, job.error_code) == (JobState.FAILED, 1, code)
    assert said in str(job.error_message)


def test_a_job_that_heeds_its_soft_limit_fails_at_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.repo.commit(FILES)
    monkeypatch.setattr(failpoints, "_WAIT_SECONDS", 1.5)
    job_id = stand.request()
    changed = {"job_soft_limit_seconds": 1, "codeloom_failpoint": "checkout:wait"}
    assert run_here(stand, job_id, **changed) == "failed"
    assert stand.job(job_id).error_code == "budget_exceeded"


def test_a_job_that_heeds_no_limit_has_failed_before_its_process_is_ended(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.repo.commit(FILES)
    told: list[str | None] = []

    def stick() -> None:
        stand.until(lambda: stand.job(job_id).state is JobState.FAILED, "the job has failed")
        told.append(stand.job(job_id).error_code)

    monkeypatch.setattr(failpoints, "_stick", stick)
    job_id = stand.request()
    changed = {"job_hard_limit_seconds": 5, "codeloom_failpoint": "checkout:stick"}
    assert run_here(stand, job_id, **changed) == "lease_lost"
    assert told == ["budget_exceeded"]
    job = stand.job(job_id)
    assert (job.state, job.resets, job.error_code) == (JobState.FAILED, 0, "budget_exceeded")
