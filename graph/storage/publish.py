"""Makes a snapshot visible: one transaction, or nothing.

In it, and in this order: the job's row is locked and still belongs to the caller under this epoch;
every document of the snapshot is there, with as many rows under it as were loaded; the snapshot is
written, and so are the rows of the artifacts that were stored for it; the heads of its refs move
forward; the job has succeeded. A reader sees all of it or
none. The commit waits for the disk, and with it for every batch that was loaded before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, LargeBinary, Row, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from graph.errors import LeaseLost, SnapshotIncomplete
from graph.model.ids import JobId, RepositoryNumber, new_id
from graph.storage import counters, pending, refs
from graph.storage.artifacts import Artifact
from graph.storage.jobs import family, holding
from graph.storage.jobs.family import FollowUp
from graph.storage.jobs.holding import Counts
from graph.storage.load import Loaded
from graph.storage.session import tenant_of
from graph.storage.snapshots import Snapshot, ranges, snapshot_of

_WAIT_FOR_DISK = text("set local synchronous_commit = on")

_OURS = text("""
-- The job, held against the reaper and against cancelling until the transaction ends.
select generation, force from jobs
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch and state = 'running'
for no key update
""")

_PRESENT = text("""
-- What is there of a set of documents.
select count(*) as documents, coalesce(sum(d.node_count), 0) as nodes,
  coalesce(sum(d.edge_count), 0) as edges
from unnest(cast(:documents as int4multirange)) as member
join documents d on d.document >= lower(member) and d.document < upper(member)
where d.tenant_id = :tenant_id and d.repository = :repository
""")

_COUNTED = text("""
-- How many rows really lie under a set of documents.
select
  (select count(*) from nodes n where n.tenant_id = :tenant_id and n.repository = :repository
    and n.document >= lower(member) and n.document < upper(member)) as nodes,
  (select count(*) from edges e where e.tenant_id = :tenant_id and e.repository = :repository
    and e.document >= lower(member) and e.document < upper(member)) as edges
from unnest(cast(:documents as int4multirange)) as member
""")

_INSERT = text("""
insert into snapshots (tenant_id, repository, snapshot, snapshot_id, commit_sha, tree_sha,
  pipeline, ref, job_id, documents, document_count, node_count, edge_count, facts_packs,
  resolution, report)
values (:tenant_id, :repository, :snapshot, :snapshot_id, :commit, :tree, :pipeline, :ref, :job_id,
  cast(:documents as int4multirange), :document_count, :node_count, :edge_count, :facts_packs,
  :resolution, :report)
returning *
""").bindparams(
    bindparam("snapshot_id", type_=Uuid),
    bindparam("job_id", type_=Uuid),
    bindparam("facts_packs", type_=ARRAY(LargeBinary)),
    bindparam("report", type_=JSONB),
)


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """What is to be published."""

    repository: RepositoryNumber
    commit: str
    tree: str
    pipeline: str  # the version of parsers, resolution and storage that made it
    loaded: Loaded
    ref: str | None = None  # the ref it was made for, as it is shown
    heads: tuple[str, ...] = ()  # the refs that shall answer with it
    facts_packs: tuple[bytes, ...] = ()  # sha256 of each
    resolution: bytes | None = None  # sha256 of the record of its resolution
    artifacts: tuple[Artifact, ...] = ()  # that the attempt has announced and stored


def publish(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    snapshot: NewSnapshot,
    report: dict[str, Any],
    then: Sequence[FollowUp] = (),
) -> Snapshot:
    """The snapshot, visible once the session's transaction commits; the job has succeeded then.

    And what it asks for is made (`then`).

    Raises LeaseLost if the job is no longer ours, SnapshotIncomplete if something that was loaded
    is not there. Let both leave the session, so that it is rolled back.
    """
    conn.execute(_WAIT_FOR_DISK)
    if then:
        family.hold(conn)
    job = _ours(conn, job_id, epoch)
    present = _check(conn, snapshot, ranges(snapshot.loaded.documents))
    pending.confirm(
        conn,
        job_id=job_id,
        epoch=epoch,
        artifacts=snapshot.artifacts,
        repository=snapshot.repository,
    )
    published = _insert(conn, job_id, snapshot, present, report)
    _move(conn, job, published, snapshot.heads)
    _tell(conn, job_id, epoch, published)
    holding.finish(
        conn,
        job_id=job_id,
        epoch=epoch,
        report=report,
        snapshot_id=published.id,
        then=then,
    )
    return published


def _insert(
    conn: Connection,
    job_id: JobId,
    snapshot: NewSnapshot,
    present: Row[Any],
    report: dict[str, Any],
) -> Snapshot:
    row = conn.execute(
        _INSERT,
        {
            "tenant_id": tenant_of(conn),
            "repository": snapshot.repository,
            "snapshot": counters.take(conn, name="snapshots", repository=snapshot.repository),
            "snapshot_id": new_id(),
            "commit": snapshot.commit,
            "tree": snapshot.tree,
            "pipeline": snapshot.pipeline,
            "ref": snapshot.ref,
            "job_id": job_id,
            "documents": ranges(snapshot.loaded.documents),
            "document_count": present.documents,
            "node_count": present.nodes,
            "edge_count": present.edges,
            "facts_packs": list(snapshot.facts_packs),
            "resolution": snapshot.resolution,
            "report": report,
        },
    ).one()
    return snapshot_of(row)


def publish_again(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    snapshot: Snapshot,
    heads: Iterable[str],
    report: dict[str, Any],
    then: Sequence[FollowUp] = (),
) -> None:
    """The refs answer with a snapshot that exists; the job has succeeded without a new one.

    Raises LeaseLost if the job is no longer ours.
    """
    conn.execute(_WAIT_FOR_DISK)
    if then:
        family.hold(conn)
    job = _ours(conn, job_id, epoch)
    _move(conn, job, snapshot, heads)
    _tell(conn, job_id, epoch, snapshot)
    holding.finish(
        conn,
        job_id=job_id,
        epoch=epoch,
        report=report,
        snapshot_id=snapshot.id,
        then=then,
    )


def _tell(conn: Connection, job_id: JobId, epoch: int, snapshot: Snapshot) -> None:
    """The job is as far as it goes: what its progress last said was of a moment before the end."""
    holding.progress(
        conn,
        job_id=job_id,
        epoch=epoch,
        stage="publish",
        done=snapshot.documents,
        total=snapshot.documents,
        percent=100,
        counts=Counts(nodes=snapshot.nodes, edges=snapshot.edges),
    )


def _ours(conn: Connection, job_id: JobId, epoch: int) -> Row[Any]:
    held = {"tenant_id": tenant_of(conn), "job_id": job_id, "epoch": epoch}
    job = conn.execute(_OURS, held).first()
    if job is None:
        raise LeaseLost
    return job


def _check(conn: Connection, snapshot: NewSnapshot, documents: str) -> Row[Any]:
    """What is there of the snapshot; raises SnapshotIncomplete when that is not all."""
    loaded = snapshot.loaded
    place = {"tenant_id": tenant_of(conn), "repository": snapshot.repository}
    present = conn.execute(_PRESENT, {**place, "documents": documents}).one()
    if present.documents != len(loaded.documents):
        raise SnapshotIncomplete
    counted = conn.execute(_COUNTED, {**place, "documents": ranges(loaded.new)}).all()
    nodes = sum(row.nodes for row in counted)
    edges = sum(row.edges for row in counted)
    if (nodes, edges) != (loaded.nodes, loaded.edges):
        raise SnapshotIncomplete
    return present


def _move(conn: Connection, job: Row[Any], snapshot: Snapshot, heads: Iterable[str]) -> None:
    for name in heads:
        refs.move(
            conn,
            repository=snapshot.repository,
            name=name,
            head=snapshot.number,
            generation=job.generation or 0,
            forced=job.force,
        )
