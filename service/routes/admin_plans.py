"""Plans: what tenants may use."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from graph.queries.page import Page
from graph.storage import plans
from graph.storage.session import Connection, system_session
from service import etags, schemas
from service.deps import Operating, Paged, Shared
from service.etags import NOT_MODIFIED
from service.operations import Changing, Making
from service.operator_shapes import Limits
from service.wire import NUMBER, Text
from service.writes import CREATED, Answer, Target

router = APIRouter(prefix="/v1/admin/plans", tags=["operator"])

PlanParameter = Annotated[
    Text, Path(min_length=1, max_length=50, description="The plan.", examples=["standard"])
]
Title = Annotated[Text, Field(max_length=plans.TITLE_LENGTH, examples=["Standard"])]
Weight = Annotated[
    float,
    Field(
        ge=plans.MIN_WEIGHT,
        le=plans.MAX_WEIGHT,
        allow_inf_nan=False,
        description="A tenant's share when workers are few, beside that of other plans.",
    ),
    NUMBER,
]


class NewPlan(schemas.Request):
    """A plan to make."""

    code: str = Field(pattern=plans.CODE_PATTERN, examples=["enterprise"])
    title: Title = ""
    weight: Weight = 1.0
    limits: Limits = Field(default={}, description="A resource that is not named has no limit.")


class PlanChange(schemas.Request):
    """What to change; what is not given stays."""

    title: Title | None = None
    weight: Weight | None = None
    limits: Limits | None = Field(
        default=None, description="In the place of all limits that the plan has."
    )


class Plan(schemas.Shape):
    """What a tenant on it may use."""

    code: str
    title: str
    weight: float
    limits: dict[str, int]


class PlanPage(schemas.Page[Plan]):
    """Plans, by code."""


@router.post("", status_code=201, response_model=Plan, responses=CREATED)
def create_plan(operation: Making, body: NewPlan) -> Response:
    """Make a plan. A second one of the same code is a conflict."""

    def work(connection: Connection) -> Answer:
        row = plans.create(
            connection, code=body.code, title=body.title, weight=body.weight, limits=body.limits
        )
        location = f"/v1/admin/plans/{row.code}"
        return Answer(_shape(row), 201, target=Target("plan", row.code), location=location)

    return operation.run(work, details=body)


@router.get("")
def list_plans(_: Operating, backend: Shared, paging: Paged) -> PlanPage:
    """The plans, by code."""
    after, _snapshot = paging.position()
    with system_session("administration", settings=backend.settings) as connection:
        found = plans.list_page(
            connection, after=str(after[0]) if after else None, limit=paging.limit + 1
        )
    page = Page.cut(found, paging.limit, lambda row: (row.code,))
    return PlanPage(
        items=[_shape(row) for row in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get("/{plan}", response_model=Plan, responses=NOT_MODIFIED)
def get_plan(request: Request, _: Operating, backend: Shared, plan: PlanParameter) -> Response:
    """One plan."""
    with system_session("administration", settings=backend.settings) as connection:
        row = plans.get(connection, code=plan)
    return etags.answer(request, _shape(row))


@router.patch("/{plan}", response_model=Plan)
def change_plan(operation: Changing, plan: PlanParameter, body: PlanChange) -> Response:
    """Change a plan, for all tenants on it; it holds within 15 seconds.

    A limit below what a tenant uses takes nothing away, and grants nothing more.
    """

    def work(connection: Connection) -> Answer:
        row = plans.change(
            connection, code=plan, title=body.title, weight=body.weight, limits=body.limits
        )
        return Answer(_shape(row))

    def current(connection: Connection) -> Plan:
        return _shape(plans.get(connection, code=plan, lock=True))

    return operation.run(work, details=body, current=current)


def _shape(row: plans.Plan) -> Plan:
    return Plan(code=row.code, title=row.title, weight=row.weight, limits=dict(row.limits))
