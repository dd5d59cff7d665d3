"""Wire shapes that several routes of operators share."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue
from typing_extensions import TypeAliasType

from graph.model import limits
from graph.storage import erasures
from graph.storage.erasures import ErasureState
from service.schemas import Shape
from service.wire import NUMBER

_NAMES: list[JsonValue] = [*limits.BY_NAME]
_Amount = Annotated[int, Field(ge=0, le=limits.MAX_LIMIT), NUMBER]

# By name of the resource; what is not named has no limit.
Limits = TypeAliasType(
    "Limits",
    Annotated[
        dict[str, _Amount],
        AfterValidator(limits.checked),
        Field(
            examples=[{"repositories": 100, "running_jobs": 4}],
            json_schema_extra={"propertyNames": {"enum": _NAMES}},
        ),
    ],
)

# A text with something in it that can be read; the same for those who read the document.
SOMETHING = r"[^\s\x00-\x1f]"
SOMETHING_TOLD: dict[str, JsonValue] = {"pattern": r"^[^\u0000]*[^\s\u0000-\u001f][^\u0000]*$"}

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {"description": "Where to follow it.", "schema": {"type": "string"}},
        }
    }
}


class RemovedObjects(Shape):
    """Objects of one kind that were removed."""

    objects: int
    bytes: int


class Erasure(Shape):
    """The removal of a tenant with all that it had, and the evidence of it."""

    id: UUID
    tenant_id: UUID
    tenant_name: str
    state: ErasureState = Field(
        description=(
            "stopping: its jobs are being stopped. erasing: what it has is being removed."
            " finished: there is nothing left of it but this and the operators' events."
        )
    )
    requested_at: datetime
    requested_by: UUID | None = Field(description="The operator key; null at the command line.")
    rows: dict[str, int] = Field(description="Rows that were removed so far, by table.")
    objects: dict[str, RemovedObjects] = Field(description="Stored objects, by kind.")
    redis_keys: int
    finished_at: datetime | None
    checked_at: datetime | None = Field(
        description="When it was last made sure that nothing came back."
    )


def erasure(row: erasures.Erasure) -> Erasure:
    """The erasure of a row."""
    evidence = row.evidence
    return Erasure(
        id=row.id,
        tenant_id=row.tenant_id,
        tenant_name=row.tenant_name,
        state=row.state,
        requested_at=row.requested_at,
        requested_by=row.requested_by,
        rows=dict(evidence.rows),
        objects={
            kind: RemovedObjects(objects=removed.objects, bytes=removed.bytes)
            for kind, removed in evidence.objects.items()
        },
        redis_keys=evidence.redis_keys,
        finished_at=row.finished_at,
        checked_at=row.checked_at,
    )
