"""Edges that point at a symbol or away from it, in the order of the places where they stand.

The site of an edge is in the document of its source, so the source is read from that document. The
target may have several rows, when it is an external symbol or is defined in parts; the first one
by its place speaks for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import Row

from graph.model.edges import Certainty, EdgeKind, Rule
from graph.model.ids import NodeId
from graph.queries import symbols
from graph.queries.page import Key, Page
from graph.queries.snapshots import MEMBER, Reading, statement

# Where a symbol stands is not a use of it.
STRUCTURE = (EdgeKind.CONTAINS, EdgeKind.DEFINES, EdgeKind.DEPENDS_ON)
USES = tuple(kind for kind in EdgeKind if kind not in STRUCTURE)
CALLS = (EdgeKind.CALLS, EdgeKind.INSTANTIATES)

_FIRST_KEY: Key = (b"", -1, -1, -1, -(2**63))


@dataclass(frozen=True, slots=True)
class Edge:
    """Why two symbols are linked, and where the source says so."""

    kind: EdgeKind
    certainty: Certainty
    rule: Rule
    candidates: int
    path: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Link:
    """An edge with the symbol at its other end."""

    edge: Edge
    symbol: symbols.Brief
    key: Key


# One page of edges; `{near}` is the end that was asked about and `{far}` the other one. The same
# two symbols may be linked twice at one place by different rules: the most certain one is told.
_PAGE = """
with page as (
  select distinct on (d.path, e.line, e.utf16_column, e.kind, e.{far})
    d.path as site_path, d.display_path as site_display_path, e.document as site_document,
    e.line as site_line, e.utf16_column as site_column, e.kind as edge_kind, e.{far} as far,
    e.certainty, e.rule, e.candidates
  from edges e
  join documents d on d.tenant_id = e.tenant_id and d.repository = e.repository
    and d.document = e.document
  where e.tenant_id = :tenant and e.repository = :repository and e.{near} = :symbol
    and e.kind = any(:kinds) and e.document {member}
    and (d.path, e.line, e.utf16_column, e.kind, e.{far})
      > (:after_path, :after_line, :after_column, :after_kind, :after_far)
  order by d.path, e.line, e.utf16_column, e.kind, e.{far}, e.certainty, e.rule
  limit :limit
)
select p.*, n.*
from page p
join lateral (
{end}
) n on true
order by p.site_path, p.site_line, p.site_column, p.edge_kind, p.far
"""

_SOURCE = """  select {columns}
  from nodes n
  join documents d on d.tenant_id = n.tenant_id and d.repository = n.repository
    and d.document = n.document
  where n.tenant_id = :tenant and n.repository = :repository and n.id = p.far
    and n.document = p.site_document
  order by n.line, n.utf16_column
  limit 1"""

TARGET = """  select {columns}
  from nodes n
  join documents d on d.tenant_id = n.tenant_id and d.repository = n.repository
    and d.document = n.document
  where n.tenant_id = :tenant and n.repository = :repository and n.id = p.far
    and n.document {member}
  order by d.path, n.line, n.utf16_column
  limit 1"""


class Direction(Enum):
    """Which edges of a symbol are meant."""

    INCOMING = auto()  # those that point at it, with their sources
    OUTGOING = auto()  # those that leave it, with their targets


_PAGES = {
    Direction.INCOMING: statement(
        _PAGE.replace("{end}", _SOURCE),
        near="dst",
        far="src",
        member=MEMBER,
        columns=symbols.BRIEF,
    ),
    Direction.OUTGOING: statement(
        _PAGE.replace("{end}", TARGET),
        near="src",
        far="dst",
        member=MEMBER,
        columns=symbols.FULL,
    ),
}


def links(
    reading: Reading,
    direction: Direction,
    *,
    symbol: NodeId,
    kinds: Sequence[EdgeKind],
    after: Key | None = None,
    limit: int,
) -> Page[Link]:
    """The edges of a symbol, of these kinds, each with the symbol at its other end.

    Raises SymbolNotFound when the snapshot does not have the symbol.
    """
    symbols.require(reading, symbol=symbol)
    path, line, column, kind, far = after or _FIRST_KEY
    found = reading.rows(
        _PAGES[direction],
        symbol=symbol,
        kinds=[int(kind) for kind in kinds],
        after_path=path,
        after_line=line,
        after_column=column,
        after_kind=kind,
        after_far=far,
        limit=limit + 1,
    )
    return Page.cut([_link(row) for row in found], limit, lambda link: link.key)


def edge(row: Row[Any]) -> Edge:
    """The edge of a row in words."""
    return Edge(
        kind=EdgeKind(row.edge_kind),
        certainty=Certainty(row.certainty),
        rule=Rule(row.rule),
        candidates=row.candidates,
        path=row.site_display_path,
        line=row.site_line,
        column=row.site_column,
    )


def _link(row: Row[Any]) -> Link:
    key = (bytes(row.site_path), row.site_line, row.site_column, row.edge_kind, row.far)
    return Link(edge=edge(row), symbol=symbols.brief(row), key=key)
