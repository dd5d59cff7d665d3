"""The mechanics of a load: what is sent in which order, and how it gets into its table."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from graph.errors import StorageError
from graph.model.ids import DocumentId, RepositoryNumber
from graph.model.rows import DocumentRow, DocumentRows, NodeRow
from graph.storage.documents import key_of, path_hash
from graph.storage.session import tenant_of

# An index takes entries of 2,704 bytes. A longer name is cut, here and by who searches for it:
# 600 characters are at most 2,400 bytes.
MAX_NAME_CHARACTERS = 600
# What two bytes hold. The binary form is not checked by the driver: a larger number would wrap.
MAX_CANDIDATES = 32_767


class Target:
    """A table, and the temporary one on the way to it, which lacks the constant columns."""

    def __init__(self, table: str, columns: dict[str, str], *, after: str = "") -> None:
        """Columns by name with their types, in the order in which rows are sent."""
        named = ", ".join(columns)
        typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        incoming = f"incoming_{table}"
        self.columns = list(columns)
        self.types = list(columns.values())
        self.create = f"create temporary table {incoming} ({typed}) on commit drop"
        self.copy = f"copy {incoming} ({named}) from stdin (format binary)"
        self.insert = (
            f"insert into {table} (tenant_id, repository, {named})"  # noqa: S608 - constants
            f" select %s, %s, {named} from {incoming} {after}"
        )


DOCUMENTS = Target(
    "documents",
    {
        "document": "int4",
        "key": "bytea",
        "path_hash": "int8",
        "path": "bytea",
        "display_path": "text",
        "blob_sha": "bytea",
        "language": "text",
        "fingerprint": "bytea",
        "resolution": "bytea",
        "status": "text",
        "skip_reason": "text",
        "lines": "int4",
        "size_bytes": "int8",
        "resolved": "int4",
        "external": "int4",
        "unresolved": "int4",
        "node_count": "int4",
        "edge_count": "int4",
    },
    after="order by key on conflict (tenant_id, repository, key) do nothing returning document",
)

# In the order of `graph.model.rows.NodeRow`.
NODES = Target(
    "nodes",
    {
        "document": "int4",
        "id": "int8",
        "kind": "int2",
        "name": "text",
        "qualified_name": "text",
        "parent": "int8",
        "line": "int4",
        "utf16_column": "int4",
        "start_line": "int4",
        "end_line": "int4",
        "flags": "int4",
        "signature": "text",
        "doc": "text",
        "symbol": "text",
    },
)

# In the order of `graph.model.rows.EdgeRow`.
EDGES = Target(
    "edges",
    {
        "document": "int4",
        "src": "int8",
        "dst": "int8",
        "kind": "int2",
        "certainty": "int2",
        "rule": "int2",
        "candidates": "int2",
        "line": "int4",
        "utf16_column": "int4",
    },
)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A document to be stored, with the number it will have and the key it has."""

    id: DocumentId
    key: bytes
    rows: DocumentRows


def store_documents(
    conn: Connection, *, repository: RepositoryNumber, batch: list[Numbered]
) -> frozenset[DocumentId]:
    """Which of the documents were stored; the others were there under another number."""
    cursor = _send(conn, DOCUMENTS, repository, map(_document_row, batch))
    return frozenset(DocumentId(number) for (number,) in cursor.fetchall())


def store_rows(
    conn: Connection, *, repository: RepositoryNumber, batch: list[Numbered]
) -> tuple[int, int]:
    """How many nodes and edges were stored under the documents, which are there already.

    Raises StorageError when the server stored another number of rows than it was sent.
    """
    nodes = _send(conn, NODES, repository, node_rows(batch)).rowcount
    edges = _send(conn, EDGES, repository, edge_rows(batch)).rowcount
    expected = (
        sum(len(document.rows.nodes) for document in batch),
        sum(len(document.rows.edges) for document in batch),
    )
    if (nodes, edges) != expected:
        raise StorageError("The database stored fewer rows than it was sent.")
    return expected


def searchable(name: str) -> str:
    """A name as it is stored."""
    return name[:MAX_NAME_CHARACTERS]


def cleaned(rows: DocumentRows) -> DocumentRows:
    """The same document without what text in PostgreSQL cannot hold: NUL and lone surrogates."""
    document = rows.document
    nodes: list[NodeRow] = [
        (*row[:2], _clean(row[2]), _clean(row[3]), *row[4:10], *map(_clean, row[10:]))  # type: ignore[misc]  # the slices keep the types in place
        for row in rows.nodes
    ]
    kept = replace(document, display_path=_clean(document.display_path))
    return DocumentRows(document=kept, nodes=nodes, edges=rows.edges)


def _clean(value: str) -> str:
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def _send(
    conn: Connection,
    target: Target,
    repository: RepositoryNumber,
    rows: Iterable[tuple[Any, ...]],
) -> Any:  # noqa: ANN401 - SQLAlchemy does not type the driver's cursor
    """The driver's cursor after the insert."""
    cursor = conn.connection.cursor()
    cursor.execute(target.create)
    with cursor.copy(target.copy) as copy:
        copy.set_types(target.types)
        write = copy.write_row
        for row in rows:
            write(row)
    cursor.execute(target.insert, [tenant_of(conn), repository])
    return cursor


def _document_row(numbered: Numbered) -> tuple[Any, ...]:
    row = numbered.rows.document
    return (
        numbered.id,
        numbered.key,
        path_hash(row.path),
        row.path,
        row.display_path,
        bytes.fromhex(row.blob_sha),
        row.language,
        row.fingerprint,
        row.resolution,
        row.status,
        row.skip_reason,
        row.lines,
        row.size_bytes,
        row.resolved,
        row.external,
        row.unresolved,
        len(numbered.rows.nodes),
        len(numbered.rows.edges),
    )


def node_rows(batch: Iterable[Numbered]) -> Iterable[tuple[Any, ...]]:
    """The nodes of these documents as they are stored, in the order of the columns of `NODES`."""
    for numbered in batch:
        document = numbered.id
        for row in numbered.rows.nodes:
            if len(row[3]) > MAX_NAME_CHARACTERS or len(row[2]) > MAX_NAME_CHARACTERS:
                yield document, *row[:2], searchable(row[2]), searchable(row[3]), *row[4:]
            else:
                yield document, *row


def edge_rows(batch: Iterable[Numbered]) -> Iterable[tuple[Any, ...]]:
    """The edges of these documents as they are stored, in the order of the columns of `EDGES`."""
    for numbered in batch:
        document = numbered.id
        for row in numbered.rows.edges:
            if row[5] > MAX_CANDIDATES:
                yield document, *row[:5], MAX_CANDIDATES, *row[6:]
            else:
                yield document, *row


def document_key(row: DocumentRow) -> bytes:
    """The key under which a document is stored once."""
    return key_of(path=row.path, fingerprint=row.fingerprint, resolution=row.resolution)
