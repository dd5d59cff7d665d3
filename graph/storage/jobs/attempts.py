"""What became of each attempt of a job. The rows are written by the database, see the migration."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    select,
)

from graph.model import names
from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

job_attempts = Table(
    "job_attempts",
    metadata,
    tenant_column(),
    Column("job_id", Uuid, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("attempt", SmallInteger, nullable=False),
    Column("worker", Text),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    moment("ended_at"),
    Column("outcome", Text),
    Column("stage", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    ForeignKeyConstraint(
        ["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.job_id"], ondelete="CASCADE"
    ),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a job on a worker."""

    number: int  # as far as attempts count; one that was nobody's fault is repeated
    epoch: int
    task_id: str
    worker: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: JobState | None  # what the job went on to: queued means that it is tried again
    stage: str | None  # where it ended
    error_code: str | None
    error_message: str | None


def attempts(conn: Connection, *, job_id: JobId, after: int = 0, limit: int) -> list[Attempt]:
    """A page of the attempts of the tenant's job, oldest first; none for an unknown job."""
    attempt = job_attempts.c
    query = (
        select(job_attempts)
        .where(
            attempt.tenant_id == tenant_of(conn), attempt.job_id == job_id, attempt.epoch > after
        )
        .order_by(attempt.epoch)
        .limit(limit)
    )
    return [
        Attempt(
            number=row.attempt,
            epoch=row.epoch,
            task_id=names.task_id(JobId(row.job_id), row.epoch),
            worker=row.worker,
            started_at=row.started_at,
            ended_at=row.ended_at,
            outcome=JobState(row.outcome) if row.outcome is not None else None,
            stage=row.stage,
            error_code=row.error_code,
            error_message=row.error_message,
        )
        for row in conn.execute(query)
    ]
