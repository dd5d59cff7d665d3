"""What a tenant may do with a job that there is: look at it, cancel it, have it tried again."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, or_, update

from graph.errors import JobNotCancellable, JobNotDead, JobNotFound, JobNotRetryable
from graph.model import names
from graph.model.ids import JobId, RepositoryNumber
from graph.model.jobs import ENDED, KIND_BY_NAME, LIVE, RETRYABLE, JobState
from graph.storage import repositories, signals
from graph.storage.jobs import admission, family
from graph.storage.jobs.reading import Job, job_of, one, query
from graph.storage.jobs.table import IS_LIVE, IS_TO_COME, jobs
from graph.storage.session import tenant_of

# A job that begins as if it had never been tried.
_ANEW: dict[str, Any] = {
    "state": JobState.QUEUED,
    "run_at": func.now(),
    "attempt": 0,
    "resets": 0,
    "put_off_since": None,
    "percent": 0,
    "stage": None,
    "files_done": 0,
    "files_total": 0,
    "finished_at": None,
    "error_code": None,
    "error_message": None,
}


def get(conn: Connection, *, job_id: JobId) -> Job:
    """The job; raises JobNotFound."""
    return one(conn, job_id)


def find_by_task(conn: Connection, *, task_id: str) -> Job:
    """The job that a Celery task is or was about; raises JobNotFound.

    Also for the task of an earlier dispatch, and for the bare id of the job.
    """
    try:
        job_id = names.job_of_task(task_id)
    except ValueError:
        raise JobNotFound from None
    return one(conn, job_id)


def list_page(
    conn: Connection,
    *,
    repository: RepositoryNumber | None = None,
    states: Iterable[JobState] = (),
    kind: str | None = None,
    parent: JobId | None = None,
    before: JobId | None = None,
    limit: int,
) -> list[Job]:
    """A page of the tenant's jobs, newest first."""
    found = query(conn).order_by(jobs.c.job_id.desc()).limit(limit)
    if repository is not None:
        found = found.where(jobs.c.repository == repository)
    if wanted := [str(state) for state in states]:
        found = found.where(jobs.c.state.in_(wanted))
    if kind is not None:
        found = found.where(jobs.c.kind == kind)
    if parent is not None:
        found = found.where(jobs.c.parent_job_id == parent)
    if before is not None:
        found = found.where(jobs.c.job_id < before)
    return [job_of(row) for row in conn.execute(found)]


def unfinished(conn: Connection, *, limit: int) -> list[Job]:
    """The tenant's jobs that have not ended: those under way first, then the oldest that wait."""
    live = jobs.c.state.in_(sorted(LIVE))
    found = (
        query(conn)
        .where(or_(IS_LIVE, IS_TO_COME))
        .order_by(live.desc(), jobs.c.job_id)
        .limit(limit)
    )
    return [job_of(row) for row in conn.execute(found)]


def cancel(conn: Connection, *, job_id: JobId) -> Job:
    """The job is cancelled, with all that it led to; a worker learns so at its next beat.

    Cancelling a cancelled job changes nothing. Raises JobNotFound, and JobNotCancellable when the
    job has ended otherwise.
    """
    below = family.hold_below(conn, job_id=job_id)
    if not _cancel(conn, [job_id]):
        job = one(conn, job_id)
        if job.state is not JobState.CANCELLED:
            raise JobNotCancellable
        return job
    # After it: a job that has ended is not queued again by the end of its last child.
    _cancel(conn, below)
    return one(conn, job_id)


def retry(conn: Connection, *, job_id: JobId) -> Job:
    """A job that ended without success waits again, with all its tries before it.

    Raises JobNotFound, JobNotRetryable when it has not ended or has succeeded or is of a kind of
    another release, RepositoryNotFound when its repository has been removed, and QuotaExceeded as
    a request does.
    """
    admission.queue_up(conn)
    ended = one(conn, job_id)
    kind = KIND_BY_NAME.get(ended.kind)
    if ended.state not in RETRYABLE or kind is None:
        raise JobNotRetryable
    if ended.repository is not None:
        repository = repositories.by_number(
            conn, number=ended.repository, removed_too=kind.of_removed
        )
        admission.check(conn, kind, repository)
    statement = (
        update(jobs)
        .where(
            jobs.c.tenant_id == tenant_of(conn),
            jobs.c.job_id == job_id,
            jobs.c.state.in_(sorted(RETRYABLE)),
        )
        .values(_ANEW)
    )
    conn.execute(statement)
    signals.tell(conn)
    return one(conn, job_id)


def discard(conn: Connection, *, job_id: JobId) -> Job:
    """A dead job is a failed one from now on, and no longer among those that somebody must look at.

    Raises JobNotFound, and JobNotDead for a job in any other state.
    """
    statement = (
        update(jobs)
        .where(
            jobs.c.tenant_id == tenant_of(conn),
            jobs.c.job_id == job_id,
            jobs.c.state == JobState.DEAD,
        )
        .values(state=JobState.FAILED)
    )
    discarded = conn.execute(statement).rowcount == 1
    job = one(conn, job_id)
    if not discarded:
        raise JobNotDead
    return job


def _cancel(conn: Connection, job_ids: list[JobId]) -> bool:
    which = jobs.c.tenant_id == tenant_of(conn), jobs.c.job_id.in_(job_ids)
    ended = {"state": JobState.CANCELLED, "finished_at": func.now()}
    freed = {"lease_until": None, "lease_owner": None}
    unfinished = jobs.c.state.not_in(sorted(ENDED))
    statement = update(jobs).where(*which, unfinished).values({**ended, **freed})
    if conn.execute(statement).rowcount == 0:
        return False
    signals.tell(conn)  # a slot may be free
    return True
