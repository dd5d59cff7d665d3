"""What an error means for its job: done, tried again, later, or failed; and what is said of it."""

import errno
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import text

from graph.errors import (
    BudgetExceeded,
    CodeloomError,
    HostRefused,
    HostUnreachable,
    JobCancelled,
    RefNotFound,
    StorageError,
)
from graph.model.jobs import JobState
from graph.storage import jobs
from graph.storage.session import system_session, tenant_session
from parsers.sandbox import ParserDidNotStart
from tests.workers.stand import Stand
from workers.git.errors import ScratchFull
from workers.stopping import WorkerStops
from workers.tasks import jobs as tasks

QUEUED, FAILED = JobState.QUEUED, JobState.FAILED


@pytest.mark.parametrize(
    ("error", "state", "attempt", "code"),
    [
        (StorageError(), QUEUED, 1, "storage_unavailable"),
        (HostUnreachable(), QUEUED, 1, "host_unreachable"),
        (ParserDidNotStart("x"), QUEUED, 1, "parsers_unavailable"),
        (HostRefused(), QUEUED, 0, "host_refused"),
        (ScratchFull(), QUEUED, 0, "scratch_full"),
        (OSError(errno.ENOSPC, "no space"), QUEUED, 0, "scratch_full"),
        (WorkerStops(), QUEUED, 0, "worker_stops"),
        (RefNotFound("no such ref"), FAILED, 1, "ref_not_found"),
        (BudgetExceeded(), FAILED, 1, "budget_exceeded"),
        (SoftTimeLimitExceeded(), FAILED, 1, "budget_exceeded"),
        (MemoryError(), FAILED, 1, "budget_exceeded"),
        (KeyError("secret of a tenant"), FAILED, 1, "internal_error"),
        (OSError(errno.EIO, "/our/path"), FAILED, 1, "internal_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_becomes_one_outcome(
    stand: Stand,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    state: JobState,
    attempt: int,
    code: str,
) -> None:
    job_id = stand.request("main")
    with system_session("dispatch", settings=stand.settings) as conn:
        (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setitem(tasks.WORK, "ingest", fail)
    tasks.run(stand.tenant_id, job_id, chosen.epoch, stand.settings)
    job = stand.job(job_id)
    assert (job.state, job.attempt, job.error_code) == (state, attempt, code)
    assert job.error_message
    assert "secret" not in job.error_message
    assert "/our" not in job.error_message


def test_a_passing_error_is_final_after_the_last_try(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageError

    monkeypatch.setitem(tasks.WORK, "ingest", fail)
    monkeypatch.setattr("graph.model.jobs._FIRST_DELAY_SECONDS", 0.0)
    job_id = stand.request("main")
    states = []
    for _ in range(4):
        with system_session("dispatch", settings=stand.settings) as conn:
            (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)
        tasks.run(stand.tenant_id, job_id, chosen.epoch, stand.settings)
        states.append(stand.job(job_id).state)
    assert states == [QUEUED, QUEUED, QUEUED, FAILED]


def test_what_ends_a_cancelled_job_is_not_its_failure(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stand.request("main")
    with system_session("dispatch", settings=stand.settings) as conn:
        (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)

    def fail(held: object, _: object) -> None:
        stand.cancel(job_id)
        stand.until(held.should_stop, "the job knows")  # type: ignore[attr-defined]
        raise CodeloomError("something broke on the way out")

    monkeypatch.setitem(tasks.WORK, "ingest", fail)
    assert tasks.run(stand.tenant_id, job_id, chosen.epoch, stand.settings) == JobCancelled.code
    job = stand.job(job_id)
    assert (job.state, job.error_code) == (JobState.CANCELLED, None)


def test_a_job_is_not_put_off_for_ever(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that always refuses ends it in the end; a worker that stops never does."""
    job_id = stand.request("main")

    def put_off(error: Exception, *, days: int) -> tuple[JobState, str | None]:
        """The job is tried, having been put off so many days ago if it was before."""
        with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
            conn.execute(
                text("update jobs set run_at = now(), put_off_since = put_off_since - :since"),
                {"since": timedelta(days=days)},
            )
        with system_session("dispatch", settings=stand.settings) as conn:
            (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setitem(tasks.WORK, "ingest", fail)
        tasks.run(stand.tenant_id, job_id, chosen.epoch, stand.settings)
        job = stand.job(job_id)
        return job.state, job.error_code

    assert put_off(HostRefused(), days=0) == (QUEUED, "host_refused")
    assert put_off(HostRefused(), days=1) == (QUEUED, "host_refused")
    assert put_off(WorkerStops(), days=3) == (QUEUED, "worker_stops")
    # Something else came between: it has not been refused all the time.
    assert put_off(HostRefused(), days=3) == (QUEUED, "host_refused")
    assert put_off(HostRefused(), days=3) == (FAILED, "host_refused")
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        jobs.retry(conn, job_id=job_id)
    assert put_off(HostRefused(), days=0) == (QUEUED, "host_refused")
