"""One snapshot out of all that a tenant's refs answer with, drawn to be checked."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from graph.model.ids import DocumentId, RepositoryNumber, SnapshotId, SnapshotNumber
from graph.model.rows import DocumentRow, DocumentRows
from graph.storage import copying, documents
from graph.storage.copying import Numbered
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

# The columns in the order in which `copying` has them.
_NODES = text("""
select document, id, kind, name, qualified_name, parent, line, utf16_column, start_line, end_line,
  flags, signature, doc, symbol
from nodes
where tenant_id = :tenant_id and repository = :repository and document = any(:documents)
""")
_EDGES = text("""
select document, src, dst, kind, certainty, rule, candidates, line, utf16_column
from edges
where tenant_id = :tenant_id and repository = :repository and document = any(:documents)
""")

_THERE = text("""
select exists (select from snapshots where tenant_id = :tenant_id and snapshot_id = :snapshot_id)
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
    documents: Mapping[Identity, DocumentId]
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
        documents={(each.path, each.fingerprint, each.resolution): each.id for each in stored},
        incomplete=conn.execute(_INCOMPLETE, place).scalar_one(),
    )


def identity(row: DocumentRow) -> Identity:
    """What tells this document from any other."""
    return row.path, row.fingerprint, row.resolution


def altered(conn: Connection, sample: Sample, made: Collection[DocumentRows]) -> int:
    """How many of these documents of the sample have other nodes or edges than are stored."""
    expected = [
        # Text that the database cannot hold was left out there as well.
        Numbered(sample.documents[identity(rows.document)], b"", copying.cleaned(rows))
        for rows in made
    ]
    which = {
        "tenant_id": tenant_of(conn),
        "repository": sample.repository,
        "documents": [each.id for each in expected],
    }
    differing: set[int] = set()
    for query, rows in ((_NODES, copying.node_rows), (_EDGES, copying.edge_rows)):
        wanted: Counter[tuple[Any, ...]] = Counter(rows(expected))
        wanted.subtract(tuple(row) for row in conn.execute(query, which))
        differing |= {row[0] for row, surplus in wanted.items() if surplus}
    return len(differing)


def is_there(conn: Connection, sample: Sample) -> bool:
    """Whether the snapshot has not been removed since it was drawn."""
    which = {"tenant_id": tenant_of(conn), "snapshot_id": sample.id}
    return bool(conn.execute(_THERE, which).scalar_one())
