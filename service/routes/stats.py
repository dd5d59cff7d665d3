"""Figures about a snapshot."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from graph.model.nodes import NodeKind
from graph.queries import stats
from graph.queries.snapshots import Reading
from service import schemas, shapes
from service.etags import NOT_MODIFIED
from service.reads import OneRead
from service.schemas import NodeKindName, Shape

router = APIRouter(prefix="/v1/repositories/{repository_id}", tags=["graph"])

_CALLABLE = (NodeKind.FUNCTION, NodeKind.METHOD)


class UsedSymbol(Shape):
    """A symbol and how often it is used."""

    symbol: schemas.SymbolBrief
    uses: int = Field(description="Edges that point at it, one for each place.")


class Stats(Shape):
    """Figures about a snapshot."""

    snapshot: schemas.Snapshot
    coverage: schemas.Coverage
    languages: dict[str, int] = Field(description="Files by language.")
    nodes: dict[str, int] = Field(description="Nodes by kind.")
    edges: dict[str, int] = Field(description="Edges by kind.")
    certainty: dict[str, int] = Field(description="Edges by certainty.")
    most_used: list[UsedSymbol] = Field(description="The most used symbols, first the most used.")


@router.get("/stats", response_model=Stats, responses=NOT_MODIFIED)
def get_stats(
    read: OneRead,
    kind: Annotated[
        list[NodeKindName] | None,
        Query(max_length=30, description="Of which kinds; functions and methods by default."),
    ] = None,
    most: Annotated[
        int, Query(ge=1, le=100, description="How many of the most used symbols.")
    ] = 10,
) -> Response:
    """Counts by kind and the most used symbols."""
    kinds = [NodeKind[name.upper()] for name in kind] if kind else _CALLABLE

    def build(reading: Reading) -> Stats:
        report = reading.snapshot.report
        return Stats(
            snapshot=shapes.snapshot(reading.snapshot),
            coverage=shapes.coverage(reading.snapshot),
            languages=_counts(report.get("files", {}), "by_language"),
            nodes=_counts(report, "nodes"),
            edges=_counts(report, "edges"),
            certainty=_counts(report, "certainty"),
            most_used=[
                UsedSymbol(symbol=shapes.brief(used.symbol), uses=used.uses)
                for used in stats.most_used(reading, node_kinds=kinds, limit=most)
            ],
        )

    return read.answer(build)


def _counts(report: Mapping[str, Any], name: str) -> dict[str, int]:
    return {key: int(count) for key, count in report.get(name, {}).items()}
