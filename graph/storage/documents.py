"""Documents: a file at one path with one content and one resolution.

The unit that is stored, shared between snapshots and removed. `key` digests what makes two
documents the same one: path, fingerprint of the facts, digest of the resolution.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from graph.model.ids import DocumentId, RepositoryNumber, SnapshotNumber
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

documents = Table(
    "documents",
    metadata,
    tenant_column(),
    Column("repository", Integer, primary_key=True),
    Column("document", Integer, primary_key=True),
    # 16 bytes, because a path may be longer than what an index takes.
    Column("key", LargeBinary, nullable=False),
    Column("path_hash", BigInteger, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("display_path", Text(collation="C"), nullable=False),
    Column("blob_sha", LargeBinary, nullable=False),
    Column("language", Text),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("resolution", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("skip_reason", Text),
    Column("lines", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    # References by what became of them.
    Column("resolved", Integer, nullable=False),
    Column("external", Integer, nullable=False),
    Column("unresolved", Integer, nullable=False),
    # How many rows lie under it; publishing compares.
    Column("node_count", Integer, nullable=False),
    Column("edge_count", Integer, nullable=False),
    moment("loaded_at", default_now=True),
    UniqueConstraint("tenant_id", "repository", "key"),
    ForeignKeyConstraint(
        ["tenant_id", "repository"], ["repositories.tenant_id", "repositories.number"]
    ),
)
Index(
    "documents_path_hash",
    documents.c.tenant_id,
    documents.c.repository,
    documents.c.path_hash,
)

_KEY_BYTES = 16
# Arrays of this many go to the server at once.
_CHUNK = 10_000

_KNOWN = text("""
-- Which of these documents are stored, and under which number.
select key, document from documents
where tenant_id = :tenant_id and repository = :repository and key = any(:keys)
""").bindparams(bindparam("keys", type_=ARRAY(LargeBinary)))

_OF_SNAPSHOT = text("""
-- The documents of a snapshot: each range of its members is a range of the primary key.
select d.document, d.path, d.blob_sha, d.fingerprint, d.resolution, d.status
from snapshots s
cross join unnest(s.documents) as member
join documents d on d.tenant_id = s.tenant_id and d.repository = s.repository
  and d.document >= lower(member) and d.document < upper(member)
where s.tenant_id = :tenant_id and s.repository = :repository and s.snapshot = :snapshot
""")

# Rows first, so that none is ever without its document.
_REMOVE = tuple(
    text(f"""
    delete from {table}
    where tenant_id = :tenant_id and repository = :repository and document = any(:documents)
    """)  # noqa: S608 - the names are constants of this line
    for table in ("edges", "nodes", "documents")
)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What a later ingestion needs to know about a document that is there."""

    id: DocumentId
    path: bytes
    blob_sha: str
    fingerprint: bytes
    resolution: bytes
    status: str


def key_of(*, path: bytes, fingerprint: bytes, resolution: bytes) -> bytes:
    """What two documents that are the same have in common, and no others."""
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    for part in (path, fingerprint, resolution):
        # The length keeps ("ab", "c") apart from ("a", "bc").
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()


def path_hash(path: bytes) -> int:
    """By which documents are found by path; compare the path itself as well."""
    return int.from_bytes(hashlib.blake2b(path, digest_size=8).digest(), "big", signed=True)


def known(
    conn: Connection, *, repository: RepositoryNumber, keys: Iterable[bytes]
) -> dict[bytes, DocumentId]:
    """Those of the documents that are stored, by key; ask it before resolving or loading them."""
    found: dict[bytes, DocumentId] = {}
    remaining = iter(keys)
    while chunk := list(islice(remaining, _CHUNK)):
        values = {"tenant_id": tenant_of(conn), "repository": repository, "keys": chunk}
        found.update((row.key, row.document) for row in conn.execute(_KNOWN, values))
    return found


def of_snapshot(
    conn: Connection, *, repository: RepositoryNumber, snapshot: SnapshotNumber
) -> Iterator[StoredDocument]:
    """The documents of a snapshot, in no order, without holding them all at once."""
    values = {"tenant_id": tenant_of(conn), "repository": repository, "snapshot": snapshot}
    rows = conn.execution_options(yield_per=_CHUNK).execute(_OF_SNAPSHOT, values)
    for row in rows:
        yield StoredDocument(
            id=row.document,
            path=row.path,
            blob_sha=row.blob_sha.hex(),
            fingerprint=row.fingerprint,
            resolution=row.resolution,
            status=row.status,
        )


def remove(
    conn: Connection, *, repository: RepositoryNumber, documents: Iterable[DocumentId]
) -> None:
    """The documents are gone, with their nodes and edges. No snapshot may hold them any more."""
    remaining = iter(documents)
    while chunk := list(islice(remaining, _CHUNK)):
        values = {"tenant_id": tenant_of(conn), "repository": repository, "documents": chunk}
        for statement in _REMOVE:
            conn.execute(statement, values)
