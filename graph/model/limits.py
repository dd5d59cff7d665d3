"""What a tenant's use of is limited: one row per resource.

A limit is data: a plan names some of these with a number each, a tenant may have numbers of its
own that go before them, and what neither names has no limit. A limit may be lowered below what is
used: nothing is taken away then, and nothing more is granted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Period(StrEnum):
    """Over which time a resource is counted."""

    NONE = "none"  # what there is at this moment; it can be given back
    MONTH = "month"  # what was used since the calendar month began, by UTC
    MINUTE = "minute"  # a rate: watched where requests come in, and not kept


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that can be limited, under the name that plans and answers use."""

    name: str
    unit: str
    period: Period
    meaning: str
    # The database counts job time in seconds: minutes that are rounded for each job would add up
    # to more than was used.
    counted_per_unit: int = 1

    def units(self, counted: int) -> int:
        """What the database counted, in whole units: a minute that has begun is a minute."""
        return -(-counted // self.counted_per_unit)


RESOURCES: tuple[Resource, ...] = (
    Resource("repositories", "repositories", Period.NONE, "Registered and not removed."),
    Resource("api_keys", "keys", Period.NONE, "Neither revoked nor replaced by another."),
    Resource("credentials", "credentials", Period.NONE, "Kept for hosts of repositories."),
    Resource("running_jobs", "jobs", Period.NONE, "Under way at the same time."),
    Resource("queued_jobs", "jobs", Period.NONE, "Waiting for their turn."),
    Resource("files", "files", Period.NONE, "Stored versions of files, over all snapshots."),
    Resource("lines", "lines", Period.NONE, "Lines of the stored versions of files."),
    Resource("nodes", "nodes", Period.NONE, "Nodes of the stored versions of files."),
    Resource("stored_bytes", "bytes", Period.NONE, "Held in the object store."),
    Resource("clone_bytes", "bytes", Period.MONTH, "Fetched from the hosts of repositories."),
    Resource("job_minutes", "minutes", Period.MONTH, "Time in which jobs ran.", 60),
    Resource("requests_per_minute", "requests", Period.MINUTE, "Requests by all keys together."),
    Resource("key_requests_per_minute", "requests", Period.MINUTE, "Requests by any one key."),
)

BY_NAME: dict[str, Resource] = {resource.name: resource for resource in RESOURCES}

# What `GET /v1/usage` tells: a rate has no past.
KEPT: tuple[Resource, ...] = tuple(
    resource for resource in RESOURCES if resource.period is not Period.MINUTE
)

# The largest whole number that every reader of JSON understands; in seconds it still fits a bigint.
MAX_LIMIT = 2**53 - 1


def refusal(
    resource: Resource,
    *,
    limit: int,
    used: int,
    asked: int = 0,
    resets_at: datetime | None = None,
) -> str:
    """Why no more is granted, in a sentence for the tenant; all amounts in units."""
    period = " a month" if resource.period is Period.MONTH else ""
    message = f"Limit of {resource.name}: {limit}{period}, used: {used}"
    if asked:
        message += f", asked for: {asked} more"
    if resets_at is not None:
        message += f", until {resets_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"{message}."


def checked(limits: Mapping[str, object]) -> dict[str, int]:
    """The limits as they may be stored; raises ValueError with a sentence about the first mistake.

    A limit is a whole number from 0; a resource without a limit is left out.
    """
    fine: dict[str, int] = {}
    for name, value in limits.items():
        if name not in BY_NAME:
            raise ValueError(f"There is no resource {name[:100]!r} to be limited.")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_LIMIT:
            raise ValueError(f"The limit of {name} has to be a whole number from 0 to {MAX_LIMIT}.")
        fine[name] = value
    return fine
