"""Dead jobs as operators see them: those of all tenants, whose workers died with them too often.

Needs a session for `administration`. An operator is told whose job it was and how it ended, not
what it was about: no ref, no path, no text that a repository could have written.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, and_, select, text

from graph.errors import JobNotDead, JobNotFound
from graph.model.ids import JobId, RepositoryId, TenantId
from graph.storage.jobs import admission, asking
from graph.storage.jobs.table import jobs
from graph.storage.repositories import repositories
from graph.storage.session import in_tenant

# In the words of the index `jobs_dead`.
_IS_DEAD = text("jobs.state = 'dead'")


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that is not tried again until somebody has looked at it."""

    id: JobId
    tenant_id: TenantId
    kind: str
    repository_id: RepositoryId | None
    large: bool
    stage: str | None  # where it was when the last worker died
    error_code: str | None
    attempt: int
    resets: int  # workers that died with it
    created_at: datetime
    died_at: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead jobs are wanted; what is not given is not asked about."""

    tenant_id: UUID | None = None
    kind: str | None = None
    error_code: str | None = None
    since: datetime | None = None  # when it died
    until: datetime | None = None


def list_page(
    conn: Connection, wanted: Filter, *, before: JobId | None = None, limit: int
) -> list[DeadJob]:
    """A page of the dead jobs of all tenants, newest first."""
    found = _query().order_by(jobs.c.job_id.desc()).limit(limit)
    equal = {
        jobs.c.tenant_id: wanted.tenant_id,
        jobs.c.kind: wanted.kind,
        jobs.c.error_code: wanted.error_code,
    }
    for column, value in equal.items():
        if value is not None:
            found = found.where(column == value)
    if wanted.since is not None:
        found = found.where(jobs.c.finished_at >= wanted.since)
    if wanted.until is not None:
        found = found.where(jobs.c.finished_at < wanted.until)
    if before is not None:
        found = found.where(jobs.c.job_id < before)
    return [_dead(row) for row in conn.execute(found)]


def get(conn: Connection, *, job_id: JobId) -> DeadJob:
    """The dead job; raises JobNotFound, also for one that is not dead."""
    return _one(conn, _query().where(jobs.c.job_id == job_id))


def replay(conn: Connection, dead: DeadJob) -> None:
    """The job waits again, with all its tries before it; the transaction is its tenant's then.

    Raises JobNotDead when somebody was faster, and what `jobs.retry` raises.
    """
    theirs = in_tenant(conn, dead.tenant_id)
    admission.queue_up(theirs)  # before the row, as a tenant's own retry
    _hold(theirs, dead)
    asking.retry(theirs, job_id=dead.id)


def discard(conn: Connection, dead: DeadJob) -> None:
    """The job is a failed one; the transaction is its tenant's then.

    Raises JobNotDead when somebody was faster.
    """
    asking.discard(in_tenant(conn, dead.tenant_id), job_id=dead.id)


def _hold(conn: Connection, dead: DeadJob) -> None:
    """Until the transaction ends nobody else does anything to the job."""
    statement = (
        select(jobs.c.job_id)
        .where(jobs.c.tenant_id == dead.tenant_id, jobs.c.job_id == dead.id, _IS_DEAD)
        .with_for_update(key_share=True)
    )
    if conn.execute(statement).first() is None:
        raise JobNotDead


def _query() -> Select[Any]:
    theirs = and_(
        repositories.c.tenant_id == jobs.c.tenant_id, repositories.c.number == jobs.c.repository
    )
    joined = jobs.outerjoin(repositories, theirs)
    return select(jobs, repositories.c.repository_id).select_from(joined).where(_IS_DEAD)


def _one(conn: Connection, query: Select[Any]) -> DeadJob:
    row = conn.execute(query).first()
    if row is None:
        raise JobNotFound
    return _dead(row)


def _dead(row: Row[Any]) -> DeadJob:
    return DeadJob(
        id=JobId(row.job_id),
        tenant_id=TenantId(row.tenant_id),
        kind=row.kind,
        repository_id=row.repository_id,
        large=row.large,
        stage=row.stage,
        error_code=row.error_code,
        attempt=row.attempt,
        resets=row.resets,
        created_at=row.created_at,
        died_at=row.finished_at,
    )
