"""What a tenant may do with jobs: ask for one, watch, cancel, try again.

Asking twice gives one job: by the idempotency key of the request, and by coalescing, since a job
that waits will look at the ref when it starts, so a second one for the same ref adds nothing.
"""

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from graph.errors import (
    IdempotencyKeyReused,
    JobNotCancellable,
    JobNotFound,
    JobNotRetryable,
    QuotaExceeded,
    TenantValidationError,
)
from graph.model.ids import ApiKeyId, JobId, RepositoryNumber, new_id
from graph.model.jobs import ENDED, JOB_KINDS, MAX_ATTEMPTS, RETRYABLE, JobState
from graph.storage import counters, signals
from graph.storage.jobs.reading import Job, job_of, one, query
from graph.storage.jobs.table import jobs
from graph.storage.refs import DEFAULT
from graph.storage.repositories import Repository
from graph.storage.session import tenant_of
from graph.storage.tenants import plans, tenants

_KINDS = frozenset(kind.name for kind in JOB_KINDS)
_KEY_BYTES = 255

# Requests of one flight are made one after the other, so that none misses the other's job.
_QUEUE_UP = text("select pg_advisory_xact_lock(hashtextextended(:flight, 0))")


def request(
    conn: Connection,
    *,
    repository: Repository,
    kind: str = "ingest",
    ref: str | None = None,
    commit: str | None = None,
    force: bool = False,
    idempotency_key: str | None = None,
    priority: int = 0,
    created_by: ApiKeyId | None = None,
    trace_parent: str | None = None,
) -> Job:
    """A job that will bring the ref to its commit: a new one, or the one that already waits for it.

    Without a ref it is the repository's default one. With a commit and no ref, a snapshot is made
    and no head is moved. Raises QuotaExceeded when too many jobs wait, IdempotencyKeyReused when
    the key came with another request, TenantValidationError for an impossible key or kind.
    """
    if kind not in _KINDS:
        raise TenantValidationError("There is no such kind of job.")
    _check_key(idempotency_key)
    if ref is None and commit is None:
        ref = repository.default_ref
    flight = f"commit:{commit}" if ref is None and commit else f"ref:{ref or DEFAULT}"
    asked = {"kind": kind, "repository": repository.number, "ref": ref, "commit_sha": commit}
    fingerprint = hashlib.sha256(msgspec.json.encode([*asked.values(), force])).digest()
    conn.execute(_QUEUE_UP, {"flight": f"{tenant_of(conn)}/{repository.number}/{flight}"})
    if idempotency_key is not None:
        known = _by_key(conn, idempotency_key, fingerprint)
        if known is not None:
            return known
    waiting = _waiting(conn, repository.number, flight, kind)
    if waiting is not None and _same(waiting, commit=commit, key=idempotency_key):
        return _join(conn, waiting, force=force, key=idempotency_key, fingerprint=fingerprint)
    _check_quota(conn)
    values = {
        **asked,
        "force": force or (waiting is not None and waiting.force),
        "flight": flight,
        "priority": priority,
        "idempotency_key": idempotency_key,
        "request_fingerprint": fingerprint,
        "created_by": created_by,
        "trace_parent": trace_parent,
    }
    if commit is not None:
        generation = counters.take(conn, name="generations", repository=repository.number)
        values["generation"] = generation
    return _insert(conn, values, replaced=waiting)


def get(conn: Connection, *, job_id: JobId) -> Job:
    """The job; raises JobNotFound."""
    return one(conn, job_id)


def find_by_task(conn: Connection, *, task_id: str) -> Job:
    """The job that a Celery task is or was about; raises JobNotFound.

    Also for the task of an earlier dispatch, and for the bare id of the job.
    """
    try:
        job_id = JobId(UUID(task_id.partition(".")[0]))
    except ValueError:
        raise JobNotFound from None
    return one(conn, job_id)


def list_page(
    conn: Connection,
    *,
    repository: RepositoryNumber | None = None,
    states: Iterable[JobState] = (),
    kind: str | None = None,
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
    if before is not None:
        found = found.where(jobs.c.job_id < before)
    return [job_of(row) for row in conn.execute(found)]


def cancel(conn: Connection, *, job_id: JobId) -> Job:
    """The job is cancelled; a worker that holds it learns so at its next beat.

    Cancelling a cancelled job changes nothing. Raises JobNotFound, and JobNotCancellable when the
    job has ended otherwise.
    """
    if not _cancel(conn, job_id):
        job = one(conn, job_id)
        if job.state is not JobState.CANCELLED:
            raise JobNotCancellable
        return job
    return one(conn, job_id)


def retry(conn: Connection, *, job_id: JobId) -> Job:
    """A job that ended without success waits again, with all its tries before it.

    Raises JobNotFound, and JobNotRetryable when it has not ended or has succeeded.
    """
    statement = (
        update(jobs)
        .where(
            jobs.c.tenant_id == tenant_of(conn),
            jobs.c.job_id == job_id,
            jobs.c.state.in_(sorted(RETRYABLE)),
        )
        .values(
            state=JobState.QUEUED,
            run_at=func.now(),
            attempt=0,
            resets=0,
            percent=0,
            stage=None,
            finished_at=None,
            error_code=None,
            error_message=None,
        )
    )
    if conn.execute(statement).rowcount == 0:
        one(conn, job_id)
        raise JobNotRetryable
    signals.tell(conn)
    return one(conn, job_id)


def _cancel(conn: Connection, job_id: JobId) -> bool:
    which = jobs.c.tenant_id == tenant_of(conn), jobs.c.job_id == job_id
    ended = {"state": JobState.CANCELLED, "finished_at": func.now()}
    freed = {"lease_until": None, "lease_owner": None}
    unfinished = jobs.c.state.not_in(sorted(ENDED))
    statement = update(jobs).where(*which, unfinished).values({**ended, **freed})
    if conn.execute(statement).rowcount == 0:
        return False
    signals.tell(conn)  # a slot may be free
    return True


def _same(waiting: Job, *, commit: str | None, key: str | None) -> bool:
    """Whether a request adds nothing to a waiting job. A job can carry one idempotency key."""
    return waiting.commit == commit and (key is None or waiting.idempotency_key is None)


def _join(
    conn: Connection, waiting: Job, *, force: bool, key: str | None, fingerprint: bytes
) -> Job:
    """The waiting job also answers this request, and no longer waits for a later try."""
    values: dict[str, Any] = {
        "force": waiting.force or force,
        "run_at": func.least(jobs.c.run_at, func.now()),
    }
    if key is not None:
        values |= {"idempotency_key": key, "request_fingerprint": fingerprint}
    which = jobs.c.tenant_id == tenant_of(conn), jobs.c.job_id == waiting.id
    conn.execute(update(jobs).where(*which).values(values))
    signals.tell(conn)
    return one(conn, waiting.id)


def _insert(conn: Connection, values: dict[str, Any], *, replaced: Job | None) -> Job:
    job_id = JobId(new_id())
    new = insert(jobs).values(
        tenant_id=tenant_of(conn), job_id=job_id, max_attempts=MAX_ATTEMPTS, **values
    )
    unless_known = new.on_conflict_do_nothing(
        index_elements=["tenant_id", "idempotency_key"],
        index_where=jobs.c.idempotency_key.is_not(None),
    )
    if conn.execute(unless_known).rowcount == 0:
        # The same key at the same moment, for another flight: so for another request.
        raise IdempotencyKeyReused
    if replaced is not None:
        which = jobs.c.tenant_id == tenant_of(conn), jobs.c.job_id == replaced.id
        ended = {"state": JobState.SUPERSEDED, "superseded_by": job_id, "finished_at": func.now()}
        conn.execute(update(jobs).where(*which).values(ended))
    signals.tell(conn)
    return one(conn, job_id)


def _by_key(conn: Connection, key: str, fingerprint: bytes) -> Job | None:
    row = conn.execute(query(conn).where(jobs.c.idempotency_key == key)).first()
    if row is None:
        return None
    if row.request_fingerprint != fingerprint:
        raise IdempotencyKeyReused
    return job_of(row)


def _waiting(conn: Connection, repository: RepositoryNumber, flight: str, kind: str) -> Job | None:
    """The newest job of the flight that has not started, held until the transaction ends."""
    found = (
        query(conn)
        .where(
            jobs.c.repository == repository,
            jobs.c.flight == flight,
            jobs.c.kind == kind,
            jobs.c.state == JobState.QUEUED,
        )
        .order_by(jobs.c.job_id.desc())
        .limit(1)
        .with_for_update(of=jobs)
    )
    row = conn.execute(found).first()
    return job_of(row) if row is not None else None


def _check_quota(conn: Connection) -> None:
    waiting = select(func.count()).where(
        jobs.c.tenant_id == tenant_of(conn), jobs.c.state == JobState.QUEUED
    )
    allowed = (
        select(plans.c.max_queued)
        .join(tenants, tenants.c.plan == plans.c.code)
        .where(tenants.c.tenant_id == tenant_of(conn))
    )
    if conn.execute(waiting).scalar_one() >= conn.execute(allowed).scalar_one():
        raise QuotaExceeded("The plan of the tenant allows no more waiting jobs.")


def _check_key(key: str | None) -> None:
    if key is not None and not (0 < len(key) <= _KEY_BYTES and key.isascii() and key.isprintable()):
        raise TenantValidationError(
            f"An idempotency key has 1 to {_KEY_BYTES} printable ASCII characters."
        )
