"""Erasures of tenants: how far they are, and the evidence that they took place."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from graph.model.ids import ErasureId
from graph.queries.page import Page
from graph.storage import erasures
from graph.storage.session import system_session
from service import operator_shapes, schemas
from service.deps import Operating, Paged, Shared

router = APIRouter(prefix="/v1/admin/erasures", tags=["operator"])


class ErasurePage(schemas.Page[operator_shapes.Erasure]):
    """Erasures, newest first."""


@router.get("")
def list_erasures(
    _: Operating,
    backend: Shared,
    paging: Paged,
    tenant_id: Annotated[UUID | None, Query(description="Only of this tenant.")] = None,
) -> ErasurePage:
    """Every erasure that was ever asked for, newest first."""
    after, _snapshot = paging.position()
    with system_session("administration", settings=backend.settings) as connection:
        found = erasures.list_page(
            connection,
            before=ErasureId(UUID(str(after[0]))) if after else None,
            limit=paging.limit + 1,
            tenant_id=tenant_id,
        )
    page = Page.cut(found, paging.limit, lambda row: (str(row.id),))
    return ErasurePage(
        items=[operator_shapes.erasure(row) for row in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get("/{erasure_id}")
def get_erasure(
    _: Operating,
    backend: Shared,
    erasure_id: Annotated[UUID, Path(description="The erasure.")],
) -> operator_shapes.Erasure:
    """How far an erasure is, and what it removed so far."""
    with system_session("administration", settings=backend.settings) as connection:
        row = erasures.get(connection, erasure_id=ErasureId(erasure_id))
    return operator_shapes.erasure(row)
