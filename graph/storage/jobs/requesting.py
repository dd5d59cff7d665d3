"""How a request becomes a job: a new one, or the one there is.

Asking twice gives one job: a job that waits will look at the ref when it starts, so a second one
for the same ref adds nothing.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, text, update

from graph.model.ids import ApiKeyId, JobId, RepositoryNumber, new_id
from graph.model.jobs import INGEST, LARGE_FILES, MAX_ATTEMPTS, JobKind, JobState
from graph.storage import counters, signals
from graph.storage.jobs import admission
from graph.storage.jobs.flights import flight
from graph.storage.jobs.reading import Job, job_of, one, query
from graph.storage.jobs.table import IS_TO_COME, jobs
from graph.storage.repositories import Repository
from graph.storage.session import tenant_of

_IS_LARGE = text("""
select document_count >= :files from snapshots
where tenant_id = :tenant_id and repository = :repository order by snapshot desc limit 1
""")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request asks for."""

    kind: JobKind
    repository: RepositoryNumber
    ref: str | None
    commit: str | None
    force: bool

    @property
    def flight(self) -> str:
        """Jobs that must not run at once."""
        return flight(self.kind, self.ref, self.commit)


def request(
    conn: Connection,
    *,
    repository: Repository,
    kind: JobKind = INGEST,
    ref: str | None = None,
    commit: str | None = None,
    force: bool = False,
    priority: int = 0,
    created_by: ApiKeyId | None = None,
    trace_parent: str | None = None,
) -> Job:
    """A job of this kind: a new one, or the one that already waits for the same.

    An ingestion without a ref is of the repository's default one; with a commit and no ref, a
    snapshot is made and no head is moved. Raises QuotaExceeded when too many jobs wait or the month
    is used up.
    """
    if kind.reads_remote and ref is None and commit is None:
        ref = repository.default_ref
    asked = _Asked(kind, repository.number, ref, commit, force)
    admission.queue_up(conn)
    waiting = _waiting(conn, asked)
    if waiting is not None and waiting.commit == asked.commit:
        return _join(conn, waiting, asked)
    if waiting is not None and (waiting.state is JobState.WAITING or waiting.parent_id is not None):
        # It has children at work, or is one that somebody waits for: it keeps its own commit.
        waiting = None
    if waiting is None:  # else it takes the place of that one
        admission.check(conn, kind, repository)
    told = {"priority": priority, "created_by": created_by, "trace_parent": trace_parent}
    return _insert(conn, asked, told, replaced=waiting)


def _waiting(conn: Connection, asked: _Asked) -> Job | None:
    """The newest job of the flight that has yet to start, held until the transaction ends.

    Or to start anew, when the children that it waits for have ended.
    """
    found = (
        query(conn)
        .where(
            jobs.c.repository == asked.repository,
            jobs.c.flight == asked.flight,
            jobs.c.kind == asked.kind.name,
            IS_TO_COME,
        )
        .order_by(jobs.c.job_id.desc())
        .limit(1)
        .with_for_update(of=jobs)
    )
    row = conn.execute(found).first()
    return job_of(row) if row is not None else None


def _join(conn: Connection, waiting: Job, asked: _Asked) -> Job:
    """The waiting job also answers this request, and no longer waits for a later try."""
    values: dict[str, Any] = {
        "force": waiting.force or asked.force,
        "run_at": func.least(jobs.c.run_at, func.now()),
    }
    which = jobs.c.tenant_id == tenant_of(conn), jobs.c.job_id == waiting.id
    conn.execute(update(jobs).where(*which).values(values))
    signals.tell(conn)
    return one(conn, waiting.id)


def _insert(conn: Connection, asked: _Asked, told: dict[str, Any], *, replaced: Job | None) -> Job:
    job_id = JobId(new_id())
    values = {
        "kind": asked.kind.name,
        "repository": asked.repository,
        "ref": asked.ref,
        "commit_sha": asked.commit,
        "force": asked.force or (replaced is not None and replaced.force),
        "flight": asked.flight,
        "large": _is_large(conn, asked.repository),
        **told,
    }
    if asked.commit is not None:
        # Which commit to look at is decided now; see `graph.storage.refs`.
        values["generation"] = counters.take(conn, name="generations", repository=asked.repository)
    new = insert(jobs).values(
        tenant_id=tenant_of(conn), job_id=job_id, max_attempts=MAX_ATTEMPTS, **values
    )
    conn.execute(new)
    if replaced is not None:
        which = jobs.c.tenant_id == tenant_of(conn), jobs.c.job_id == replaced.id
        ended = {"state": JobState.SUPERSEDED, "superseded_by": job_id, "finished_at": func.now()}
        conn.execute(update(jobs).where(*which).values(ended))
    signals.tell(conn)
    return one(conn, job_id)


def _is_large(conn: Connection, repository: RepositoryNumber) -> bool:
    """Whether the repository was large when it was last published; before that, it is not."""
    values = {"tenant_id": tenant_of(conn), "repository": repository, "files": LARGE_FILES}
    return bool(conn.execute(_IS_LARGE, values).scalar_one_or_none())
