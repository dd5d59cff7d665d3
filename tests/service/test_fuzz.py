"""The API against requests that are made from its own document, good ones and bad ones."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as examples
from schemathesis import Case

from graph.settings import Settings
from graph.storage import erasures, plans, tenants
from graph.storage.session import system_session
from service.app import create_app
from service.shapes import symbol_id
from tests.seeding import Shop
from tests.service.conftest import Member

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send


PLAYED_WITH = "played with"


class Stand:
    """Stands for the application of each test; the document is the same for all of them."""

    # What is good of a field whose schema cannot say it.
    sayable: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "url": lambda url: f"https://example.org/{len(url)}",
        "host": lambda _: "git.example.org",
        "plan": lambda plan: plan and "standard",
        "expires_at": lambda at: at and (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }

    def __init__(self) -> None:
        self.app: Any = create_app(Settings(codeloom_secret="collection"))
        self.known: dict[str, str] = {}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        await self.app(scope, receive, send)


STAND = Stand()
api = schemathesis.openapi.from_asgi("/openapi.json", STAND)


@api.hook
def map_case(_context: Any, case: Case) -> Case:
    """Half of the requests are about what is there; the others about what is not.

    What a schema cannot say is put right in requests that are meant to be good: a cursor is one
    that was given, one thing at most chooses the snapshot, an address is one of a Git host, a key
    ends in the future, a plan is one that there is, a tenant is named by its name, nothing changed
    meanwhile, and no idempotency key was used before.
    """
    if case.meta is None or case.meta.generation.mode.is_positive:
        query = dict(case.query or {})
        query.pop("cursor", None)
        for more in [name for name in ("ref", "commit", "snapshot") if name in query][1:]:
            del query[more]
        case.query = query
        if case.headers:
            case.headers.pop("if-match", None)
            if "idempotency-key" in case.headers:
                case.headers["idempotency-key"] = str(uuid4())
        if isinstance(case.body, dict):
            case.body = {
                name: STAND.sayable.get(name, lambda value: value)(value)
                for name, value in case.body.items()
            }
        if case.path.endswith("/erase") and isinstance(case.body, dict):
            case.body = {"name": PLAYED_WITH}
        if sum(str(case.path_parameters).encode()) % 2:
            case.path_parameters = {
                name: STAND.known.get(name, value)
                for name, value in (case.path_parameters or {}).items()
            }
    return case


def key_for(case: Case, acme: Member, operator: str) -> dict[str, str]:
    key = operator if case.path.startswith("/v1/admin/") else acme.admin
    # Spelled as the library looks for it when it tries the same without a key.
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def operated(settings: Settings) -> dict[str, str]:
    """A tenant and a plan for operators to play with, which nothing else depends on."""
    with system_session("administration", settings=settings) as connection:
        plan = plans.create(connection, code=f"fuzz-{uuid4().hex[:8]}").code
        tenant = tenants.create(connection, name=PLAYED_WITH, plan=plan)
        gone = tenants.create(connection, name="on its way out", plan=plan)
        erasure = erasures.request(connection, tenant_id=gone.id)
    return {"tenant_id": str(tenant.id), "plan": plan, "erasure_id": str(erasure.id)}


@pytest.fixture
def stand(app: "FastAPI", shop: Shop, operated: dict[str, str]) -> Iterator[None]:
    before, STAND.app = STAND.app, app
    STAND.known = {
        "repository_id": str(shop.repository.id),
        "snapshot_id": str(shop.snapshot.id),
        "job_id": str(shop.snapshot.job_id),
        "task_id": f"{shop.snapshot.job_id}.1",
        "symbol_id": symbol_id(shop.add),
        "path": "src/cart.py",
        "api_key_id": str(shop.key_id),
        "credential_id": str(shop.credential_id),
        **operated,
    }
    yield
    STAND.app = before


@api.parametrize()
@examples(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_is_answered_otherwise_than_described(
    case: Case, stand: None, acme: Member, operator: str
) -> None:
    case.call_and_validate(headers=key_for(case, acme, operator))


@pytest.mark.fuzz
@api.parametrize()
@examples(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_at_all_is_answered_otherwise_than_described(
    case: Case, stand: None, acme: Member, operator: str
) -> None:
    case.call_and_validate(headers=key_for(case, acme, operator))
