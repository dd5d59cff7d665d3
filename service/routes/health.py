"""Whether the process lives, and whether it can answer."""

from typing import Literal

from fastapi import APIRouter, Response

from graph.errors import CodeloomError
from graph.storage import migrate, session
from service.deps import Shared
from service.schemas import Shape

router = APIRouter(tags=["service"])

Check = Literal["ok", "unreachable", "not_migrated"]


class Health(Shape):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Shape):
    """Whether requests should be sent here."""

    status: Literal["ready", "not_ready"]
    database: Check


@router.get("/healthz")
async def check_health() -> Health:
    """The process lives; says nothing about what it depends on."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not yet."}})
def check_readiness(backend: Shared, response: Response) -> Readiness:
    """The database answers and has the schema of this release."""
    database = _database(backend)
    ready = database == "ok"
    if not ready:
        response.status_code = 503
    return Readiness(status="ready" if ready else "not_ready", database=database)


def _database(backend: Shared) -> Check:
    try:
        if not session.ping(backend.settings):
            return "unreachable"
        return "ok" if migrate.head_reached(backend.settings) else "not_migrated"
    except CodeloomError:
        return "unreachable"
