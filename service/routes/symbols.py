"""Symbols of a snapshot: found by name or place, and what is linked to them."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from graph.model.edges import EdgeKind
from graph.model.nodes import NodeKind
from graph.queries import files, neighbors, positions, references, symbols
from graph.queries.snapshots import Reading
from service import schemas, shapes
from service.etags import NOT_MODIFIED
from service.reads import ListRead, OneRead
from service.schemas import EdgeKindName, GraphPage, NodeKindName, Shape
from service.wire import Text

router = APIRouter(prefix="/v1/repositories/{repository_id}", tags=["graph"])

_MAX_LINE = 2**31 - 1

Sid = Annotated[
    str,
    Path(
        pattern=schemas.SYMBOL_ID_PATTERN,
        description="The symbol's id.",
        examples=["8d1f0c2a9be47731"],
    ),
]


class SymbolPage(GraphPage[schemas.Symbol]):
    """Symbols in the order of their names."""


class LinkPage(GraphPage[schemas.Link]):
    """Edges in the order of their sites, each with the symbol at its other end."""


class SymbolAnswer(Shape):
    """One symbol."""

    snapshot: schemas.Snapshot
    coverage: schemas.Coverage
    symbol: schemas.Symbol
    definitions: list[schemas.Site] = Field(
        description="All places that define it; empty for an external symbol, at most 100.",
    )


class DefinitionItem(Shape):
    """What a name stands for."""

    symbol: schemas.Symbol
    edge: schemas.Edge | None = Field(description="Null if the place is the definition itself.")


class DefinitionAnswer(Shape):
    """What the name at a place stands for."""

    snapshot: schemas.Snapshot
    coverage: schemas.Coverage
    outcome: Literal["found", "not_indexed", "unknown"] = Field(
        description=(
            "found: items has the targets; not_indexed: the file was not parsed, so nothing is"
            " known about it; unknown: no name with a known target stands at this place."
        ),
    )
    items: list[DefinitionItem]
    columns: list[int] = Field(
        description=(
            "Where the line's names with a known target begin, at most 100; empty if a column was"
            " asked for and one stands there."
        ),
    )


@router.get("/symbols", response_model=SymbolPage, responses=NOT_MODIFIED)
def search_symbols(
    read: ListRead,
    q: Annotated[
        Text,
        Query(
            max_length=1000,
            description="A name, or a qualified name with dots; without it, every symbol.",
            examples=["Client.send"],
        ),
    ] = "",
    kind: Annotated[
        list[NodeKindName] | None, Query(max_length=30, description="Only these kinds.")
    ] = None,
    path: Annotated[
        Text | None,
        Query(min_length=1, max_length=4096, description="Only in this file or folder."),
    ] = None,
    match: Annotated[
        Literal["exact", "prefix", "fuzzy"],
        Query(description="exact and prefix heed case; fuzzy finds a part of it in any case."),
    ] = "prefix",
) -> Response:
    """Find symbols by name."""
    kinds = [NodeKind[name.upper()] for name in kind or ()]
    return read.page(
        SymbolPage,
        lambda reading, after, limit: symbols.search(
            reading, query=q, match=match, kinds=kinds, path=path, after=after, limit=limit
        ),
        shapes.symbol,
    )


@router.get("/symbols/{symbol_id}", response_model=SymbolAnswer, responses=NOT_MODIFIED)
def get_symbol(read: OneRead, symbol_id: Sid) -> Response:
    """One symbol with its definition."""

    def build(reading: Reading) -> SymbolAnswer:
        found = symbols.get(reading, symbol=shapes.node_id(symbol_id))
        return SymbolAnswer(
            snapshot=shapes.snapshot(reading.snapshot),
            coverage=shapes.coverage(reading.snapshot),
            symbol=shapes.symbol(found[0]),
            definitions=[
                schemas.Site(path=one.brief.path, line=one.brief.line, column=one.brief.column)
                for one in found
                if not one.brief.external
            ],
        )

    return read.answer(build)


@router.get("/symbols/{symbol_id}/references", response_model=LinkPage, responses=NOT_MODIFIED)
def list_references(
    read: ListRead,
    symbol_id: Sid,
    kind: Annotated[
        list[EdgeKindName] | None,
        Query(max_length=30, description="Only these kinds; without it, every kind of use."),
    ] = None,
) -> Response:
    """Where a symbol is used, with the symbol that uses it."""
    kinds = [EdgeKind[name.upper()] for name in kind] if kind else references.USES
    return read.page(
        LinkPage,
        lambda reading, after, limit: references.links(
            reading,
            references.Direction.INCOMING,
            symbol=shapes.node_id(symbol_id),
            kinds=kinds,
            after=after,
            limit=limit,
        ),
        shapes.link,
    )


@router.get("/symbols/{symbol_id}/callers", response_model=LinkPage, responses=NOT_MODIFIED)
def list_callers(read: ListRead, symbol_id: Sid) -> Response:
    """Who calls or instantiates a symbol directly, one item for each call site."""
    return read.page(
        LinkPage,
        lambda reading, after, limit: neighbors.callers(
            reading, symbol=shapes.node_id(symbol_id), after=after, limit=limit
        ),
        shapes.link,
    )


@router.get("/symbols/{symbol_id}/callees", response_model=LinkPage, responses=NOT_MODIFIED)
def list_callees(read: ListRead, symbol_id: Sid) -> Response:
    """What a symbol calls or instantiates directly, one item for each call site."""
    return read.page(
        LinkPage,
        lambda reading, after, limit: neighbors.callees(
            reading, symbol=shapes.node_id(symbol_id), after=after, limit=limit
        ),
        shapes.link,
    )


@router.get("/definition", response_model=DefinitionAnswer, responses=NOT_MODIFIED)
def get_definition(
    read: OneRead,
    path: Annotated[Text, Query(min_length=1, max_length=4096, examples=["src/app.py"])],
    line: Annotated[int, Query(ge=1, le=_MAX_LINE, description="From 1.")],
    column: Annotated[
        int | None,
        Query(
            ge=0,
            le=_MAX_LINE,
            description="From 0, in UTF-16 code units; without it, the line's first known name.",
        ),
    ] = None,
) -> Response:
    """What the name at a place of a file stands for."""

    def build(reading: Reading) -> DefinitionAnswer:
        file = files.get(reading, path=path)
        definitions = partial(positions.definitions, reading, file=file, line=line)
        found = definitions(column=column) if column is not None else []
        columns = positions.columns(reading, file=file, line=line) if not found else []
        if column is None and columns:
            found = definitions(column=columns[0])
        skipped = file.status == "skipped"
        return DefinitionAnswer(
            snapshot=shapes.snapshot(reading.snapshot),
            coverage=shapes.coverage(reading.snapshot),
            outcome="found" if found else "not_indexed" if skipped else "unknown",
            items=[_definition(one) for one in found],
            columns=columns,
        )

    return read.answer(build)


def _definition(found: positions.Definition) -> DefinitionItem:
    return DefinitionItem(
        symbol=shapes.symbol(found.symbol),
        edge=None if found.edge is None else shapes.edge(found.edge),
    )
