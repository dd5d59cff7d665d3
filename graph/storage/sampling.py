"""One snapshot out of all that a tenant's refs answer with, drawn to be checked."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from graph.model.ids import RepositoryNumber, SnapshotId, SnapshotNumber
from graph.storage import documents
from graph.storage.session import tenant_of

# Of the operators' events that tell of a snapshot that is not what its code says.
ACTION = "check_snapshot"
DIFFERS = "snapshot_differs"

_DRAW = text("""
-- Of this version of the pipeline: another may rightly have come to another graph.
select s.snapshot_id, s.snapshot, s.commit_sha, r.number, r.url
from refs f
  join tenants t on t.tenant_id = f.tenant_id and t.state = 'active'
  join repositories r on r.tenant_id = f.tenant_id and r.number = f.repository
    and r.deleted_at is null
  join snapshots s on s.tenant_id = f.tenant_id and s.repository = f.repository
    and s.snapshot = f.head
where f.tenant_id = :tenant_id and s.pipeline = :pipeline and s.document_count <= :most
order by random() limit 1
""")

_INCOMPLETE = text("""
-- Documents that have not as many rows as were stored for them.
select count(*) from snapshots s
  join documents d on d.tenant_id = s.tenant_id and d.repository = s.repository
    and d.document <@ s.documents
where s.tenant_id = :tenant_id and s.repository = :repository and s.snapshot = :snapshot and (
  d.node_count <> (
    select count(*) from nodes n
    where n.tenant_id = :tenant_id and n.repository = :repository and n.document = d.document
  )
  or d.edge_count <> (
    select count(*) from edges e
    where e.tenant_id = :tenant_id and e.repository = :repository and e.document = d.document
  )
)
""")

# What tells a document from any other: path, fingerprint and the digest of its nodes and edges.
Identity = tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Sample:
    """A published snapshot, as it is stored."""

    id: SnapshotId
    repository: RepositoryNumber
    url: str
    commit: str
    documents: frozenset[Identity]
    # Documents of which rows are missing, or too many.
    incomplete: int


def draw(conn: Connection, *, pipeline: str, most_documents: int) -> Sample | None:
    """A snapshot of the tenant; None if it has none that is small enough."""
    values = {"tenant_id": tenant_of(conn), "pipeline": pipeline, "most": most_documents}
    row = conn.execute(_DRAW, values).first()
    if row is None:
        return None
    repository, snapshot = RepositoryNumber(row.number), SnapshotNumber(row.snapshot)
    stored = documents.of_snapshot(conn, repository=repository, snapshot=snapshot)
    place = {"tenant_id": tenant_of(conn), "repository": repository, "snapshot": snapshot}
    return Sample(
        id=SnapshotId(row.snapshot_id),
        repository=repository,
        url=row.url,
        commit=row.commit_sha,
        documents=frozenset((each.path, each.fingerprint, each.resolution) for each in stored),
        incomplete=conn.execute(_INCOMPLETE, place).scalar_one(),
    )
