"""Keys over HTTP: what they may do, how long they do it, and that nobody locks themselves out."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from graph.errors import ApiKeyInvalid
from graph.storage import audit, keys
from graph.storage.session import tenant_session
from service.auth import REMEMBERED_SECONDS, Authenticator
from tests import seeding
from tests.service.conftest import Member, bearer
from tests.service.test_auth import Clock, without_request_id
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings

PROMISED_SECONDS = 30


def create(client: TestClient, key: str, **body: Any) -> httpx.Response:
    body = {"name": "ci", "scopes": ["read"], **body}
    return client.post("/v1/api-keys", json=body, headers=bearer(key))


def listed(client: TestClient, key: str) -> dict[str, dict[str, Any]]:
    answer = client.get("/v1/api-keys", headers=bearer(key))
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["items"]}


def works(client: TestClient, key: str) -> bool:
    return client.get("/v1/tenant", headers=bearer(key)).status_code == 200


# --- made and shown once -----------------------------------------------------------------------


def test_a_key_is_made_with_its_secret_which_is_not_shown_again(
    client: TestClient, acme: Member
) -> None:
    made = create(client, acme.admin, name="deploy", scopes=["ingest"])
    body = made.json()
    secret = body.pop("secret")
    assert made.status_code == 201
    assert keys.well_formed(secret)
    assert body["last_characters"] == secret[-4:]
    assert body["created_by"] == listed(client, acme.admin)["admin"]["id"]
    assert (body["scopes"], body["repositories"], body["expires_at"]) == (["ingest"], None, None)
    read = client.get(made.headers["location"], headers=bearer(acme.admin))
    assert read.json() == body == listed(client, acme.admin)["deploy"]
    tenant = client.get("/v1/tenant", headers=bearer(secret)).json()
    assert (tenant["key_id"], tenant["scopes"]) == (body["id"], ["ingest", "read"])
    assert listed(client, acme.admin)["deploy"]["last_used_at"] is not None


def test_a_repeated_request_makes_no_second_key_and_shows_no_secret(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    headers = {**bearer(acme.admin), "idempotency-key": str(uuid4())}
    body = {"name": "once", "scopes": ["read"]}
    first, again = (client.post("/v1/api-keys", json=body, headers=headers) for _ in range(2))
    secret = first.json()["secret"]
    assert again.json() == {**first.json(), "secret": None}
    assert again.headers["idempotency-replayed"] == "true"
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        kept = connection.execute(text("select body from idempotency_records")).scalar_one()
    assert secret.encode() not in bytes(kept)


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"scopes": []},
        {"scopes": ["root"]},
        {"repositories": []},
        {"expires_in": 0},
        {"expires_in": 86_400 * 3654},
        {"expires_in": 60, "expires_at": "2999-01-01T00:00:00Z"},
        {"expires_in": 60, "expires_at": None},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59-12:00"},
        {"secret": "cl_live_mine"},
    ],
)
def test_what_fits_no_key_is_refused(
    body: dict[str, Any], client: TestClient, acme: Member
) -> None:
    assert create(client, acme.admin, **body).status_code == 422
    assert "ci" not in listed(client, acme.admin)


def test_a_key_ends_when_it_was_said_to(client: TestClient, acme: Member) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    at = create(client, acme.admin, expires_at=soon.isoformat()).json()
    assert datetime.fromisoformat(at["expires_at"]) == soon
    after = create(client, acme.admin, expires_in=3600).json()
    life = datetime.fromisoformat(after["expires_at"]) - datetime.fromisoformat(after["created_at"])
    assert life == timedelta(hours=1)


def test_pages_go_through_all_keys(client: TestClient, acme: Member) -> None:
    for number in range(4):
        create(client, acme.admin, name=f"n{number}")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/api-keys", params=query, headers=bearer(acme.admin)).json()
        found += [one["name"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert found == ["read", "ingest", "admin", "n0", "n1", "n2", "n3"]


# --- revoked and rotated -----------------------------------------------------------------------


def test_a_revoked_key_stays_listed_and_a_second_time_changes_nothing(
    client: TestClient, acme: Member
) -> None:
    path = create(client, acme.admin).headers["location"]
    first, again = (client.delete(path, headers=bearer(acme.admin)) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json() == listed(client, acme.admin)["ci"]
    assert first.json()["revoked_at"] is not None
    refused = client.post(f"{path}/rotate", headers=bearer(acme.admin))
    assert (refused.status_code, problem(refused)["code"]) == (409, "api_key_ended")


def test_a_rotated_key_lives_on_for_the_overlap(client: TestClient, acme: Member) -> None:
    made = create(client, acme.admin, scopes=["ingest"], expires_in=90 * 86_400)
    path = made.headers["location"]
    rotated = client.post(f"{path}/rotate", headers=bearer(acme.admin))
    new = rotated.json()
    assert rotated.status_code == 201
    assert rotated.headers["location"] == f"/v1/api-keys/{new['id']}"
    assert (new["name"], new["scopes"]) == ("ci", ["ingest"])
    old = client.get(path, headers=bearer(acme.admin)).json()
    assert (old["replaced_by"], old["revoked_at"]) == (new["id"], None)
    made_at = datetime.fromisoformat(new["created_at"])
    assert datetime.fromisoformat(old["expires_at"]) - made_at == timedelta(days=1)
    assert datetime.fromisoformat(new["expires_at"]) - made_at == timedelta(days=90)
    assert works(client, made.json()["secret"])
    assert works(client, new["secret"])
    again = client.post(f"{path}/rotate", headers=bearer(acme.admin))
    assert (again.status_code, problem(again)["code"]) == (409, "api_key_ended")


def test_a_rotation_may_end_the_old_key_at_once_and_limit_the_new_one(
    client: TestClient, acme: Member
) -> None:
    made = create(client, acme.admin)
    rotated = client.post(
        f"{made.headers['location']}/rotate",
        json={"overlap_seconds": 0, "expires_in": 60},
        headers=bearer(acme.admin),
    ).json()
    assert not works(client, made.json()["secret"])
    assert works(client, rotated["secret"])
    assert rotated["expires_at"] is not None
    for wrong in (-1, 30 * 86_400 + 1):
        refused = client.post(
            f"/v1/api-keys/{rotated['id']}/rotate",
            json={"overlap_seconds": wrong},
            headers=bearer(acme.admin),
        )
        assert refused.status_code == 422


def test_a_key_may_rotate_itself(client: TestClient, acme: Member) -> None:
    own = listed(client, acme.admin)["admin"]["id"]
    rotated = client.post(f"/v1/api-keys/{own}/rotate", headers=bearer(acme.admin)).json()
    ended = client.delete(f"/v1/api-keys/{own}", headers=bearer(rotated["secret"]))
    assert ended.json()["revoked_at"] is not None
    assert works(client, rotated["secret"])


def test_the_last_key_that_may_do_everything_is_not_revoked(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    repository = seeding.register(settings, acme.tenant_id, "shop")
    create(client, acme.admin, scopes=["admin"], repositories=[str(repository.id)])
    path = f"/v1/api-keys/{listed(client, acme.admin)['admin']['id']}"
    refused = client.delete(path, headers=bearer(acme.admin))
    assert (refused.status_code, problem(refused)["code"]) == (409, "last_admin_key")
    assert "rotate" in problem(refused)["action"]
    other = create(client, acme.admin, scopes=["admin"]).json()["secret"]
    assert client.delete(path, headers=bearer(other)).status_code == 200
    told = client.get(
        "/v1/audit-events", params={"action": "revoke_api_key"}, headers=bearer(other)
    ).json()["items"]
    assert [(one["outcome"], one["code"]) for one in told] == [
        ("succeeded", None),
        ("refused", "last_admin_key"),
    ]


def test_a_key_is_revoked_only_as_it_was_read(client: TestClient, acme: Member) -> None:
    path = create(client, acme.admin).headers["location"]
    stale = {**bearer(acme.admin), "if-match": '"0"'}
    assert client.delete(path, headers=stale).status_code == 412
    tag = client.get(path, headers=bearer(acme.admin)).headers["etag"]
    fresh = {**bearer(acme.admin), "if-match": tag}
    assert client.delete(path, headers=fresh).status_code == 200


# --- the time a change takes to hold -----------------------------------------------------------


class Asked:
    """The authenticator of an API process, with clocks that a test moves."""

    def __init__(self, settings: "Settings") -> None:
        self.clock = Clock()
        self.began = datetime.now(UTC)
        self.looked_up = 0
        self._settings = settings
        self._authenticator = Authenticator(self._look_up, self.clock, self._now)

    def _look_up(self, secret: str) -> keys.Caller | None:
        self.looked_up += 1
        return keys.authenticate(self._settings, secret)

    def _now(self) -> datetime:
        return self.began + timedelta(seconds=self.clock.now - 1000)

    def valid(self, secret: str) -> bool:
        try:
            asyncio.run(self._authenticator.caller(secret))
        except ApiKeyInvalid:
            return False
        return True


def test_a_revocation_holds_within_the_promised_time(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    asked = Asked(settings)
    made = create(client, acme.admin)
    secret = made.json()["secret"]
    assert asked.valid(secret)
    client.delete(made.headers["location"], headers=bearer(acme.admin))
    asked.clock.now += REMEMBERED_SECONDS + 0.1
    assert REMEMBERED_SECONDS < PROMISED_SECONDS
    assert not asked.valid(secret)
    assert asked.looked_up == 2


def test_a_key_that_ends_while_it_is_remembered_ends_then(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    asked = Asked(settings)
    made = create(client, acme.admin, expires_in=5)
    secret = made.json()["secret"]
    assert asked.valid(secret)
    asked.clock.now += 3
    assert asked.valid(secret)
    assert asked.looked_up == 1
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        # The five seconds are over for the database as well.
        ended = text("update api_keys set expires_at = now() - interval '1s' where key_id = :key")
        connection.execute(ended, {"key": made.json()["id"]})
    asked.clock.now += 3
    assert asked.clock.now - 1000 < REMEMBERED_SECONDS
    assert not asked.valid(secret)
    assert asked.looked_up == 2


def test_a_host_whose_clock_is_ahead_ends_no_key_too_early(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    asked = Asked(settings)
    asked.began += timedelta(hours=1)
    secret = create(client, acme.admin, expires_in=60).json()["secret"]
    assert asked.valid(secret)
    assert asked.valid(secret)
    assert asked.looked_up == 2


# --- keys of limited reach ---------------------------------------------------------------------


@pytest.fixture
def reach(
    client: TestClient, settings: "Settings", acme: Member
) -> tuple[str, str, str, dict[str, str]]:
    """Repositories `a` and `b`, an admin key for `a` alone, and the addresses of other keys."""
    a, b = (str(seeding.register(settings, acme.tenant_id, name).id) for name in "ab")
    made = {
        name: create(client, acme.admin, name=name, scopes=["admin"], repositories=repositories)
        for name, repositories in {"a": [a], "b": [b], "both": [a, b], "all": None}.items()
    }
    addresses = {name: answer.headers["location"] for name, answer in made.items()}
    return a, b, made["a"].json()["secret"], addresses


def test_a_limited_key_sees_and_ends_only_keys_within_its_reach(
    client: TestClient, reach: tuple[str, str, str, dict[str, str]]
) -> None:
    _, _, narrow, addresses = reach
    assert set(listed(client, narrow)) == {"a"}
    absent = f"/v1/api-keys/{uuid4()}"
    for method, end in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        none = client.request(method, absent + end, headers=bearer(narrow))
        assert problem(none)["code"] == "api_key_not_found"
        for name in ("b", "both", "all"):
            hidden = client.request(method, addresses[name] + end, headers=bearer(narrow))
            assert without_request_id(hidden) == without_request_id(none)
        within = client.request(method, addresses["a"] + end, headers=bearer(narrow))
        assert within.status_code == (409 if end else 200)


def test_a_limited_key_makes_keys_within_its_reach_only(
    client: TestClient, reach: tuple[str, str, str, dict[str, str]]
) -> None:
    a, b, narrow, _ = reach
    assert create(client, narrow, repositories=[a]).status_code == 201
    absent = create(client, narrow, repositories=[str(uuid4())])
    for beyond in ([b], [a, b]):
        refused = create(client, narrow, repositories=beyond)
        assert problem(refused)["code"] == "repository_not_found"
        assert without_request_id(refused) == without_request_id(absent)
    everything = create(client, narrow)
    assert (everything.status_code, problem(everything)["code"]) == (403, "permission_missing")


def test_a_rotated_limited_key_is_as_limited(
    client: TestClient, reach: tuple[str, str, str, dict[str, str]]
) -> None:
    a, _, narrow, addresses = reach
    rotated = client.post(f"{addresses['a']}/rotate", headers=bearer(narrow)).json()
    assert rotated["repositories"] == [a]


def test_a_key_is_for_repositories_of_its_tenant_only(
    client: TestClient, settings: "Settings", acme: Member, rival: Member
) -> None:
    foreign = seeding.register(settings, rival.tenant_id, "theirs")
    answers = [
        create(client, acme.admin, repositories=[one]) for one in (str(foreign.id), str(uuid4()))
    ]
    assert problem(answers[0])["code"] == "repository_not_found"
    assert without_request_id(answers[0]) == without_request_id(answers[1])


# --- nobody else learns the secret -------------------------------------------------------------


def test_the_audit_and_the_log_know_a_key_by_its_id(
    capsys: pytest.CaptureFixture[str], client: TestClient, acme: Member, settings: "Settings"
) -> None:
    made = create(client, acme.admin)
    secrets = [made.json()["secret"]]
    rotated = client.post(f"{made.headers['location']}/rotate", headers=bearer(acme.admin))
    secrets.append(rotated.json()["secret"])
    works(client, secrets[1])
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        told = audit.list_page(connection, audit.Filter(), limit=9)
    assert [(event.action, event.target) for event in told] == [
        ("rotate_api_key", audit.Target("api_key", made.json()["id"])),
        ("create_api_key", audit.Target("api_key", made.json()["id"])),
    ]
    out, err = capsys.readouterr()
    assert "http.request" in err
    for secret in (*secrets, acme.admin):
        assert secret[:20] not in str(told) + out + err
