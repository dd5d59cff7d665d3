"""What stands at a place of a file: the definition there, or what the name there refers to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from graph.model.nodes import NodeKind
from graph.queries import symbols
from graph.queries.files import File
from graph.queries.references import TARGET, USES, Edge, edge
from graph.queries.snapshots import MEMBER, Reading, statement

# Candidates of one ambiguous name that are told at most, and names of one line.
_TARGETS = 100
_NAMES = 100


@dataclass(frozen=True, slots=True)
class Definition:
    """What a name stands for; without an edge, the place is the definition itself."""

    symbol: symbols.Symbol
    edge: Edge | None


# Definitions whose name begins on a line, at a column or before it.
_DEFINED = statement(
    """
select {columns}
from nodes n
join documents d on d.tenant_id = n.tenant_id and d.repository = n.repository
  and d.document = n.document
where n.tenant_id = :tenant and n.repository = :repository and n.document = :document
  and n.line = :line and n.utf16_column <= :column and n.kind <> all(:without)
order by n.utf16_column desc, n.id
""",
    columns=symbols.FULL,
)

# Uses of other symbols that begin on a line, at a column or before it, the nearest place only.
_USED = statement(
    """
with site as (
  select e.utf16_column, e.line, e.kind, e.dst, e.certainty, e.rule, e.candidates
  from edges e
  where e.tenant_id = :tenant and e.repository = :repository and e.document = :document
    and e.line = :line and e.utf16_column <= :column and e.kind = any(:kinds)
),
near as (
  select distinct on (dst) dst as far, kind as edge_kind, certainty, rule, candidates,
    line as site_line, utf16_column as site_column, cast(:path as text) as site_display_path
  from site
  where utf16_column = (select max(utf16_column) from site)
  order by dst, certainty, kind
)
select p.*, n.*
from near p
join lateral (
{end}
) n on true
order by p.certainty, n.display_path, n.line, n.utf16_column
limit :limit
""".replace("{end}", TARGET),
    columns=symbols.FULL,
    member=MEMBER,
)

# Where the definitions and the uses of a line begin.
_BEGUN = statement(
    """
select n.utf16_column
from nodes n
where n.tenant_id = :tenant and n.repository = :repository and n.document = :document
  and n.line = :line and n.kind <> all(:without)
union
select e.utf16_column
from edges e
where e.tenant_id = :tenant and e.repository = :repository and e.document = :document
  and e.line = :line and e.kind = any(:kinds)
order by utf16_column
limit :limit
"""
)

_NO_NAMES = [
    int(kind) for kind in (NodeKind.FILE, NodeKind.EXTERNAL_SYMBOL, NodeKind.EXTERNAL_PACKAGE)
]
_USES = [int(kind) for kind in USES]


def definitions(reading: Reading, *, file: File, line: int, column: int) -> list[Definition]:
    """What the name at a place stands for; several when it is ambiguous, none when unknown.

    A name that stands under another one (`import x as y`, then `y`) is found where it begins.
    """
    place = {"document": file.document, "line": line, "column": column}
    rows = reading.rows(_DEFINED, without=_NO_NAMES, **place)
    own = [row for row in rows if _covers(row, row.utf16_column, column)]
    if own:
        return [Definition(symbol, None) for symbol in _distinct(own)]
    used = reading.rows(
        _USED,
        kinds=_USES,
        path=file.path,
        limit=_TARGETS,
        **place,
    )
    return [
        Definition(symbols.full(row), edge(row))
        for row in used
        if _covers(row, row.site_column, column)
    ]


def columns(reading: Reading, *, file: File, line: int) -> list[int]:
    """Where the names of a line begin that stand for something, from left to right."""
    place = {"document": file.document, "line": line}
    rows = reading.rows(_BEGUN, without=_NO_NAMES, kinds=_USES, limit=_NAMES, **place)
    return [row.utf16_column for row in rows]


def _covers(row: Row[Any], begin: int, column: int) -> bool:
    # A name that is longer or shorter here than where it is defined still begins at its site.
    last_part = row.name.rpartition(".")[2]
    return begin == column or begin < column < begin + len(last_part.encode("utf-16-le")) // 2


def _distinct(rows: Iterable[Row[Any]]) -> list[symbols.Symbol]:
    found: dict[int, symbols.Symbol] = {}
    for row in rows:
        found.setdefault(row.id, symbols.full(row))
    return list(found.values())
