"""Files of a snapshot: which there are, what is in one, and what stands at a place of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from graph.errors import FileNotInSnapshot
from graph.model.ids import DocumentId
from graph.model.nodes import NodeKind
from graph.model.rows import DocumentStatus
from graph.queries import symbols
from graph.queries.page import Key, Page
from graph.queries.snapshots import MEMBER, Reading, statement
from graph.storage.documents import path_hash

_EXTERNAL = [int(NodeKind.EXTERNAL_SYMBOL), int(NodeKind.EXTERNAL_PACKAGE)]


@dataclass(frozen=True, slots=True)
class File:
    """One path of the commit, and what became of it."""

    document: DocumentId
    raw_path: bytes
    path: str
    language: str | None
    status: DocumentStatus
    skip_reason: str | None
    lines: int
    size_bytes: int
    blob: str
    references: Mapping[str, int]


_COLUMNS = """
  d.document, d.path, d.display_path, d.language, d.status, d.skip_reason, d.lines, d.size_bytes,
  d.blob_sha, d.resolved, d.external, d.unresolved
"""

# The files of a snapshot in the order of their paths. Its documents are found by the ranges of
# their numbers: other snapshots of the repository may have many more.
_LIST = """
select {columns}
from (
  select lower(range) as first, upper(range) as past
  from snapshots s cross join unnest(s.documents) range
  where s.tenant_id = :tenant and s.repository = :repository and s.snapshot = :snapshot
) m
join documents d on d.tenant_id = :tenant and d.repository = :repository
  and d.document >= m.first and d.document < m.past
where d.path > :after
  {filters}
order by d.path
limit :limit
"""
_FILTERS = {
    "path": """and (d.display_path = :path
    or d.display_path >= :folder and d.display_path < :folder_end)""",
    "language": "and d.language = :language",
    "status": "and d.status = :status",
}

# One file by its path.
_FIND = statement(
    """
select {columns}
from documents d
where d.tenant_id = :tenant and d.repository = :repository and d.path_hash = :path_hash
  and d.path = :path and d.document {member}
""",
    columns=_COLUMNS,
    member=MEMBER,
)

# One file by its path as text, for paths that are not UTF-8: they are rare, and looked for among
# all files of the snapshot.
_FIND_ESCAPED = statement(
    """
select {columns}
from documents d
where d.tenant_id = :tenant and d.repository = :repository and d.display_path = :path
  and d.document {member}
order by d.path
limit 1
""",
    columns=_COLUMNS,
    member=MEMBER,
)

# The definitions of one file in the order of their places.
_OUTLINE = statement(
    """
select {columns}
from nodes n
join documents d on d.tenant_id = n.tenant_id and d.repository = n.repository
  and d.document = n.document
where n.tenant_id = :tenant and n.repository = :repository and n.document = :document
  and n.kind <> all(:without) and (n.start_line, n.line, n.utf16_column, n.id)
    > (:after_start, :after_line, :after_column, :after_id)
order by n.start_line, n.line, n.utf16_column, n.id
limit :limit
""",
    columns=symbols.FULL,
)


def list_all(
    reading: Reading,
    *,
    path: str | None = None,
    language: str | None = None,
    status: str | None = None,
    after: Key | None = None,
    limit: int,
) -> Page[File]:
    """The files of the snapshot in the order of their paths; `path` is a file or a folder."""
    folder = (path or "").rstrip("/") + "/"
    values: dict[str, Any] = {
        "path": path,
        "folder": folder,
        "folder_end": symbols.prefix_end(folder),
        "language": language,
        "status": status,
        "after": after[0] if after else b"",
        "limit": limit + 1,
    }
    filters = [text for name, text in _FILTERS.items() if values[name] is not None]
    wanted = statement(_LIST, columns=_COLUMNS, filters="\n  ".join(filters))
    found = [_file(row) for row in reading.rows(wanted, **values)]
    return Page.cut(found, limit, lambda file: (file.raw_path,))


def get(reading: Reading, *, path: str) -> File:
    """The file at a path as it is shown; raises FileNotInSnapshot."""
    raw = path.encode("utf-8", "surrogatepass")
    found = reading.rows(_FIND, path=raw, path_hash=path_hash(raw))
    if not found and "\\" in path:
        found = reading.rows(_FIND_ESCAPED, path=path)
    if not found:
        raise FileNotInSnapshot
    return _file(found[0])


def outline(
    reading: Reading,
    *,
    file: File,
    after: Key | None = None,
    limit: int,
) -> Page[symbols.Symbol]:
    """The definitions of a file in the order of their places, those that enclose others first."""
    start, line, column, node = after or (-1, -1, -1, symbols.BEFORE_EVERY_ID)
    found = reading.rows(
        _OUTLINE,
        document=file.document,
        without=[*_EXTERNAL, int(NodeKind.FILE)],
        after_start=start,
        after_line=line,
        after_column=column,
        after_id=node,
        limit=limit + 1,
    )
    return Page.cut([symbols.full(row) for row in found], limit, _place)


def _place(symbol: symbols.Symbol) -> Key:
    return symbol.start_line, symbol.brief.line, symbol.brief.column, symbol.brief.id


def _file(row: Row[Any]) -> File:
    return File(
        document=DocumentId(row.document),
        raw_path=bytes(row.path),
        path=row.display_path,
        language=row.language,
        status=row.status,
        skip_reason=row.skip_reason,
        lines=row.lines,
        size_bytes=row.size_bytes,
        blob=bytes(row.blob_sha).hex(),
        references={
            "resolved": row.resolved,
            "external": row.external,
            "unresolved": row.unresolved,
        },
    )
