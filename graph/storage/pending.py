"""Artifacts on their way into the object store, or out of it: written down before it happens.

An attempt *announces* what it is about to store and commits that first; in the transaction that
makes its work visible the row of the artifact takes the place of the announcement. What an attempt
has announced and, when it is over, has not made visible is removed from the store: by itself, by
the next attempt at the job, or else by whoever looks after what is pending. What has a row and is
no longer wanted is *discarded*: in one transaction the row is gone and the removal is written down.
What jobs of one family hand to each other is *lent*: it has a row, and goes when the job that it is
lent to has ended, however that ends. So whenever a worker dies, the database still knows of every
object that may be there.

By its hash, one object may be wanted by several jobs of a tenant. Whoever announces it and whoever
removes it therefore pass one after the other, and none is removed that an artifact's row or an
attempt under way names: who announced it before keeps it, who does so afterwards stores it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)

from graph.errors import LeaseLost
from graph.model import names
from graph.model.ids import JobId, RepositoryNumber
from graph.storage import artifact_rows, locks
from graph.storage.artifacts import Artifact, ArtifactStore, artifact_key
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

pending_artifacts = Table(
    "pending_artifacts",
    metadata,
    tenant_column(),
    Column("job_id", Uuid, primary_key=True),
    # Of the attempt; 0 for what is lent to the job as a whole.
    Column("epoch", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    # To be removed, also while its job is running.
    Column("discarded", Boolean, nullable=False, server_default="false"),
    moment("announced_at", default_now=True),
    ForeignKeyConstraint(
        ["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.job_id"], ondelete="CASCADE"
    ),
)
Index(
    "pending_artifacts_object",
    pending_artifacts.c.tenant_id,
    pending_artifacts.c.kind,
    pending_artifacts.c.sha256,
)

_ANNOUNCE = text("""
-- Only by whoever has the job; a second time changes nothing.
insert into pending_artifacts (tenant_id, job_id, epoch, kind, sha256)
select tenant_id, job_id, epoch, :kind, :sha256 from jobs
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch and state = 'running'
on conflict (tenant_id, job_id, epoch, kind, sha256) do update set announced_at = now()
""")

_LEND = text("""
insert into pending_artifacts (tenant_id, job_id, epoch, kind, sha256)
select tenant_id, case when :to_parent then coalesce(parent_job_id, job_id) else job_id end, 0,
  :kind, :sha256
from jobs where tenant_id = :tenant_id and job_id = :job_id
on conflict (tenant_id, job_id, epoch, kind, sha256) do nothing
""")

_DISCARD = text("""
insert into pending_artifacts (tenant_id, job_id, epoch, kind, sha256, discarded)
values (:tenant_id, :job_id, :epoch, :kind, :sha256, true)
on conflict (tenant_id, job_id, epoch, kind, sha256) do update set discarded = true
""")

_FORGET = text("""
delete from pending_artifacts
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch
  and kind = :kind and sha256 = :sha256
""")

_SETTLED = text("""
-- What is lent to a job that was asked to go on meanwhile stays lent.
delete from pending_artifacts p
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch
  and kind = :kind and sha256 = :sha256
  and (p.discarded or p.epoch > 0 or not exists (
    select from jobs j
    where j.tenant_id = p.tenant_id and j.job_id = p.job_id and j.finished_at is null
  ))
""")

_LEFT = text("""
-- Not of attempts that are under way, and may still make it visible, nor of jobs that go on.
select job_id, epoch, kind, sha256 from pending_artifacts p
where tenant_id = :tenant_id and (cast(:job_id as uuid) is null or job_id = :job_id)
  and (p.discarded or not exists (
    select from jobs j where j.tenant_id = p.tenant_id and j.job_id = p.job_id
      and (j.epoch = p.epoch and j.state = 'running' or p.epoch = 0 and j.finished_at is null)
  ))
order by job_id, epoch, kind, sha256 limit :limit
""")

_NAMED = text("""
-- One statement: what is made visible meanwhile is either still announced or has its row. The row
-- of what was lent counts only as long as that.
select exists (
  select from pending_artifacts p
    join jobs j on j.tenant_id = p.tenant_id and j.job_id = p.job_id
      and (j.epoch = p.epoch and j.state = 'running' or p.epoch = 0 and j.finished_at is null)
  where p.tenant_id = :tenant_id and p.kind = :kind and p.sha256 = :sha256 and not p.discarded
) or :epoch > 0 and exists (
  select from artifacts a
  where a.tenant_id = :tenant_id and a.kind = :kind and a.sha256 = :sha256
)
""")


@dataclass(frozen=True, slots=True)
class Pending:
    """What an attempt has announced or discarded."""

    job_id: JobId
    epoch: int
    kind: str
    sha256: bytes


def announce(conn: Connection, *, job_id: JobId, epoch: int, artifact: Artifact) -> None:
    """The attempt may store this once the transaction has committed.

    Raises LeaseLost if the job is no longer its own.
    """
    which = _which(conn, Pending(job_id, epoch, artifact.kind, artifact.sha256))
    locks.wait_for(conn, _lock(conn, artifact.kind, artifact.sha256))
    if conn.execute(_ANNOUNCE, which).rowcount != 1:
        raise LeaseLost


def confirm(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    artifacts: Iterable[Artifact],
    repository: RepositoryNumber,
) -> None:
    """These are the tenant's from now on; to be called where it is known whose the job is."""
    for artifact in artifacts:
        artifact_rows.record(conn, artifact=artifact, repository=repository)
        conn.execute(_FORGET, _which(conn, Pending(job_id, epoch, artifact.kind, artifact.sha256)))


def lend(
    conn: Connection, *, job_id: JobId, artifacts: Iterable[Artifact], to_parent: bool = False
) -> None:
    """These have rows, and go when the job, or the one that asked for it, has ended."""
    for artifact in artifacts:
        which = _which(conn, Pending(job_id, 0, artifact.kind, artifact.sha256))
        conn.execute(_LEND, {**which, "to_parent": to_parent})


def discard(conn: Connection, unwanted: Iterable[Pending]) -> None:
    """These are to be removed, unless somebody else needs them; `settle` each afterwards."""
    for each in unwanted:
        conn.execute(_DISCARD, _which(conn, each))


def left(conn: Connection, *, job_id: JobId | None = None, limit: int) -> list[Pending]:
    """What is pending in the tenant, or of one job, of attempts that are over."""
    values = {"tenant_id": tenant_of(conn), "job_id": job_id, "limit": limit}
    rows = conn.execute(_LEFT, values)
    return [Pending(JobId(r.job_id), r.epoch, r.kind, bytes(r.sha256)) for r in rows]


def settle(conn: Connection, store: ArtifactStore, each: Pending) -> bool:
    """Whether its object was removed; it is no longer pending. For what `left` or `discard` had.

    One in a transaction: whoever announces the same waits for it. Raises StorageError if the store
    does not answer.
    """
    which = _which(conn, each)
    locks.wait_for(conn, _lock(conn, each.kind, each.sha256))
    named = bool(conn.execute(_NAMED, which).scalar_one())
    if not named:
        artifact_rows.forget(conn, kind=each.kind, sha256=each.sha256)
        store.delete(artifact_key(tenant_of(conn), each.kind, each.sha256))
    conn.execute(_SETTLED, which)
    return not named


def _which(conn: Connection, each: Pending) -> dict[str, Any]:
    return {
        "tenant_id": tenant_of(conn),
        "job_id": each.job_id,
        "epoch": each.epoch,
        "kind": each.kind,
        "sha256": each.sha256,
    }


def _lock(conn: Connection, kind: str, sha256: bytes) -> names.LockName:
    return names.lock(tenant_of(conn), "artifact", kind, sha256.hex())
