"""Symbols: found by name, told by id.

A search goes by the last part of a name, which is what the index holds; the parts before it narrow
the result. So `Loader.add` is looked for as `add` in what is called `Loader.add`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row, TextClause

from graph.errors import SymbolNotFound
from graph.model.ids import NodeId
from graph.model.nodes import NodeKind
from graph.queries.page import Key, Page
from graph.queries.snapshots import MEMBER, Reading, statement
from graph.storage.copying import searchable
from parsers.facts import Flag

Match = Literal["exact", "prefix", "fuzzy"]

_EXTERNAL = (NodeKind.EXTERNAL_SYMBOL, NodeKind.EXTERNAL_PACKAGE)
# A symbol with more definitions than these is a package or a namespace; nobody reads them all.
_DEFINITIONS = 100
_FLAGS = {bit: name.lower() for name, bit in vars(Flag).items() if name.isupper()}
BEFORE_EVERY_ID = -(2**63)
_HIGHEST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Brief:
    """A symbol as a list shows it."""

    id: NodeId
    kind: NodeKind
    name: str
    qualified_name: str
    path: str
    line: int
    column: int

    @property
    def external(self) -> bool:
        """Whether it is defined outside of the repository."""
        return self.kind in _EXTERNAL


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol with what is known about one of its definitions."""

    brief: Brief
    language: str | None
    start_line: int
    end_line: int
    parent: NodeId | None
    flags: tuple[str, ...]
    signature: str
    doc: str


# What `brief` and `full` read; the nodes are `n`, their documents `d`.
BRIEF = """
  n.id, n.kind, n.name, n.qualified_name, n.line, n.utf16_column, n.symbol, d.display_path
"""
FULL = f"""{BRIEF},
  d.language, n.start_line, n.end_line, n.parent, n.flags, n.signature, n.doc
"""

# Symbols by name, in the order of their names. One id is one symbol, however many rows it has.
# Every branch asks the index of names for a range of its own and stops when its page is full.
_SEARCH = """
select distinct on (u.name, u.qualified_name, u.id) u.*
from ({branches}) u
order by u.name, u.qualified_name, u.id
limit :limit
"""
_BRANCH = """(
select distinct on (n.name, n.qualified_name, n.id) {columns}
from {names} n
join documents d on d.tenant_id = :tenant and d.repository = :repository
  and d.document = n.document
where n.document {member} and (n.name, n.qualified_name, n.id)
    > (:after_name, :after_qualified_name, :after_id)
  and {fits}
  {filters}
order by n.name, n.qualified_name, n.id, d.path, n.line, n.utf16_column
limit :limit
)"""

_NAMED = """(
  select * from nodes
  where tenant_id = :tenant and repository = :repository and name >= :after_name and {range}
)"""
# Row-level security keeps back the operators that a trigram index could answer, so every name of
# the repository is read, from the index alone; the rows only of those names that fit.
_PART_OF_NAME = """(
  select distinct name from nodes
  where tenant_id = :tenant and repository = :repository
    and strpos(lower(name), lower(:last)) > 0 and name >= :after_name
) m
cross join lateral (
  select * from nodes
  where tenant_id = :tenant and repository = :repository and name = m.name
  offset 0
)"""

_EQUAL = _NAMED.replace("{range}", "name = :query")
_LAST_EQUAL = _NAMED.replace("{range}", "name = :last")
_BEGINS = _NAMED.replace("{range}", "name >= :query and name < :query_end")
_LAST_BEGINS = _NAMED.replace("{range}", "name >= :last and name < :last_end")

# How to match, and whether the query has a dot -> the branches: where their nodes come from, and
# what they must fit besides. `last` is what stands behind the last dot, which is the part of a
# qualified name that the index holds.
_BRANCHES: dict[tuple[Match, bool], tuple[tuple[str, str], ...]] = {
    ("exact", False): ((_EQUAL, "true"),),
    ("exact", True): ((_EQUAL, "true"), (_LAST_EQUAL, "n.qualified_name = :query")),
    ("prefix", False): ((_BEGINS, "true"),),
    ("prefix", True): (
        (_BEGINS, "true"),
        (_LAST_BEGINS, "n.qualified_name >= :query and n.qualified_name < :query_end"),
    ),
    ("fuzzy", False): ((_PART_OF_NAME, "true"),),
    ("fuzzy", True): ((_PART_OF_NAME, "strpos(lower(n.qualified_name), lower(:query)) > 0"),),
}
_OF_KINDS = "and n.kind = any(:kinds)"
_UNDER_PATH = """and (d.display_path = :path
    or d.display_path >= :folder and d.display_path < :folder_end)"""

# Every row of a symbol in the snapshot, in the order of their places.
_BY_ID = statement(
    """
select {columns}
from nodes n
join documents d on d.tenant_id = n.tenant_id and d.repository = n.repository
  and d.document = n.document
where n.tenant_id = :tenant and n.repository = :repository and n.id = :id
  and n.document {member}
order by d.path, n.line, n.utf16_column
limit :limit
""",
    columns=FULL,
    member=MEMBER,
)

_EXISTS = statement(
    """
select 1 from nodes n
where n.tenant_id = :tenant and n.repository = :repository and n.id = :id
  and n.document {member}
limit 1
""",
    columns=FULL,
    member=MEMBER,
)


def search(
    reading: Reading,
    *,
    query: str = "",
    match: Match = "prefix",
    kinds: Sequence[NodeKind] = (),
    path: str | None = None,
    after: Key | None = None,
    limit: int,
) -> Page[Symbol]:
    """Symbols whose name or qualified name fits, in the order of their names, each once.

    `exact` and `prefix` heed case; `fuzzy` finds a part of the name in any case. An empty query
    fits every name. `path` is a file or a folder.
    """
    query = searchable(query)
    filters = [_OF_KINDS] * bool(kinds) + [_UNDER_PATH] * bool(path)
    last = query.rpartition(".")[2]
    folder = (path or "").rstrip("/") + "/"
    values: dict[str, Any] = {
        "query": query,
        "query_end": prefix_end(query),
        "last": last,
        "last_end": prefix_end(last),
        "after_name": after[0] if after else "",
        "after_qualified_name": after[1] if after else "",
        "after_id": after[2] if after else BEFORE_EVERY_ID,
        "kinds": [int(kind) for kind in kinds],
        "path": path,
        "folder": folder,
        "folder_end": prefix_end(folder),
        "limit": limit + 1,
    }
    wanted = _search_statement(match if query else "prefix", query, filters)
    found = [full(row) for row in reading.rows(wanted, **values)]
    return Page.cut(found, limit, _key)


def get(reading: Reading, *, symbol: NodeId) -> list[Symbol]:
    """A symbol with all its definitions, in the order of their places: mostly one.

    Raises SymbolNotFound when the snapshot does not have it.
    """
    found = [full(row) for row in reading.rows(_BY_ID, id=symbol, limit=_DEFINITIONS)]
    if not found:
        raise SymbolNotFound
    return found


def require(reading: Reading, *, symbol: NodeId) -> None:
    """Nothing, if the snapshot has the symbol; raises SymbolNotFound otherwise."""
    if not reading.rows(_EXISTS, id=symbol):
        raise SymbolNotFound


def full(row: Row[Any]) -> Symbol:
    """A row of `FULL` in words."""
    found = brief(row)
    return Symbol(
        brief=found,
        language=None if found.external else row.language,
        start_line=row.start_line,
        end_line=row.end_line,
        parent=NodeId(row.parent) if row.parent else None,
        flags=flags_of(row.flags),
        signature=row.signature,
        doc=row.doc,
    )


def brief(row: Row[Any]) -> Brief:
    """A row of `BRIEF` in words."""
    kind = NodeKind(row.kind)
    external = kind in _EXTERNAL
    return Brief(
        id=NodeId(row.id),
        kind=kind,
        name=row.name,
        qualified_name=row.qualified_name,
        # The document that carries an external symbol is only one of those that use it.
        path=_package(row.symbol) if external else row.display_path,
        line=0 if external else row.line,
        column=0 if external else row.utf16_column,
    )


def flags_of(bits: int) -> tuple[str, ...]:
    """The words of the flags that are set, in the order of their bits."""
    return tuple(word for bit, word in _FLAGS.items() if bit & bits)


def prefix_end(prefix: str) -> str:
    """The least text above every text that begins with the prefix, by code points."""
    kept = prefix.rstrip(_HIGHEST)
    if not kept:
        return _HIGHEST
    following = chr(ord(kept[-1]) + 1)
    # The halves of surrogate pairs lie in between; they are no text.
    return kept[:-1] + ("\ue000" if following == "\ud800" else following)


def _package(symbol: str) -> str:
    # `<requests>/Session#` is shown where a path would be, as `<requests>`.
    return symbol[: symbol.find(">") + 1]


def _search_statement(match: Match, query: str, filters: Sequence[str]) -> TextClause:
    branches = [
        _BRANCH.replace("{names}", names).replace("{fits}", fits)
        for names, fits in _BRANCHES[match, "." in query]
    ]
    return statement(
        _SEARCH.replace("{branches}", "\nunion all ".join(branches)),
        columns=FULL,
        member=MEMBER,
        filters="\n  ".join(filters),
    )


def _key(symbol: Symbol) -> Key:
    found = symbol.brief
    return found.name, found.qualified_name, found.id
