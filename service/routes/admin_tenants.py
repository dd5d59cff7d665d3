"""Tenants, as those see them who run the installation."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from typing_extensions import TypeAliasType

from graph.errors import TenantNameDiffers
from graph.model.ids import TenantId
from graph.queries.page import Page
from graph.storage import erasures, plans, tenants, usage
from graph.storage.session import Connection, in_tenant, system_session
from graph.storage.tenants import Tenant as Row
from graph.storage.tenants import TenantState
from service import etags, operator_shapes, schemas
from service import usage as usage_shape
from service.deps import Operating, Paged, Shared
from service.etags import NOT_MODIFIED
from service.operations import Changing, Making
from service.operator_shapes import SOMETHING, SOMETHING_TOLD, Limits
from service.wire import Text
from service.writes import CREATED, Answer, Target

router = APIRouter(prefix="/v1/admin/tenants", tags=["operator"])

TenantParameter = Annotated[UUID, Path(description="The tenant.")]
Name = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=tenants.NAME_LENGTH,
        pattern=SOMETHING,
        examples=["acme"],
        json_schema_extra=SOMETHING_TOLD,
    ),
]
PlanCode = Annotated[Text, Field(min_length=1, max_length=50, examples=["standard"])]

StateOfTenant = TypeAliasType(
    "StateOfTenant",
    Annotated[
        TenantState,
        Field(
            description="suspended: its keys open nothing, its jobs wait. erasing: it will be gone."
        ),
    ],
)


class NewTenant(schemas.Request):
    """A tenant to make. It has no keys yet: `codeloom admin key create` makes the first."""

    name: Name = Field(description="A label; need not be unique.")
    plan: PlanCode = plans.DEFAULT_PLAN
    limits: Limits = Field(default={}, description="Go before those of the plan.")


class TenantChange(schemas.Request):
    """What to change; what is not given stays."""

    name: Name | None = None
    plan: PlanCode | None = None
    limits: Limits | None = Field(
        default=None, description="In the place of all limits that are the tenant's own."
    )


class Suspension(schemas.Request):
    """Why a tenant is suspended."""

    reason: Text = Field(
        min_length=1,
        max_length=tenants.REASON_LENGTH,
        pattern=SOMETHING,
        json_schema_extra=SOMETHING_TOLD,
        description="Told to everyone who uses a key of the tenant.",
        examples=["The invoice of October is open."],
    )


class Confirmation(schemas.Request):
    """That just this tenant is meant: what is erased does not come back."""

    name: Text = Field(max_length=tenants.NAME_LENGTH, description="The tenant's name, as it is.")


class OperatedTenant(schemas.Shape):
    """A tenant."""

    id: UUID
    name: str
    plan: str
    state: StateOfTenant
    suspended_reason: str | None
    limits: dict[str, int] = Field(description="Its own, which go before those of the plan.")
    effective_limits: dict[str, int] = Field(
        description="What holds; a resource that is not named has no limit."
    )
    created_at: datetime


class OperatedTenantPage(schemas.Page[OperatedTenant]):
    """Tenants, oldest first."""


@router.post("", status_code=201, response_model=OperatedTenant, responses=CREATED)
def create_tenant(operation: Making, body: NewTenant) -> Response:
    """Make a tenant."""

    def work(connection: Connection) -> Answer:
        row = tenants.create(connection, name=body.name, plan=body.plan, limits=body.limits)
        target, location = Target("tenant", row.id), f"/v1/admin/tenants/{row.id}"
        return Answer(_shape(connection, row), 201, target=target, location=location)

    return operation.run(work, details=body)


@router.get("")
def list_tenants(
    _: Operating,
    backend: Shared,
    paging: Paged,
    name: Annotated[Text | None, Query(max_length=200, description="Only of this name.")] = None,
    plan: Annotated[Text | None, Query(max_length=50, description="Only on this plan.")] = None,
    state: Annotated[StateOfTenant | None, Query(description="Only in this state.")] = None,
) -> OperatedTenantPage:
    """The tenants of the installation, oldest first."""
    after, _snapshot = paging.position()
    with system_session("administration", settings=backend.settings) as connection:
        found = tenants.list_all(
            connection,
            after=UUID(str(after[0])) if after else None,
            limit=paging.limit + 1,
            name=name,
            plan=plan,
            state=state,
        )
        page = Page.cut(found, paging.limit, lambda row: (str(row.id),))
        items = _shapes(connection, page.rows)
    return OperatedTenantPage(items=items, next_cursor=paging.next_cursor(page), truncated=False)


@router.get("/{tenant_id}", response_model=OperatedTenant, responses=NOT_MODIFIED)
def get_operated_tenant(
    request: Request, _: Operating, backend: Shared, tenant_id: TenantParameter
) -> Response:
    """One tenant."""
    with system_session("administration", settings=backend.settings) as connection:
        row = tenants.get(connection, tenant_id=TenantId(tenant_id))
        return etags.answer(request, _shape(connection, row))


@router.get("/{tenant_id}/usage")
def get_tenant_usage(
    _: Operating, backend: Shared, tenant_id: TenantParameter
) -> usage_shape.Usage:
    """What a tenant may use, uses, and has reserved of each resource."""
    wanted = TenantId(tenant_id)
    with system_session("administration", settings=backend.settings) as connection:
        tenants.get(connection, tenant_id=wanted)
        return usage_shape.usage(usage.of_tenant(in_tenant(connection, wanted)))


@router.patch("/{tenant_id}", response_model=OperatedTenant)
def change_tenant(operation: Changing, tenant_id: TenantParameter, body: TenantChange) -> Response:
    """Change a tenant's name, plan or limits; it holds within 15 seconds."""

    def work(connection: Connection) -> Answer:
        row = tenants.change(
            connection,
            tenant_id=TenantId(tenant_id),
            name=body.name,
            plan=body.plan,
            limits=body.limits,
        )
        return Answer(_shape(connection, row))

    return operation.run(work, details=body, current=_current(tenant_id))


@router.post("/{tenant_id}/suspend", response_model=OperatedTenant)
def suspend_tenant(operation: Making, tenant_id: TenantParameter, body: Suspension) -> Response:
    """Suspend a tenant: its keys are refused within 15 seconds, its jobs wait until it is resumed.

    Jobs that run are given back within seconds; that costs them no attempt.
    """

    def work(connection: Connection) -> Answer:
        wanted = TenantId(tenant_id)
        row = tenants.suspend(connection, tenant_id=wanted, reason=body.reason)
        return Answer(_shape(connection, row))

    return operation.run(work, details=body)


@router.post("/{tenant_id}/resume", response_model=OperatedTenant)
def resume_tenant(operation: Making, tenant_id: TenantParameter) -> Response:
    """Resume a tenant: its keys open again, its jobs go on."""

    def work(connection: Connection) -> Answer:
        return Answer(_shape(connection, tenants.resume(connection, tenant_id=TenantId(tenant_id))))

    return operation.run(work)


@router.post(
    "/{tenant_id}/erase",
    status_code=202,
    response_model=operator_shapes.Erasure,
    responses=operator_shapes.ACCEPTED,
)
def erase_tenant(operation: Making, tenant_id: TenantParameter, body: Confirmation) -> Response:
    """Erase a tenant with all that it has. Its keys open nothing from now on; there is no way back.

    Asking again answers with the erasure that is under way.
    """

    def work(connection: Connection) -> Answer:
        wanted = TenantId(tenant_id)
        if tenants.get(connection, tenant_id=wanted).name != body.name:
            raise TenantNameDiffers
        by = operation.operator.key_id
        erasure = erasures.request(connection, tenant_id=wanted, requested_by=by)
        return Answer(
            operator_shapes.erasure(erasure), 202, location=f"/v1/admin/erasures/{erasure.id}"
        )

    return operation.run(work, details=body)


def _current(tenant_id: UUID) -> Callable[[Connection], OperatedTenant]:
    def current(connection: Connection) -> OperatedTenant:
        return _shape(connection, tenants.get(connection, tenant_id=TenantId(tenant_id), lock=True))

    return current


def _shape(connection: Connection, row: Row) -> OperatedTenant:
    (shape,) = _shapes(connection, [row])
    return shape


def _shapes(connection: Connection, rows: Sequence[Row]) -> list[OperatedTenant]:
    known = plans.limits_of(connection, codes={row.plan for row in rows})
    return [
        OperatedTenant(
            id=row.id,
            name=row.name,
            plan=row.plan,
            state=row.state,
            suspended_reason=row.suspended_reason,
            limits=dict(row.limits),
            effective_limits={**known[row.plan], **row.limits},
            created_at=row.created_at,
        )
        for row in rows
    ]
