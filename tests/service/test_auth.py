"""Who may do what, for every operation that the API document lists.

The cases are made from the document, so that a new route cannot be forgotten here. What tenants
can learn of each other is tried in `isolation`, which takes the tables below as promises.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
import httpx
import pytest
from starlette.testclient import TestClient

from graph.errors import ApiKeyInvalid
from graph.model import key_form
from graph.model.ids import ApiKeyId, TenantId
from graph.storage import keys, operator_keys
from graph.storage.keys import Caller, new_secret
from graph.storage.session import system_session, tenant_session
from service import watching
from service.auth import REMEMBERED_SECONDS, Authenticator
from service.shapes import symbol_id
from tests.seeding import Shop
from tests.service.conftest import Member, bearer
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings

OPEN = {"/healthz", "/readyz", "/problems", "/problems/{code}"}
OPERATED = "/v1/admin/"
# Operations that need more than the scope `read`.
NEEDS = {
    ("post", "/v1/repositories"): "ingest",
    ("patch", "/v1/repositories/{repository_id}"): "ingest",
    ("delete", "/v1/repositories/{repository_id}"): "admin",
    ("post", "/v1/repositories/{repository_id}/ingestions"): "ingest",
    ("post", "/v1/jobs"): "ingest",
    ("post", "/v1/jobs/{job_id}/cancel"): "ingest",
    ("post", "/v1/jobs/{job_id}/retry"): "ingest",
    ("post", "/v1/jobs/{job_id}/discard"): "ingest",
    ("get", "/v1/audit-events"): "admin",
    ("get", "/v1/audit-events/export"): "admin",
    ("get", "/v1/api-keys"): "admin",
    ("post", "/v1/api-keys"): "admin",
    ("get", "/v1/api-keys/{api_key_id}"): "admin",
    ("delete", "/v1/api-keys/{api_key_id}"): "admin",
    ("post", "/v1/api-keys/{api_key_id}/rotate"): "admin",
    ("get", "/v1/credentials"): "admin",
    ("post", "/v1/credentials"): "admin",
    ("get", "/v1/credentials/{credential_id}"): "admin",
    ("patch", "/v1/credentials/{credential_id}"): "admin",
    ("delete", "/v1/credentials/{credential_id}"): "admin",
}


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    description: dict[str, Any]

    @property
    def parameters(self) -> list[str]:
        return [p["name"] for p in self.description.get("parameters", []) if p["in"] == "path"]


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, description in methods.items():
            yield Operation(method, path, description)


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def of_tenants(document: dict[str, Any]) -> Iterator[Operation]:
    """What keys of tenants open."""
    return (one for one in operations(document) if not one.path.startswith(OPERATED))


def of_operators(document: dict[str, Any]) -> list[Operation]:
    """What keys of operators open."""
    return [one for one in operations(document) if one.path.startswith(OPERATED)]


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams of events end by themselves, so that they can be asked for like everything else."""
    monkeypatch.setattr(watching, "LIFE_SECONDS", 0.1)
    monkeypatch.setattr(watching, "_TICK_SECONDS", 0.05)


def ids_of(shop: Shop) -> dict[str, str]:
    """What the parameters of paths are called, and what they are for this shop."""
    return {
        "repository_id": str(shop.repository.id),
        "snapshot_id": str(shop.snapshot.id),
        "job_id": str(shop.snapshot.job_id),
        "task_id": f"{shop.snapshot.job_id}.1",
        "symbol_id": symbol_id(shop.add),
        "path": "src/cart.py",
        "api_key_id": str(shop.key_id),
        "credential_id": str(shop.credential_id),
        "tenant_id": str(uuid4()),
        "erasure_id": str(uuid4()),
        "plan": "standard",
        "code": "key_invalid",
    }


def call(
    client: TestClient, operation: Operation, ids: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    """The operation with these ids, and with whatever else it needs to be well-formed."""
    path = operation.path
    for name in operation.parameters:
        path = path.replace("{" + name + "}", ids[name])
    query = {"path": "src/cart.py", "line": "1", "column": "0"}
    parameters = operation.description.get("parameters", [])
    wanted = {p["name"] for p in parameters if p["in"] == "query" and p.get("required")}
    given = {name: value for name, value in query.items() if name in wanted}
    body = {"url": "https://example.org/new"} if path.endswith("/repositories") else {}
    has_body = "requestBody" in operation.description
    return client.request(
        operation.method,
        path,
        params=given,
        json=body if has_body else None,
        headers=headers,
    )


def without_request_id(response: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """An answer as a stranger compares it: everything but the id of the request itself."""
    request_id = response.headers["x-request-id"]
    # What is left of the limits is less with each request.
    varying = {request_id, response.headers.get("ratelimit")}
    headers = [(name, value) for name, value in response.headers.items() if value not in varying]
    return response.status_code, response.content.replace(request_id.encode(), b""), headers


def test_every_operation_but_the_open_ones_declares_that_it_needs_a_key(
    document: dict[str, Any],
) -> None:
    for operation in operations(document):
        declared = operation.description.get("security", [])
        names = {name for alternative in declared for name in alternative}
        expected = set() if operation.path in OPEN else {"bearer", "apiKey"}
        if operation.path.startswith(OPERATED):
            expected = {"operator", "operatorHeader"}
        assert names == expected, operation.path


BAD_KEYS = {
    "no key": {},
    "an empty key": {"authorization": "Bearer "},
    "another scheme": {"authorization": "Basic YWRtaW46YWRtaW4="},
    "no key at all": {"authorization": "Bearer nonsense"},
    "a key of nobody": {"authorization": f"Bearer {new_secret()}"},
    "a key of nobody in the other header": {"x-api-key": new_secret()},
    "bytes": {"x-api-key": "cl_live_\xff\xfe"},
    "a key of no operator": {"authorization": f"Bearer {key_form.new_secret('cl_oper_')}"},
    "a key of a tenant as an operator's": {"x-api-key": new_secret().replace("live", "oper")},
    "bytes of no operator": {"x-api-key": "cl_oper_\xff\xfe"},
}


@pytest.mark.parametrize("kind", BAD_KEYS)
def test_without_a_valid_key_every_operation_is_closed(
    kind: str, client: TestClient, document: dict[str, Any], shop: Shop
) -> None:
    for operation in operations(document):
        if operation.path in OPEN:
            continue
        headers = {k: v.encode("latin-1") for k, v in BAD_KEYS[kind].items()}
        answer = call(client, operation, ids_of(shop), headers)  # type: ignore[arg-type]
        assert answer.status_code == 401, operation.path
        assert answer.headers["www-authenticate"].startswith('Bearer realm="codeloom"')
        assert problem(answer)["code"] in {"api_key_missing", "api_key_invalid"}


def test_a_key_with_one_character_changed_is_refused(client: TestClient, acme: Member) -> None:
    for place in (0, 5, 10, 30, len(acme.read) - 1):
        other = "A" if acme.read[place] != "A" else "B"
        changed = acme.read[:place] + other + acme.read[place + 1 :]
        assert client.get("/v1/tenant", headers=bearer(changed)).status_code == 401


def test_closed_is_closed_before_a_body_is_read_or_a_route_is_known(client: TestClient) -> None:
    broken = {"content-type": "application/json"}
    assert client.post("/v1/repositories", content=b"{", headers=broken).status_code == 401
    assert client.get("/v1/nothing").status_code == 401
    assert client.delete("/v1/tenant").status_code == 401
    assert client.get("/v1").status_code == 401
    assert client.get("/v1x").status_code == 404


def test_a_key_of_a_tenant_opens_nothing_of_operators(
    client: TestClient, document: dict[str, Any], acme: Member, shop: Shop
) -> None:
    operated = of_operators(document)
    assert len(operated) >= 14
    for operation in operated:
        for key in (acme.read, acme.ingest, acme.admin):
            answer = call(client, operation, ids_of(shop), bearer(key))
            assert answer.status_code == 403, operation.path
            assert problem(answer)["code"] == "operator_key_required"
    # A key that is valid nowhere is told no more than a stranger is, route or none.
    assert client.get("/v1/admin", headers=bearer(acme.admin)).status_code == 403
    assert client.get("/v1/administrators", headers=bearer(acme.admin)).status_code == 404


def test_a_key_of_an_operator_opens_nothing_of_tenants(
    client: TestClient, document: dict[str, Any], operator: str, shop: Shop
) -> None:
    for operation in of_tenants(document):
        if operation.path in OPEN:
            continue
        answer = call(client, operation, ids_of(shop), bearer(operator))
        assert answer.status_code == 403, operation.path
        assert problem(answer)["code"] == "tenant_key_required"
    assert client.get("/v1/nothing", headers=bearer(operator)).status_code == 403
    assert client.get("/v1/admin/nothing", headers=bearer(operator)).status_code == 404


def test_revoked_and_expired_keys_of_operators_are_as_unknown_ones(
    client: TestClient, document: dict[str, Any], settings: "Settings", shop: Shop
) -> None:
    with system_session("administration", settings=settings) as connection:
        made, revoked = operator_keys.create(connection, name="left")
        operator_keys.revoke(connection, key_id=made.id)
        past = datetime.now(UTC) - timedelta(seconds=1)
        _, expired = operator_keys.create(connection, name="over", expires_at=past)
    unknown = key_form.new_secret(key_form.OPERATOR_KEY)
    for operation in operations(document):
        if operation.path in OPEN:
            continue
        answers = [
            call(client, operation, ids_of(shop), bearer(key))
            for key in (revoked, expired, unknown)
        ]
        assert {answer.status_code for answer in answers} == {401}, operation.path
        assert len({without_request_id(answer)[1] for answer in answers}) == 1


def test_a_key_for_certain_repositories_knows_no_others(
    client: TestClient,
    document: dict[str, Any],
    settings: "Settings",
    acme: Member,
    shop: Shop,
) -> None:
    from tests import seeding

    other = seeding.register(settings, acme.tenant_id, "other")
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        _, narrow = keys.create(
            connection, tenant_id=acme.tenant_id, scopes=["admin"], repositories=[other.id]
        )
    for operation in of_tenants(document):
        if operation.parameters and operation.path not in OPEN:
            answer = call(client, operation, ids_of(shop), bearer(narrow))
            assert answer.status_code == 404, operation.path
    listed = client.get("/v1/repositories", headers=bearer(narrow)).json()["items"]
    assert [one["id"] for one in listed] == [str(other.id)]
    by_url = client.get(
        "/v1/repositories", params={"url": shop.repository.url}, headers=bearer(narrow)
    )
    assert by_url.json()["items"] == []
    jobs = client.get("/v1/jobs", headers=bearer(narrow))
    assert problem(jobs)["code"] == "permission_missing"
    own_jobs = client.get(
        "/v1/jobs", params={"repository_id": str(other.id)}, headers=bearer(narrow)
    )
    assert own_jobs.status_code == 200
    registered = client.post(
        "/v1/repositories", json={"url": "https://example.org/z"}, headers=bearer(narrow)
    )
    assert registered.status_code == 403


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_revoked_key_is_refused_within_the_promised_time() -> None:
    clock = Clock()
    known = {new_secret(): Caller(TenantId(uuid4()), ApiKeyId(uuid4()), frozenset(), None)}
    (secret,) = known
    looked_up: list[str] = []

    def look_up(key: str) -> Caller | None:
        looked_up.append(key)
        return known.get(key)

    authenticator = Authenticator(look_up, clock)

    def caller(key: str) -> Caller:
        return anyio.run(authenticator.caller, key)

    caller(secret)
    known.clear()
    clock.now += REMEMBERED_SECONDS - 0.1
    caller(secret)
    assert len(looked_up) == 1
    clock.now += 0.2
    with pytest.raises(ApiKeyInvalid):
        caller(secret)
    # Refusals are not remembered: a key works as soon as it exists.
    with pytest.raises(ApiKeyInvalid):
        caller("nonsense")
    assert len(looked_up) == 2


def test_the_bearer_token_goes_before_the_other_header(client: TestClient, acme: Member) -> None:
    both = {**bearer(acme.read), "x-api-key": "nonsense"}
    assert client.get("/v1/tenant", headers=both).status_code == 200
    proxy = {"authorization": "Basic abc", "x-api-key": acme.read}
    assert client.get("/v1/tenant", headers=proxy).status_code == 200
    assert client.get("/v1/tenant", headers={"authorization": f"bEaReR  {acme.read}"}).is_success


def test_the_key_tells_whose_it_is(client: TestClient, acme: Member) -> None:
    answer = client.get("/v1/tenant", headers=bearer(acme.ingest)).json()
    assert (answer["id"], answer["name"]) == (str(acme.tenant_id), "acme")
    assert answer["scopes"] == ["ingest", "read"]
    assert acme.ingest not in str(answer)


def test_ids_that_are_no_ids_are_422_not_404(client: TestClient, acme: Member) -> None:
    for path in ("/v1/jobs/7", "/v1/snapshots/x", "/v1/repositories/none"):
        assert client.get(path, headers=bearer(acme.read)).status_code == 422
    # A task's id is an opaque text to whoever polls.
    absent = client.get("/v1/tasks/none", headers=bearer(acme.read))
    assert problem(absent)["code"] == "job_not_found"


def test_a_request_is_logged_with_its_tenant_and_without_its_key_or_path(
    capsys: pytest.CaptureFixture[str], client: TestClient, acme: Member, shop: Shop
) -> None:
    capsys.readouterr()
    answer = client.get(
        f"/v1/repositories/{shop.repository.id}/files/src/cart.py/outline",
        headers=bearer(acme.read),
    )
    line = capsys.readouterr().err
    assert "http.request" in line
    assert answer.headers["x-request-id"] in line
    assert str(acme.tenant_id) in line
    assert "/v1/repositories/{repository_id}/files/{path:path}/outline" in line
    assert acme.read not in line
    assert "cart.py" not in line
