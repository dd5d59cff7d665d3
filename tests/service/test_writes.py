"""Every write is one step: the work, its audit event and the answer kept for its key."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from graph.storage import audit, keys
from graph.storage.engine import dedicated
from graph.storage.session import tenant_session
from service.etags import matches_any
from tests.seeding import Shop
from tests.service.conftest import Member, bearer
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings

URL = "https://example.org/acme/shop"


def register(client: TestClient, key: str, url: str = URL, **headers: str) -> httpx.Response:
    return client.post("/v1/repositories", json={"url": url}, headers={**bearer(key), **headers})


def events(settings: "Settings", member: Member) -> list[audit.AuditEvent]:
    with tenant_session(member.tenant_id, settings=settings) as connection:
        return audit.list_page(connection, audit.Filter(), limit=1000)


# --- idempotency keys ------------------------------------------------------------------------


def test_a_repeated_request_is_answered_as_the_first_time(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    key = {"idempotency-key": str(uuid4())}
    first = register(client, acme.ingest, **key)
    again = register(client, acme.ingest, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json(), again.headers["location"]) == (first.json(), first.headers["location"])
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(events(settings, acme)) == 1


def test_the_answer_is_that_of_then_also_when_things_have_changed(
    client: TestClient, acme: Member
) -> None:
    key = {"idempotency-key": str(uuid4())}
    first = register(client, acme.ingest, **key).json()
    client.delete(f"/v1/repositories/{first['id']}", headers=bearer(acme.admin))
    assert register(client, acme.ingest, **key).json() == first


def test_fifty_requests_at_once_with_one_key_do_the_work_once(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    repository = register(client, acme.ingest).json()["id"]
    headers = {**bearer(acme.ingest), "idempotency-key": str(uuid4())}
    path = f"/v1/repositories/{repository}/ingestions"
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: client.post(path, json={"ref": "main"}, headers=headers), range(50))
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        assert connection.execute(text("select count(*) from jobs")).scalar_one() == 1
    done = Counter(event.action for event in events(settings, acme))
    assert done["request_ingestion"] == 1


@pytest.mark.parametrize(
    "other",
    [
        {"json": {"url": URL + "2"}},
        {"json": {"url": URL, "name": "x"}},
        {"path": "/v1/repositories/{id}/ingestions", "json": {}},
    ],
)
def test_a_key_of_another_request_is_refused(
    other: dict[str, Any], client: TestClient, acme: Member
) -> None:
    headers = {**bearer(acme.ingest), "idempotency-key": str(uuid4())}
    made = client.post("/v1/repositories", json={"url": URL}, headers=headers).json()
    path = other.get("path", "/v1/repositories").format(id=made["id"])
    answer = client.post(path, json=other["json"], headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (422, "idempotency_key_reused")


def test_a_key_is_its_tenants_own(client: TestClient, acme: Member, rival: Member) -> None:
    key = {"idempotency-key": "the-same"}
    ours, theirs = (register(client, member.ingest, **key) for member in (acme, rival))
    assert (ours.status_code, theirs.status_code) == (201, 201)
    assert ours.json()["id"] != theirs.json()["id"]


def test_a_request_that_failed_leaves_its_key_free(client: TestClient, acme: Member) -> None:
    key = {"idempotency-key": str(uuid4())}
    assert register(client, acme.ingest, "https://user:word@example.org/x", **key).is_error
    assert register(client, acme.ingest, **key).status_code == 201


def test_what_a_key_may_not_see_is_not_replayed_to_it(
    client: TestClient, settings: "Settings", acme: Member, shop: Shop
) -> None:
    headers = {"idempotency-key": str(uuid4())}
    path = f"/v1/repositories/{shop.repository.id}/ingestions"
    assert client.post(path, headers={**bearer(acme.ingest), **headers}).status_code == 202
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        _, narrow = keys.create(
            connection, tenant_id=acme.tenant_id, scopes=["ingest"], repositories=[]
        )
    refused = client.post(path, headers={**bearer(narrow), **headers})
    assert problem(refused)["code"] == "idempotency_key_reused"


def test_an_expired_record_is_taken_over(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    key = {"idempotency-key": str(uuid4())}
    register(client, acme.ingest, **key)
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        connection.execute(text("update idempotency_records set expires_at = now()"))
    other = register(client, acme.ingest, URL + "2", **key)
    assert (other.status_code, "idempotency-replayed" in other.headers) == (201, False)


def test_a_request_whose_twin_is_under_way_waits_and_then_says_so(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    with dedicated(settings, "app") as other:
        other.autocommit = False
        other.execute("select set_config('app.tenant_id', %s, true)", [str(acme.tenant_id)])
        other.execute(
            "insert into idempotency_records (tenant_id, idempotency_key, fingerprint, expires_at)"
            " values (%s, 'k', %s, now() + interval '1 day')",
            [acme.tenant_id, bytes(32)],
        )
        answer = register(client, acme.ingest, **{"idempotency-key": "k"})
        assert (answer.status_code, problem(answer)["code"]) == (409, "request_under_way")
        assert int(answer.headers["retry-after"]) > 0
        other.rollback()
    # The twin died without an answer: the key is free.
    assert register(client, acme.ingest, **{"idempotency-key": "k"}).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\t"])
def test_impossible_keys_are_refused(key: str, client: TestClient, acme: Member) -> None:
    answer = register(client, acme.ingest, **{"idempotency-key": key})
    assert (answer.status_code, problem(answer)["code"]) == (422, "request_invalid")


# --- conditions ------------------------------------------------------------------------------


def test_a_change_goes_through_only_if_nothing_changed_meanwhile(
    client: TestClient, acme: Member
) -> None:
    made = register(client, acme.ingest)
    path = made.headers["location"]
    read = client.get(path, headers=bearer(acme.read))
    tag = read.headers["etag"]
    assert made.headers["etag"] == tag
    same = client.get(path, headers={**bearer(acme.read), "if-none-match": f'"x", W/{tag}'})
    assert (same.status_code, same.content) == (304, b"")

    def rename(name: str, condition: str) -> httpx.Response:
        headers = {**bearer(acme.ingest), "if-match": condition}
        return client.patch(path, json={"name": name}, headers=headers)

    first = rename("one", tag)
    assert (first.status_code, first.json()["name"]) == (200, "one")
    second = rename("two", tag)
    assert (second.status_code, problem(second)["code"]) == (412, "precondition_failed")
    assert client.get(path, headers=bearer(acme.read)).json()["name"] == "one"
    now = first.headers["etag"]
    assert client.get(path, headers=bearer(acme.read)).headers["etag"] == now
    assert rename("three", f"W/{now}").status_code == 412
    assert rename("three", f'"other", {now}').status_code == 200
    assert rename("four", "*").status_code == 200
    stale = client.delete(path, headers={**bearer(acme.admin), "if-match": tag})
    assert stale.status_code == 412
    assert client.delete(path, headers=bearer(acme.admin)).status_code == 204


def test_of_changes_at_once_with_one_tag_one_goes_through(client: TestClient, acme: Member) -> None:
    made = register(client, acme.ingest)
    headers = {**bearer(acme.ingest), "if-match": made.headers["etag"]}
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda number: (
                client.patch(
                    made.headers["location"], json={"name": f"n{number}"}, headers=headers
                ).status_code
            ),
            range(8),
        )
        assert Counter(answers) == {200: 1, 412: 7}


def test_a_condition_on_what_is_not_there_is_404(client: TestClient, acme: Member) -> None:
    headers = {**bearer(acme.ingest), "if-match": "*"}
    answer = client.patch(f"/v1/repositories/{uuid4()}", json={"name": "x"}, headers=headers)
    assert answer.status_code == 404


def test_tags_are_compared_one_by_one() -> None:
    assert matches_any('"a" , W/"b"', '"b"')
    assert matches_any("*", '"b"')
    assert not matches_any('"ab"', '"b"')
    assert not matches_any(None, '"b"')


# --- the audit -------------------------------------------------------------------------------


def test_a_write_leaves_who_what_and_how_it_ended(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    made = register(client, acme.ingest)
    (event,) = events(settings, acme)
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        key = next(one for one in keys.list_page(connection, limit=9) if one.name == "ingest")
    assert event.actor == audit.Actor("key", key.id)
    assert event.action == "register_repository"
    assert event.target == audit.Target("repository", made.json()["id"])
    assert (event.outcome, event.code) == ("succeeded", None)
    assert event.request_id == made.headers["x-request-id"]


def test_a_write_that_is_refused_is_told_too(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    register(client, acme.ingest)
    absent = str(uuid4())
    refusals = [
        (register(client, acme.read), "permission_missing", None),
        (register(client, acme.ingest), "repository_already_registered", None),
        (
            client.delete(f"/v1/repositories/{absent}", headers=bearer(acme.admin)),
            "repository_not_found",
            audit.Target("repository", absent),
        ),
    ]
    told = {event.request_id: event for event in events(settings, acme)}
    for answer, code, target in refusals:
        event = told[answer.headers["x-request-id"]]
        assert (event.outcome, event.code, event.target) == ("refused", code, target)
    assert len(told) == 1 + len(refusals)


def test_what_was_never_a_write_leaves_nothing(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    headers = bearer(acme.ingest)
    client.post("/v1/repositories", json={"url": 7}, headers=headers)
    client.post("/v1/repositories", content=b"{", headers={**headers, "content-type": "a/b"})
    client.patch("/v1/repositories/none", json={}, headers=headers)
    client.post("/v1/repositories", json={"url": URL})
    assert events(settings, acme) == []


def test_a_write_without_its_event_does_not_happen(
    client: TestClient, acme: Member, settings: "Settings", monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise psycopg.OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", broken)
        assert register(client, acme.ingest).status_code >= 500
    assert client.get("/v1/repositories", headers=bearer(acme.read)).json()["items"] == []
    assert register(client, acme.ingest).status_code == 201


def test_events_are_listed_filtered_and_paged(client: TestClient, acme: Member) -> None:
    for number in range(5):
        register(client, acme.ingest, f"{URL}{number}")
    register(client, acme.read)

    def listed(**query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = client.get(
                "/v1/audit-events", params={**query, **more, "limit": 2}, headers=bearer(acme.admin)
            ).json()
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    every = listed()
    assert len(every) == 6
    assert [event["id"] for event in every] == sorted((e["id"] for e in every), reverse=True)
    assert [event["code"] for event in listed(outcome="refused")] == ["permission_missing"]
    assert len(listed(action="register_repository", outcome="succeeded")) == 5
    assert len(listed(actor_id=every[-1]["actor"]["id"])) == 5
    assert listed(target_id=every[-1]["target"]["id"]) == every[-1:]
    assert listed(since=every[1]["at"], until=every[0]["at"]) == every[1:2]
    assert listed(until="2020-01-01T00:00:00Z") == []


def test_an_export_holds_every_event_in_order(
    client: TestClient, acme: Member, rival: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "EXPORT_BATCH", 3)
    for number in range(7):
        register(client, acme.ingest, f"{URL}{number}")
    register(client, rival.ingest)
    answer = client.get("/v1/audit-events/export", headers=bearer(acme.admin))
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [httpx.Response(200, content=line).json() for line in answer.content.splitlines()]
    listed = client.get("/v1/audit-events", headers=bearer(acme.admin)).json()["items"]
    assert lines == listed[::-1]
    assert len(lines) == 7
    nothing = client.get(
        "/v1/audit-events/export",
        params={"since": "2999-01-01T00:00:00Z"},
        headers=bearer(acme.admin),
    )
    assert (nothing.status_code, nothing.content) == (200, b"")


def test_only_admin_keys_read_the_audit(client: TestClient, acme: Member) -> None:
    for path in ("/v1/audit-events", "/v1/audit-events/export"):
        assert client.get(path, headers=bearer(acme.ingest)).status_code == 403


def test_events_cannot_be_changed_or_removed_by_anybody(
    client: TestClient, acme: Member, settings: "Settings"
) -> None:
    register(client, acme.ingest)
    for role in ("app", "worker", "operator", "dispatcher"):
        for statement in ("update audit_events set action = 'x'", "delete from audit_events"):
            with (
                dedicated(settings, role) as connection,  # type: ignore[arg-type]
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute(statement)
