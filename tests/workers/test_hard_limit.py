"""Jobs that heed nothing: a real worker ends their process, and nothing is lost or left by it."""

import os
from pathlib import Path

from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.storage import jobs, repositories
from graph.storage.session import tenant_session
from tests.workers import githost
from tests.workers.digest import digest
from tests.workers.gitrepo import Repo
from tests.workers.stand import Stand
from tests.workers.test_cancelling import (
    FILES,
    LATER,
    at_rest,
    below,
    nothing_is_left,
    run_here,
    waits,
)
from workers import facade

# What a job that heeds nothing is, is told a fifth before the hard limit. One that does nothing odd
# takes a twentieth of it.
LIMITS = {"JOB_SOFT_LIMIT_SECONDS": "5", "JOB_HARD_LIMIT_SECONDS": "6"}


def stuck(stand: Stand, job_id: JobId, place: str) -> list[int]:
    """The processes of a job that has come to this place: the worker's child, git and parsers."""
    stand.until(lambda: waits(stand, job_id, place), f"the job is stuck at {place}")
    found = below(stand.processes["worker"].pid)
    assert len(found) > 1
    return found


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids)


def errors(stand: Stand, job_id: JobId) -> list[str | None]:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        return [each.error_code for each in jobs.attempts(conn, job_id=job_id, limit=10)]


def test_what_heeds_no_limit_is_ended_with_its_processes_and_its_slot_is_free(
    stand: Stand, tmp_path: Path
) -> None:
    stand.repo.commit(FILES)
    failpoint = tmp_path / "failpoint"
    failpoint.write_text(":")
    assert run_here(stand, stand.request()) == "succeeded"
    before = digest(stand)
    stand.repo.commit(LATER)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT=f"@{failpoint}", **LIMITS)

    # It takes no exception for an answer, but its lease is kept, and says what it is.
    failpoint.write_text("parsing:stick")
    first = stand.request()
    processes = stuck(stand, first, "parsing")
    failpoint.write_text(":")
    ended = stand.ended(first)
    assert (ended.state, ended.error_code, ended.resets) == (JobState.FAILED, "budget_exceeded", 0)
    stand.until(lambda: gone(processes), "its processes are ended")
    nothing_is_left(stand)
    assert digest(stand) == before

    # It lets nobody else in its process work, not even who keeps its lease.
    failpoint.write_text("parsing:hold")
    second = stand.request()
    processes = stuck(stand, second, "parsing")
    stand.until(lambda: gone(processes), "its processes are ended")
    failpoint.write_text(":")
    ended = stand.ended(second)
    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert ended.resets in {1, 2}
    assert set(errors(stand, second)) == {None, "worker_lost"}
    # But for what it was uploading, which the clock removes when it is a day old.
    at_rest(stand)
    assert digest(stand) != before


def test_a_clone_that_stalls_ends_at_the_soft_limit_as_what_it_is(
    stand: Stand, slow_host: githost.Host, tmp_path: Path
) -> None:
    Repo(slow_host.root / "heavy").commit({"noise.bin": os.urandom(400_000), **FILES})
    slow_host.part_bytes, slow_host.pause_seconds = 4000, 0.5
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        url = f"{slow_host.url}/heavy/.git"
        repository = repositories.register(conn, url=url, name="heavy")
        job_id = facade.request_ingestion(conn, repository_id=repository.id).id
    stand.start_dispatcher()
    limits = {"JOB_SOFT_LIMIT_SECONDS": "2", "JOB_HARD_LIMIT_SECONDS": "120"}
    stand.start_worker(GIT_CA_FILE=str(tmp_path / "host.pem"), **limits)
    job = stand.ended(job_id)
    assert (job.state, job.error_code, job.resets) == (JobState.FAILED, "budget_exceeded", 0)
    nothing_is_left(stand)
