"""What operators do over HTTP: to tenants and plans, and what is told of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
import httpx
import psycopg
import pytest
from starlette.testclient import TestClient

from graph.errors import TenantSuspended
from graph.model import key_form
from graph.storage import audit, keys, operator_events, operator_keys
from graph.storage.engine import dedicated
from graph.storage.session import system_session, tenant_session
from service.auth import REMEMBERED_SECONDS, Authenticator
from tests.seeding import Shop
from tests.service.conftest import Member, bearer, make_tenant
from tests.service.test_problems import problem
from workers import facade

if TYPE_CHECKING:
    from graph.settings import Settings

TENANTS = "/v1/admin/tenants"
PLANS = "/v1/admin/plans"


class Console:
    """An operator at the API."""

    def __init__(self, client: TestClient, key: str) -> None:
        self.client = client
        self.key = key

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.client.request(method, path, json=body, headers={**bearer(self.key), **headers})

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query, headers=bearer(self.key))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def every(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def make(self, name: str = "acme", **more: Any) -> dict[str, Any]:
        answer = self.ask("POST", TENANTS, {"name": name, **more})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"{TENANTS}/{made['id']}"
        return made


@pytest.fixture
def console(client: TestClient, operator: str) -> Console:
    return Console(client, operator)


# --- tenants ---------------------------------------------------------------------------------


def test_a_tenant_is_made_listed_and_changed(console: Console) -> None:
    made = console.make("  new  ", limits={"repositories": 7})
    assert (made["name"], made["plan"], made["state"]) == ("new", "standard", "active")
    assert made["limits"] == {"repositories": 7}
    assert made["effective_limits"] == {
        **console.get(f"{PLANS}/standard")["limits"],
        "repositories": 7,
    }
    place = f"{TENANTS}/{made['id']}"
    assert console.get(place) == made
    changed = console.ask("PATCH", place, {"name": "newer", "limits": {}})
    assert changed.json() == {
        **made,
        "name": "newer",
        "limits": {},
        "effective_limits": console.get(f"{PLANS}/standard")["limits"],
    }
    assert console.get(place) == changed.json()
    assert console.ask("PATCH", place, {}).json() == changed.json()


def test_tenants_are_paged_and_found_by_name_plan_and_state(console: Console) -> None:
    mark = uuid4().hex
    plan = console.ask("POST", PLANS, {"code": f"p-{mark[:8]}"}).json()["code"]
    made = [console.make(mark, plan=plan) for _ in range(5)]
    assert console.every(TENANTS, name=mark, limit=2) == made
    assert console.every(TENANTS, plan=plan) == made
    console.ask("POST", f"{TENANTS}/{made[2]['id']}/suspend", {"reason": "x"})
    (suspended,) = console.every(TENANTS, plan=plan, state="suspended")
    assert suspended["id"] == made[2]["id"]
    every = [one["id"] for one in console.every(TENANTS, limit=500)]
    assert every == sorted(every)
    assert {one["id"] for one in made} <= set(every)


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 201},
        {"name": "x", "plan": "no such plan"},
        {"name": "x", "limits": {"planets": 3}},
        {"name": "x", "limits": {"repositories": -1}},
        {"name": "x", "limits": {"repositories": 1.5}},
        {"name": "x", "limits": {"repositories": True}},
        {"name": "x", "limits": {"repositories": "7"}},
        {"name": "x", "limits": {"repositories": 2**60}},
        {"name": "x", "limits": []},
        {"name": "x", "state": "suspended"},
        {},
    ],
)
def test_what_a_tenant_cannot_be_is_422(console: Console, body: dict[str, Any]) -> None:
    answer = console.ask("POST", TENANTS, body)
    assert (
        answer.status_code,
        problem(answer)["code"] in {"request_invalid", "tenant_invalid"},
    ) == (
        422,
        True,
    )
    made = console.make()
    change = {key: value for key, value in body.items() if key != "name" or len(body) == 1}
    if change:
        answer = console.ask("PATCH", f"{TENANTS}/{made['id']}", change)
        assert answer.status_code == 422
    assert console.get(f"{TENANTS}/{made['id']}") == made


def test_a_change_goes_through_only_if_nothing_changed_meanwhile(console: Console) -> None:
    place = f"{TENANTS}/{console.make()['id']}"
    read = console.client.get(place, headers=bearer(console.key))
    tag = {"if-match": read.headers["etag"]}
    again = console.client.get(
        place, headers={**bearer(console.key), "if-none-match": read.headers["etag"]}
    )
    assert again.status_code == 304
    assert console.ask("PATCH", place, {"name": "one"}, **tag).status_code == 200
    second = console.ask("PATCH", place, {"name": "two"}, **tag)
    assert (second.status_code, problem(second)["code"]) == (412, "precondition_failed")
    assert console.get(place)["name"] == "one"


def test_what_is_not_there_is_404(console: Console) -> None:
    absent = f"{TENANTS}/{uuid4()}"
    answers = [
        console.ask("GET", absent),
        console.ask("GET", f"{absent}/usage"),
        console.ask("PATCH", absent, {"name": "x"}),
        console.ask("PATCH", absent, {"name": "x"}, **{"if-match": "*"}),
        console.ask("POST", f"{absent}/suspend", {"reason": "x"}),
        console.ask("POST", f"{absent}/resume"),
        console.ask("POST", f"{absent}/erase", {"name": "x"}),
    ]
    assert {(a.status_code, problem(a)["code"]) for a in answers} == {(404, "tenant_not_found")}
    for path, code in (
        (f"{PLANS}/none", "plan_not_found"),
        (f"/v1/admin/erasures/{uuid4()}", "erasure_not_found"),
    ):
        answer = console.ask("GET", path)
        assert (answer.status_code, problem(answer)["code"]) == (404, code)


# --- suspension ------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_suspended_tenant_is_refused_with_the_reason_within_the_promised_time(
    console: Console, settings: "Settings"
) -> None:
    member = make_tenant(settings, "late payer")
    clock = Clock()
    authenticator = Authenticator(lambda secret: keys.authenticate(settings, secret), clock)
    anyio.run(authenticator.caller, member.read)
    place = f"{TENANTS}/{member.tenant_id}"
    answer = console.ask("POST", f"{place}/suspend", {"reason": "  The invoice of May is open. "})
    assert answer.json()["state"] == "suspended"
    assert answer.json()["suspended_reason"] == "The invoice of May is open."
    clock.now += REMEMBERED_SECONDS - 0.1
    anyio.run(authenticator.caller, member.read)
    clock.now += 0.2
    with pytest.raises(TenantSuspended, match=r"The invoice of May is open\."):
        anyio.run(authenticator.caller, member.read)
    refused = console.client.get("/v1/tenant", headers=bearer(member.admin))
    assert (refused.status_code, problem(refused)["code"]) == (403, "tenant_suspended")
    assert "The invoice of May is open." in problem(refused)["detail"]
    # Again only changes the reason; resuming reverses it, and so does resuming twice.
    again = console.ask("POST", f"{place}/suspend", {"reason": "Still."}).json()
    assert again["suspended_reason"] == "Still."
    for _ in range(2):
        resumed = console.ask("POST", f"{place}/resume").json()
        assert (resumed["state"], resumed["suspended_reason"]) == ("active", None)
    assert anyio.run(authenticator.caller, member.read).tenant_id == member.tenant_id
    assert console.client.get("/v1/tenant", headers=bearer(member.admin)).status_code == 200


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " \t"}, {"reason": "x" * 501}])
def test_a_suspension_has_a_reason(console: Console, body: dict[str, str]) -> None:
    place = f"{TENANTS}/{console.make()['id']}"
    assert console.ask("POST", f"{place}/suspend", body).status_code == 422
    assert console.get(place)["state"] == "active"


# --- plans -----------------------------------------------------------------------------------


def test_a_plan_is_made_listed_and_changed(console: Console) -> None:
    code = f"p{uuid4().hex[:8]}"
    body = {"code": code, "title": "Large", "weight": 2.5, "limits": {"running_jobs": 9}}
    made = console.ask("POST", PLANS, body)
    assert (made.status_code, made.json()) == (201, body)
    assert made.headers["location"] == f"{PLANS}/{code}"
    second = console.ask("POST", PLANS, body)
    assert (second.status_code, problem(second)["code"]) == (409, "plan_already_exists")
    assert body in console.every(PLANS, limit=1)
    tag = {"if-match": made.headers["etag"]}
    changed = console.ask("PATCH", f"{PLANS}/{code}", {"limits": {"files": 5}}, **tag)
    assert changed.json() == {**body, "limits": {"files": 5}}
    assert console.ask("PATCH", f"{PLANS}/{code}", {"title": "x"}, **tag).status_code == 412
    assert console.get(f"{PLANS}/{code}") == changed.json()


@pytest.mark.parametrize(
    "body",
    [
        {"code": ""},
        {"code": "Large"},
        {"code": "1st"},
        {"code": "x" * 51},
        {"code": "a/b"},
        {"weight": 0},
        {"weight": -1},
        {"weight": 1e300},
        {"weight": "heavy"},
        {"title": "x" * 201},
        {"limits": {"planets": 3}},
        {"limits": {"repositories": -1}},
        {"limits": {"repositories": None}},
        {"max_running": 4},
    ],
)
def test_what_a_plan_cannot_be_is_422(console: Console, body: dict[str, Any]) -> None:
    code = f"q{uuid4().hex[:8]}"
    answer = console.ask("POST", PLANS, {"code": code, **body})
    assert (answer.status_code, problem(answer)["code"]) == (422, "request_invalid")
    if "code" not in body:
        before = console.ask("POST", PLANS, {"code": code}).json()
        assert console.ask("PATCH", f"{PLANS}/{code}", body).status_code == 422
        assert console.get(f"{PLANS}/{code}") == before


def test_a_changed_plan_holds_for_its_tenants_when_keys_are_looked_up_again(
    console: Console, settings: "Settings"
) -> None:
    code = f"r{uuid4().hex[:8]}"
    console.ask("POST", PLANS, {"code": code, "limits": {"requests_per_minute": 10}})
    member = make_tenant(settings, "on a plan")
    place = f"{TENANTS}/{member.tenant_id}"
    clock = Clock()
    authenticator = Authenticator(lambda secret: keys.authenticate(settings, secret), clock)

    def allowed() -> int | None:
        return anyio.run(authenticator.caller, member.read).requests_per_minute

    def after(change: Callable[[], httpx.Response]) -> int | None:
        known = allowed()
        assert change().status_code == 200
        assert allowed() == known
        clock.now += REMEMBERED_SECONDS + 0.1
        return allowed()

    def patch(path: str, body: dict[str, Any]) -> Callable[[], httpx.Response]:
        return lambda: console.ask("PATCH", path, body)

    assert after(patch(place, {"plan": code})) == 10
    assert after(patch(f"{PLANS}/{code}", {"limits": {"requests_per_minute": 20}})) == 20
    assert after(patch(place, {"limits": {"requests_per_minute": 30}})) == 30
    assert after(patch(f"{PLANS}/{code}", {"limits": {}})) == 30
    assert after(patch(place, {"limits": {}})) is None
    # What is no rate is read where it is applied: at once.
    assert patch(place, {"limits": {"repositories": 0}})().status_code == 200
    body = {"url": "https://example.org/z"}
    refused = console.client.post("/v1/repositories", json=body, headers=bearer(member.ingest))
    assert (refused.status_code, problem(refused)["code"]) == (429, "quota_exceeded")


def test_usage_is_told_as_the_tenant_sees_it(console: Console, acme: Member, shop: Shop) -> None:
    told = console.get(f"{TENANTS}/{acme.tenant_id}/usage")
    own = console.client.get("/v1/usage", headers=bearer(acme.read)).json()
    assert told == own
    assert {each["resource"]: each["used"] for each in told["resources"]}["repositories"] == 1
    assert shop.repository.number == 1


# --- erasure ---------------------------------------------------------------------------------


def test_an_erasure_is_asked_for_followed_and_leaves_an_absent_tenant(
    console: Console, settings: "Settings"
) -> None:
    member = make_tenant(settings, "on its way out")
    place = f"{TENANTS}/{member.tenant_id}"
    wrong = console.ask("POST", f"{place}/erase", {"name": "another"})
    assert (wrong.status_code, problem(wrong)["code"]) == (409, "tenant_name_differs")
    assert console.get(place)["state"] == "active"
    answer = console.ask("POST", f"{place}/erase", {"name": "on its way out"})
    assert answer.status_code == 202
    where = answer.headers["location"]
    assert where == f"/v1/admin/erasures/{answer.json()['id']}"
    assert console.get(where) == answer.json()
    again = console.ask("POST", f"{place}/erase", {"name": "on its way out"})
    assert (again.status_code, again.json()) == (202, answer.json())
    assert console.get(place)["state"] == "erasing"
    refused = console.client.get("/v1/tenant", headers=bearer(member.read))
    assert (refused.status_code, problem(refused)["detail"]) == (403, "The tenant is being erased.")
    for act, body in (("suspend", {"reason": "x"}), ("resume", None)):
        conflict = console.ask("POST", f"{place}/{act}", body)
        assert (conflict.status_code, problem(conflict)["code"]) == (409, "tenant_erasing")
    assert console.ask("PATCH", place, {"name": "x"}).status_code == 409

    assert facade.erase(settings, erasure_id=answer.json()["id"])
    done = console.get(where)
    assert (done["state"], done["rows"]["api_keys"], done["rows"]["tenants"]) == ("finished", 3, 1)
    assert done["requested_by"] == str(key_of(settings, console.key))
    gone = console.ask("GET", place)
    absent = console.ask("GET", f"{TENANTS}/{uuid4()}")
    assert problem(gone)["code"] == problem(absent)["code"] == "tenant_not_found"
    unknown = console.client.get("/v1/tenant", headers=bearer(member.admin))
    assert unknown.status_code == 401
    (listed,) = console.every("/v1/admin/erasures", tenant_id=str(member.tenant_id))
    assert listed == done
    # The operators' own list still tells of it, newest first.
    told = console.every("/v1/admin/operator-events", tenant_id=str(member.tenant_id))
    assert [(event["action"], event["outcome"]) for event in told] == [
        ("finish_erasure", "succeeded"),
        ("change_tenant", "refused"),
        ("resume_tenant", "refused"),
        ("suspend_tenant", "refused"),
        ("erase_tenant", "succeeded"),
        ("erase_tenant", "succeeded"),
        # With another tenant's name.
        ("erase_tenant", "refused"),
    ]
    assert told[0]["details"]["rows"] == done["rows"]


def test_a_key_that_is_still_remembered_can_write_nothing_for_an_erased_tenant(
    console: Console, settings: "Settings"
) -> None:
    member = make_tenant(settings, "quickly gone")
    key, narrow = bearer(member.admin), bearer(member.read)
    for headers in (key, narrow):
        assert console.client.get("/v1/tenant", headers=headers).status_code == 200
    place = f"{TENANTS}/{member.tenant_id}"
    asked = console.ask("POST", f"{place}/erase", {"name": "quickly gone"}).json()
    assert facade.erase(settings, erasure_id=asked["id"])
    new_key = {"name": "x", "scopes": ["read"]}
    answers = [
        console.client.get("/v1/tenant", headers=key),
        console.client.post("/v1/repositories", json={"url": "https://a.test/b"}, headers=key),
        console.client.post("/v1/api-keys", json=new_key, headers=key),
    ]
    assert [problem(answer)["code"] for answer in answers] == ["tenant_not_found"] * 3
    # Not even that it was refused.
    refused = console.client.post("/v1/api-keys", json=new_key, headers=narrow)
    assert problem(refused)["code"] == "permission_missing"
    with dedicated(settings, "owner") as connection:
        connection.execute("select set_config('app.tenant_id', %s, false)", [str(member.tenant_id)])
        for table in ("audit_events", "repositories", "api_keys"):
            found = connection.execute(f"select count(*) from {table}".encode()).fetchone()
            assert found == (0,)


def test_erasures_are_paged(console: Console) -> None:
    made = [console.make(f"e{number}") for number in range(3)]
    for one in made:
        console.ask("POST", f"{TENANTS}/{one['id']}/erase", {"name": one["name"]})
    listed = [one["tenant_id"] for one in console.every("/v1/admin/erasures", limit=2)]
    assert listed[:3] == [one["id"] for one in reversed(made)]


# --- what is told ----------------------------------------------------------------------------


def key_of(settings: "Settings", secret: str) -> Any:
    found = operator_keys.authenticate(settings, secret)
    assert found is not None
    return found.key_id


def test_every_act_is_told_to_operators_and_to_the_tenant(
    console: Console, settings: "Settings"
) -> None:
    made = console.make()
    place = f"{TENANTS}/{made['id']}"
    changed = console.ask("PATCH", place, {"limits": {"files": 9}})
    console.ask("POST", f"{place}/suspend", {"reason": "unpaid"})
    console.ask("POST", f"{place}/resume")
    told = console.every("/v1/admin/operator-events", tenant_id=made["id"], limit=3)
    actions = ["resume_tenant", "suspend_tenant", "change_tenant", "create_tenant"]
    assert [event["action"] for event in told] == actions
    who = {"kind": "operator", "id": str(key_of(settings, console.key))}
    assert all(event["actor"] == who for event in told)
    assert all(event["target"] == {"kind": "tenant", "id": made["id"]} for event in told)
    assert [event["details"] for event in told] == [
        {},
        {"reason": "unpaid"},
        {"limits": {"files": 9}},
        {"name": "acme"},
    ]
    assert told[2]["request_id"] == changed.headers["x-request-id"]
    with tenant_session(made["id"], settings=settings) as connection:
        own = audit.list_page(connection, audit.Filter(), limit=99)
    assert [event.action for event in own] == actions
    assert {event.actor for event in own} == {
        audit.Actor("operator", key_of(settings, console.key))
    }
    assert own[2].request_id == told[2]["request_id"]


def test_what_is_refused_is_told_and_what_was_never_an_act_is_not(console: Console) -> None:
    absent = str(uuid4())
    refused = console.ask("POST", f"{TENANTS}/{absent}/resume")
    (event,) = console.every("/v1/admin/operator-events", tenant_id=absent)
    assert (event["action"], event["outcome"]) == ("resume_tenant", "refused")
    assert (event["code"], event["request_id"]) == (
        "tenant_not_found",
        refused.headers["x-request-id"],
    )
    before = console.get("/v1/admin/operator-events", limit=1)["items"]
    console.ask("POST", TENANTS, {"name": 7})
    console.ask("PATCH", f"{TENANTS}/none", {})
    console.client.post(TENANTS, json={"name": "x"})
    assert console.get("/v1/admin/operator-events", limit=1)["items"] == before


def test_an_act_without_its_event_does_not_happen(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid4().hex

    def broken(*_: object, **__: object) -> None:
        raise psycopg.OperationalError

    for room in (operator_events, audit):
        with monkeypatch.context() as patch:
            patch.setattr(room, "record", broken)
            assert console.ask("POST", TENANTS, {"name": mark}).status_code >= 500
    assert console.every(TENANTS, name=mark) == []


def test_events_are_found_by_what_they_say(console: Console, settings: "Settings") -> None:
    plan = f"s{uuid4().hex[:8]}"
    console.ask("POST", PLANS, {"code": plan})
    console.ask("POST", PLANS, {"code": plan})
    console.ask("PATCH", f"{PLANS}/{plan}", {"title": "t"})

    def found(**query: Any) -> list[str]:
        path = "/v1/admin/operator-events"
        return [event["action"] for event in console.every(path, target_id=plan, **query)]

    # One that was refused before it was made is about no plan yet.
    assert found() == ["change_plan", "create_plan"]
    assert found(action="change_plan") == ["change_plan"]
    assert found(outcome="refused") == []
    assert len(found(actor_id=str(key_of(settings, console.key)))) == 2
    assert found(actor_id=str(uuid4())) == []
    now = datetime.now(UTC)
    assert found(since=(now + timedelta(hours=1)).isoformat()) == []
    assert found(until=(now - timedelta(hours=1)).isoformat()) == []
    assert len(found(since=(now - timedelta(hours=1)).isoformat())) == 2


def test_a_cursor_of_operators_is_of_its_list_alone(console: Console, acme: Member) -> None:
    console.make()
    console.make()
    cursor = console.get(TENANTS, limit=1)["next_cursor"]
    for path, key in ((PLANS, console.key), ("/v1/repositories", acme.read)):
        answer = console.client.get(path, params={"cursor": cursor}, headers=bearer(key))
        assert (answer.status_code, problem(answer)["code"]) == (400, "cursor_invalid")


def test_events_of_operators_cannot_be_changed_or_removed_by_anybody(
    console: Console, settings: "Settings"
) -> None:
    console.make()
    for role in ("app", "worker", "operator", "dispatcher", "eraser", "maintainer"):
        for statement in (
            "update operator_events set action = 'x'",
            "delete from operator_events",
            "delete from erasures",
        ):
            with (
                dedicated(settings, role) as connection,  # type: ignore[arg-type]
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute(statement)


def test_a_key_of_an_operator_is_looked_up_without_reading_its_table(
    settings: "Settings",
) -> None:
    with system_session("administration", settings=settings) as connection:
        made, secret = operator_keys.create(connection, name="someone")
        assert key_form.well_formed(secret, key_form.OPERATOR_KEY)
        assert secret[-4:] == made.last_characters
    found = operator_keys.authenticate(settings, secret)
    assert found is not None
    assert (found.key_id, found.name) == (made.id, "someone")
    with system_session("administration", settings=settings) as connection:
        (known,) = [one for one in operator_keys.list_all(connection) if one.id == made.id]
    assert known.last_used_at is not None
    for role in ("authenticator", "app", "worker"):
        with (
            dedicated(settings, role) as database,  # type: ignore[arg-type]
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            database.execute("select * from operator_keys")
    assert operator_keys.authenticate(settings, secret.replace("oper", "live")) is None
    assert keys.authenticate(settings, secret) is None
