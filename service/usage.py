"""What a tenant uses as it is shown, wherever it is shown."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from graph.storage.usage import Standing
from graph.storage.usage import Usage as Found
from service.schemas import Shape


class UsedResource(Shape):
    """One resource; all amounts in its unit."""

    resource: str = Field(description="Its name, as plans and errors use it.")
    meaning: str
    unit: str
    period: Literal["none", "month"] = Field(
        description="`month`: counted anew each calendar month, by UTC. `none`: what there is now."
    )
    limit: int | None = Field(description="Null where there is no limit.")
    used: int = Field(description="May be above the limit where that was lowered since.")
    reserved: int = Field(
        description="Promised to running jobs, which return what they do not need."
    )
    resets_at: datetime | None = Field(description="Null where the period is `none`.")


class Period(Shape):
    """The calendar month that is told of."""

    begins_at: datetime
    ends_at: datetime


class Usage(Shape):
    """What the tenant uses at this moment."""

    period: Period
    resources: list[UsedResource]


def usage(found: Found) -> Usage:
    """The usage that was found."""
    return Usage(
        period=Period(begins_at=found.begins, ends_at=found.ends),
        resources=[_shape(standing) for standing in found.standings],
    )


def _shape(standing: Standing) -> UsedResource:
    resource = standing.resource
    used = resource.units(standing.used)
    return UsedResource(
        resource=resource.name,
        meaning=resource.meaning,
        unit=resource.unit,
        period="none" if standing.resets_at is None else "month",
        limit=None if standing.limit is None else resource.units(standing.limit),
        used=used,
        # Rounded together, so that used and reserved add up to no more than the limit.
        reserved=resource.units(standing.used + standing.reserved) - used,
        resets_at=standing.resets_at,
    )
