"""Credentials over HTTP: what comes in, what is told of it, and that its secret is nowhere."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis
from psycopg import sql
from starlette.testclient import TestClient

from graph.model.ids import CredentialId
from graph.storage import audit, credentials, keyring, keys
from graph.storage.session import tenant_session
from tests import seeding
from tests.seeding import Shop
from tests.servers import Servers
from tests.service.conftest import Member, bearer
from tests.service.test_auth import without_request_id
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings

SENTINEL = "sentinel0123456789abcdef"
PATH = "/v1/credentials"
TOKEN = {"kind": "token", "name": "deploy", "host": "github.com", "secret": SENTINEL}
PASSWORD = {**TOKEN, "kind": "basic", "username": "octocat", "host": "git.example:8443"}


def create(client: TestClient, key: str, **body: Any) -> httpx.Response:
    return client.post(PATH, json={**TOKEN, **body}, headers=bearer(key))


def opened(settings: "Settings", member: Member, credential_id: str, host: str) -> str:
    """The secret, as a worker sees it that fetches from the host."""
    with tenant_session(member.tenant_id, role="worker", settings=settings) as connection:
        found = credentials.open_secret(
            connection,
            CredentialId(credential_id),  # type: ignore[arg-type]  # as text
            host=host,
            keyring=keyring.of(settings),
        )
    return found.secret.get_secret_value()


def test_a_credential_is_kept_and_told_without_its_secret(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    made = create(client, acme.admin, host="GitHub.com:443")
    body = made.json()
    assert made.status_code == 201
    assert made.headers["location"] == f"{PATH}/{body['id']}"
    assert {name: body[name] for name in ("name", "kind", "host", "username")} == {
        "name": "deploy",
        "kind": "token",
        "host": "github.com",
        "username": None,
    }
    assert set(body) == {
        *("id", "name", "kind", "host", "username"),
        *("created_by", "created_at", "updated_at", "last_used_at"),
    }
    read = client.get(made.headers["location"], headers=bearer(acme.admin))
    assert read.json() == body == client.get(PATH, headers=bearer(acme.admin)).json()["items"][0]
    assert read.headers["etag"] == made.headers["etag"]
    assert opened(settings, acme, body["id"], "github.com") == SENTINEL
    used = client.get(made.headers["location"], headers=bearer(acme.admin)).json()
    assert used["last_used_at"] is not None


def test_a_password_has_a_user(client: TestClient, acme: Member, settings: "Settings") -> None:
    made = create(client, acme.admin, **PASSWORD).json()
    assert (made["kind"], made["username"]) == ("basic", "octocat")
    assert opened(settings, acme, made["id"], "git.example:8443") == SENTINEL


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "basic"},
        {"kind": "ssh"},
        {"kind": None},
        {"name": ""},
        {"host": ""},
        {"host": "https://github.com"},
        {"host": "github.com/acme"},
        {"host": "user@github.com"},
        {"username": "a:b"},
        {"username": "a\nb"},
        {"secret": ""},
        {"secret": f"{SENTINEL}\nhost=evil.example"},
        {"secret": SENTINEL * 100},
        {"secret": [SENTINEL]},
        {"secret": None},
        {"sealed": "AA=="},
    ],
)
def test_what_fits_no_credential_is_refused_without_being_repeated(
    body: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    client: TestClient,
    acme: Member,
) -> None:
    answer = create(client, acme.admin, **body)
    assert answer.status_code == 422
    assert SENTINEL not in answer.text + "".join(capsys.readouterr())
    assert client.get(PATH, headers=bearer(acme.admin)).json()["items"] == []


def test_a_new_secret_takes_the_place_of_the_old(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    made = create(client, acme.admin)
    path, tag = made.headers["location"], made.headers["etag"]

    def change(body: dict[str, Any], condition: str) -> httpx.Response:
        headers = {**bearer(acme.admin), "if-match": condition}
        return client.patch(path, json=body, headers=headers)

    rotated = change({"secret": "newer"}, tag)
    assert rotated.status_code == 200
    # Nothing else changed, and still whoever read the old one is told.
    assert rotated.json()["updated_at"] > made.json()["updated_at"]
    assert change({"secret": "newest"}, tag).status_code == 412
    assert opened(settings, acme, made.json()["id"], "github.com") == "newer"
    named = change({"name": "other"}, "*")
    assert (named.status_code, named.json()["name"]) == (200, "other")
    for fixed in ("host", "kind", "username"):
        refused = client.patch(path, json={fixed: "x"}, headers=bearer(acme.admin))
        assert refused.status_code == 422


def test_what_is_removed_is_gone(client: TestClient, acme: Member) -> None:
    path = create(client, acme.admin).headers["location"]
    stale = {**bearer(acme.admin), "if-match": '"0"'}
    assert client.delete(path, headers=stale).status_code == 412
    assert client.delete(path, headers=bearer(acme.admin)).status_code == 204
    for again in (client.delete, client.get):
        absent = again(path, headers=bearer(acme.admin))
        assert (absent.status_code, problem(absent)["code"]) == (404, "credential_not_found")


def test_pages_go_through_all_credentials(client: TestClient, acme: Member) -> None:
    for number in range(4):
        create(client, acme.admin, name=f"n{number}")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = client.get(PATH, params=query, headers=bearer(acme.admin)).json()
        found += [one["name"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert found == ["n0", "n1", "n2", "n3"]


def test_a_key_for_certain_repositories_knows_no_credentials(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    repository = seeding.register(settings, acme.tenant_id, "shop")
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        _, narrow = keys.create(
            connection, tenant_id=acme.tenant_id, scopes=["admin"], repositories=[repository.id]
        )
    path = create(client, acme.admin).headers["location"]
    for refused in (create(client, narrow), client.get(PATH, headers=bearer(narrow))):
        assert (refused.status_code, problem(refused)["code"]) == (403, "permission_missing")
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        hidden, absent = (
            client.request(method, one, json=body, headers=bearer(narrow))
            for one in (path, f"{PATH}/{uuid4()}")
        )
        assert without_request_id(hidden) == without_request_id(absent)
        assert hidden.status_code == 404


def test_a_write_is_told_with_its_credential(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    made = create(client, acme.admin)
    client.patch(
        made.headers["location"], json={"secret": SENTINEL + "2"}, headers=bearer(acme.admin)
    )
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        told = audit.list_page(connection, audit.Filter(), limit=9)
    target = audit.Target("credential", made.json()["id"])
    assert [(event.action, event.target) for event in told] == [
        ("change_credential", target),
        ("create_credential", target),
    ]


# --- nowhere -----------------------------------------------------------------------------------


@pytest.fixture
def dump(
    real_servers: Servers, database_url: str, redis_url: str
) -> Callable[[], tuple[str, list[str]]]:
    """All rows of all tables and all of Redis, as text; and the tables that had rows."""

    def everything() -> tuple[str, list[str]]:
        name = database_url.rpartition("/")[2].partition("?")[0]
        filled, found = [], []
        with psycopg.connect(real_servers.superuser_url, dbname=name) as connection:
            listed = "select relname from pg_class where relnamespace = 'codeloom'::regnamespace"
            for (table,) in connection.execute(f"{listed} and relkind in ('r', 'p')").fetchall():
                statement = sql.SQL("copy codeloom.{} to stdout").format(sql.Identifier(table))
                with connection.cursor().copy(statement) as copy:
                    rows = b"".join(bytes(part) for part in copy).decode()
                filled += [table] if rows else []
                found.append(rows)
        with redis.Redis.from_url(redis_url) as client:
            found += [str(_read(client, key)) for key in client.scan_iter()]
        return "\n".join(found), filled

    return everything


def _read(client: "redis.Redis", key: bytes) -> Any:
    reading: dict[bytes, Callable[..., Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"set": client.smembers,
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    return key, reading[client.type(key)](key)


def test_a_secret_is_nowhere_but_sealed(
    capsys: pytest.CaptureFixture[str],
    client: TestClient,
    acme: Member,
    shop: Shop,
    settings: "Settings",
    dump: Callable[[], tuple[str, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = {**bearer(acme.admin), "idempotency-key": str(uuid4())}
    answers = [client.post(PATH, json=TOKEN, headers=key) for _ in range(2)]
    answers += [create(client, acme.admin, **PASSWORD), create(client, acme.read)]
    path = answers[0].headers["location"]
    answers += [
        client.patch(path, json={"secret": SENTINEL + "2"}, headers=bearer(acme.admin)),
        client.patch(path, json={"secret": SENTINEL + "\n"}, headers=bearer(acme.admin)),
        client.post(PATH, json={"secret": SENTINEL}, headers=key),
        client.post(PATH, json={**TOKEN, "name": "other"}, headers=key),
        client.post(
            PATH,
            content=b'{"secret": "' + SENTINEL.encode(),
            headers={**key, "content-type": "application/json"},
        ),
        client.get(PATH, headers=bearer(acme.admin)),
    ]
    with monkeypatch.context() as broken:
        # Something fails with the secret in its hands, as a mistake of ours would.
        broken.setattr(credentials, "get", lambda *_, **__: 1 / 0)
        broken.setattr(credentials, "create", lambda *_, **__: 1 / 0)
        answers.append(create(client, acme.admin))
    assert {answer.status_code for answer in answers} == {201, 403, 200, 422, 400, 500}
    assert opened(settings, acme, answers[0].json()["id"], "github.com") == SENTINEL + "2"
    body = {"name": "k", "scopes": ["read"]}
    key["idempotency-key"] = str(uuid4())
    made = client.post("/v1/api-keys", json=body, headers=key).json()

    text, tables = dump()
    assert {"credentials", "audit_events", "idempotency_records", "api_keys"} <= set(tables)
    logged = "".join(capsys.readouterr())
    assert "ZeroDivisionError" in logged
    files = [file.read_bytes() for file in settings.codeloom_home.rglob("*") if file.is_file()]
    told = "".join(answer.text for answer in answers)
    for secret in (SENTINEL, made["secret"], acme.admin):
        for place in (text, logged, told):
            assert secret[:20] not in place
        assert secret.encode().hex() not in text
        assert not any(secret.encode() in content for content in files)
    # The dump would show it: what may be told is there, as a column and in an answer that is kept.
    assert "octocat" in text
    assert b'"host":"github.com"'.hex() in text
