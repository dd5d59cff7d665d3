"""How a request becomes a job: a new one, or the one there is.

Asking twice gives one job: by the idempotency key of the request, and by coalescing, since a job
that waits will look at the ref when it starts, so a second one for the same ref adds nothing.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, text, update
from sqlalchemy.dialects.postgresql import insert

from graph.errors import IdempotencyKeyReused, QuotaExceeded, TenantValidationError
from graph.model.ids import ApiKeyId, JobId, RepositoryNumber, new_id
from graph.model.jobs import JOB_KINDS, MAX_ATTEMPTS, JobState
from graph.storage import counters, signals
from graph.storage.jobs.reading import Job, job_of, one, query
from graph.storage.jobs.table import jobs
from graph.storage.refs import DEFAULT
from graph.storage.repositories import Repository
from graph.storage.session import tenant_of

_KINDS = frozenset(kind.name for kind in JOB_KINDS)
_KEY_BYTES = 255

# Requests of one flight are made one after the other, so that none misses the other's job.
_QUEUE_UP = text("select pg_advisory_xact_lock(hashtextextended(:flight, 0))")

_QUEUE_IS_FULL = text("""
-- Whether as many jobs wait as may; counts no further than that.
select (
  select count(*) from (
    select from jobs where tenant_id = :tenant_id and state = 'queued' limit p.max_queued
  ) waiting
) >= p.max_queued
from tenants t join plans p on p.code = t.plan
where t.tenant_id = :tenant_id
""")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request asks for, and by what it is known."""

    kind: str
    repository: RepositoryNumber
    ref: str | None
    commit: str | None
    force: bool
    key: str | None

    @property
    def flight(self) -> str:
        """Jobs that must not run at once."""
        if self.ref is None and self.commit is not None:
            return f"commit:{self.commit}"
        return f"ref:{self.ref or DEFAULT}"

    @property
    def fingerprint(self) -> bytes:
        """Equal for requests that ask for the same."""
        parts = [self.kind, self.repository, self.ref, self.commit, self.force]
        return hashlib.sha256(msgspec.json.encode(parts)).digest()


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
    if ref is None and commit is None:
        ref = repository.default_ref
    asked = _Asked(kind, repository.number, ref, commit, force, idempotency_key)
    _check(asked)
    flight = f"{tenant_of(conn)}/{repository.number}/{asked.flight}"
    conn.execute(_QUEUE_UP, {"flight": flight})
    known = _by_key(conn, asked)
    if known is not None:
        return known
    waiting = _waiting(conn, asked)
    if waiting is not None and _same(waiting, asked):
        return _join(conn, waiting, asked)
    _check_quota(conn)
    told = {"priority": priority, "created_by": created_by, "trace_parent": trace_parent}
    return _insert(conn, asked, told, replaced=waiting)


def _check(asked: _Asked) -> None:
    if asked.kind not in _KINDS:
        raise TenantValidationError("There is no such kind of job.")
    key = asked.key
    if key is not None and not (0 < len(key) <= _KEY_BYTES and key.isascii() and key.isprintable()):
        raise TenantValidationError(
            f"An idempotency key has 1 to {_KEY_BYTES} printable ASCII characters."
        )


def _by_key(conn: Connection, asked: _Asked) -> Job | None:
    if asked.key is None:
        return None
    row = conn.execute(query(conn).where(jobs.c.idempotency_key == asked.key)).first()
    if row is None:
        return None
    if row.request_fingerprint != asked.fingerprint:
        raise IdempotencyKeyReused
    return job_of(row)


def _waiting(conn: Connection, asked: _Asked) -> Job | None:
    """The newest job of the flight that has not started, held until the transaction ends."""
    found = (
        query(conn)
        .where(
            jobs.c.repository == asked.repository,
            jobs.c.flight == asked.flight,
            jobs.c.kind == asked.kind,
            jobs.c.state == JobState.QUEUED,
        )
        .order_by(jobs.c.job_id.desc())
        .limit(1)
        .with_for_update(of=jobs)
    )
    row = conn.execute(found).first()
    return job_of(row) if row is not None else None


def _same(waiting: Job, asked: _Asked) -> bool:
    """Whether a request adds nothing to a waiting job. A job can carry one idempotency key."""
    return waiting.commit == asked.commit and (asked.key is None or waiting.idempotency_key is None)


def _join(conn: Connection, waiting: Job, asked: _Asked) -> Job:
    """The waiting job also answers this request, and no longer waits for a later try."""
    values: dict[str, Any] = {
        "force": waiting.force or asked.force,
        "run_at": func.least(jobs.c.run_at, func.now()),
    }
    if asked.key is not None:
        values |= {"idempotency_key": asked.key, "request_fingerprint": asked.fingerprint}
    which = jobs.c.tenant_id == tenant_of(conn), jobs.c.job_id == waiting.id
    conn.execute(update(jobs).where(*which).values(values))
    signals.tell(conn)
    return one(conn, waiting.id)


def _insert(conn: Connection, asked: _Asked, told: dict[str, Any], *, replaced: Job | None) -> Job:
    job_id = JobId(new_id())
    values = {
        "kind": asked.kind,
        "repository": asked.repository,
        "ref": asked.ref,
        "commit_sha": asked.commit,
        "force": asked.force or (replaced is not None and replaced.force),
        "flight": asked.flight,
        "idempotency_key": asked.key,
        "request_fingerprint": asked.fingerprint,
        **told,
    }
    if asked.commit is not None:
        # Which commit to look at is decided now; see `graph.storage.refs`.
        values["generation"] = counters.take(conn, name="generations", repository=asked.repository)
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


def _check_quota(conn: Connection) -> None:
    if conn.execute(_QUEUE_IS_FULL, {"tenant_id": tenant_of(conn)}).scalar_one():
        raise QuotaExceeded("The plan of the tenant allows no more waiting jobs.")
