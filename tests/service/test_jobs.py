"""Repositories are registered, ingestions asked for, jobs watched and cancelled."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from tests.service.conftest import Member, bearer
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings

URL = "https://example.org/acme/shop"


def register(client: TestClient, member: Member, url: str = URL, **more: Any) -> Any:
    answer = client.post(
        "/v1/repositories", json={"url": url, **more}, headers=bearer(member.ingest)
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def ingest(
    client: TestClient, member: Member, repository: Any, body: Any = None, **headers: str
) -> Any:
    return client.post(
        f"/v1/repositories/{repository['id']}/ingestions",
        json=body,
        headers={**bearer(member.ingest), **headers},
    )


def test_a_repository_is_registered_read_changed_and_removed(
    client: TestClient, acme: Member
) -> None:
    made = client.post(
        "/v1/repositories", json={"url": URL, "default_ref": "main"}, headers=bearer(acme.ingest)
    )
    repository = made.json()
    assert made.headers["location"] == f"/v1/repositories/{repository['id']}"
    assert (repository["name"], repository["default_ref"]) == ("acme/shop", "main")
    address = made.headers["location"]
    assert client.get(address, headers=bearer(acme.read)).json() == repository
    changed = client.patch(address, json={"name": "Shop"}, headers=bearer(acme.ingest)).json()
    assert changed == {**repository, "name": "Shop"}
    assert client.delete(address, headers=bearer(acme.admin)).status_code == 204
    for method in ("GET", "DELETE"):
        gone = client.request(method, address, headers=bearer(acme.admin))
        assert problem(gone)["code"] == "repository_not_found"
    # Its address is free again.
    assert register(client, acme)["id"] != repository["id"]


def test_one_address_is_registered_once_however_it_is_written(
    client: TestClient, acme: Member, rival: Member
) -> None:
    first = register(client, acme)
    for url in (URL, "https://EXAMPLE.org/acme/shop", "https://example.org:443/acme/shop"):
        again = client.post("/v1/repositories", json={"url": url}, headers=bearer(acme.ingest))
        if again.status_code == 201:
            assert url.endswith(":443/acme/shop")
            continue
        assert problem(again)["code"] == "repository_already_registered"
        found = client.get(
            "/v1/repositories", params={"url": url}, headers=bearer(acme.read)
        ).json()
        assert [one["id"] for one in found["items"]] == [first["id"]]
    # Another tenant learns nothing of it.
    assert register(client, rival)["id"] != first["id"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "ftp://example.org/x",
        "git@example.org:x/y",
        "https://user:hunter2@example.org/x",
        "relative/path",
        "https://",
        "--upload-pack=x",
        "ext::sh -c id",
    ],
)
def test_an_address_that_may_not_be_fetched_is_refused_without_repeating_it(
    url: str, client: TestClient, acme: Member
) -> None:
    answer = client.post("/v1/repositories", json={"url": url}, headers=bearer(acme.ingest))
    body = problem(answer)
    assert (answer.status_code, body["code"]) == (422, "remote_not_allowed")
    assert "hunter2" not in answer.text
    unknown = client.get("/v1/repositories", params={"url": url}, headers=bearer(acme.read))
    assert unknown.json()["items"] == []


def test_repositories_are_listed_page_by_page(client: TestClient, acme: Member) -> None:
    made = [register(client, acme, f"https://example.org/{n}")["id"] for n in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/repositories", params=query, headers=bearer(acme.read)).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made


def test_an_ingestion_is_accepted_and_can_be_watched(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)
    answer = ingest(client, acme, repository, {"ref": "main"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["ref"], job["repository_id"]) == (
        "queued",
        "main",
        repository["id"],
    )
    assert job["progress"]["percent"] == 0
    assert client.get(answer.headers["location"], headers=bearer(acme.read)).json() == job
    task = client.get(f"/v1/tasks/{job['id']}.1", headers=bearer(acme.read)).json()
    assert (task["status"], task["ready"], task["job"]["id"]) == ("pending", False, job["id"])


@pytest.mark.parametrize("body", [None, {}, {"force": True}, {"commit": "a" * 40}])
def test_what_to_ingest_may_be_left_to_the_default(
    body: Any, client: TestClient, acme: Member
) -> None:
    answer = ingest(client, acme, register(client, acme), body)
    assert answer.status_code == 202
    assert answer.json()["commit"] == (body or {}).get("commit")


@pytest.mark.parametrize(
    "body",
    [
        {"ref": ""},
        {"ref": "a\x00b"},
        {"ref": 7},
        {"commit": "main"},
        {"commit": "A" * 40},
        {"branch": "main"},
        {"force": "perhaps"},
    ],
)
def test_what_cannot_be_ingested_is_refused(body: Any, client: TestClient, acme: Member) -> None:
    answer = ingest(client, acme, register(client, acme), body)
    assert (answer.status_code, problem(answer)["code"]) == (422, "request_invalid")


def test_asking_twice_gives_one_job(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)
    first = ingest(client, acme, repository, {"ref": "main"}).json()
    assert ingest(client, acme, repository, {"ref": "main"}).json()["id"] == first["id"]
    assert ingest(client, acme, repository, {"ref": "other"}).json()["id"] != first["id"]


def test_an_idempotency_key_stands_for_one_request(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)
    key = {"idempotency-key": str(uuid4())}
    first = ingest(client, acme, repository, {"ref": "main"}, **key)
    again = ingest(client, acme, repository, {"ref": "main"}, **key)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    other = ingest(client, acme, repository, {"ref": "other"}, **key)
    assert problem(other)["code"] == "idempotency_key_reused"
    for wrong in ("", "a" * 256):
        refused = ingest(client, acme, repository, None, **{"idempotency-key": wrong})
        assert refused.status_code == 422


def test_a_job_is_cancelled_once_and_for_all(client: TestClient, acme: Member) -> None:
    job = ingest(client, acme, register(client, acme)).json()
    address = f"/v1/jobs/{job['id']}/cancel"
    cancelled = client.post(address, headers=bearer(acme.ingest))
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert cancelled.json()["finished_at"]
    assert client.post(address, headers=bearer(acme.ingest)).json()["state"] == "cancelled"
    task = client.get(f"/v1/tasks/{job['id']}", headers=bearer(acme.read)).json()
    assert (task["status"], task["ready"]) == ("cancelled", True)


def test_a_job_that_succeeded_cannot_be_cancelled_and_shows_its_report(
    client: TestClient, settings: "Settings", acme: Member
) -> None:
    from tests import seeding

    shop = seeding.shop(settings, acme.tenant_id)
    address = f"/v1/jobs/{shop.snapshot.job_id}"
    job = client.get(address, headers=bearer(acme.read)).json()
    assert (job["state"], job["snapshot_id"]) == ("succeeded", str(shop.snapshot.id))
    assert job["report"]["files"]["total"] == 4
    assert job["task_id"] == f"{job['id']}.1"
    refused = client.post(f"{address}/cancel", headers=bearer(acme.ingest))
    assert (refused.status_code, problem(refused)["code"]) == (409, "job_already_ended")


def test_jobs_are_listed_newest_first_and_filtered(client: TestClient, acme: Member) -> None:
    one, other = register(client, acme), register(client, acme, URL + "2")
    jobs = [
        ingest(client, acme, repository, {"ref": ref}).json()["id"]
        for repository in (one, other)
        for ref in ("a", "b", "c")
    ]
    client.post(f"/v1/jobs/{jobs[0]}/cancel", headers=bearer(acme.ingest))

    def listed(**query: Any) -> list[str]:
        seen, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = client.get(
                "/v1/jobs", params={**query, "limit": 2, **more}, headers=bearer(acme.read)
            ).json()
            seen += [job["id"] for job in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return seen

    assert listed() == jobs[::-1]
    assert listed(repository_id=one["id"]) == jobs[2::-1]
    assert listed(state="cancelled") == jobs[:1]
    assert listed(state=["cancelled", "queued"]) == jobs[::-1]
    assert listed(repository_id=str(uuid4())) == []


def test_removing_a_repository_ends_its_jobs(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)
    job = ingest(client, acme, repository).json()
    client.delete(f"/v1/repositories/{repository['id']}", headers=bearer(acme.admin))
    after = client.get(f"/v1/jobs/{job['id']}", headers=bearer(acme.read)).json()
    assert after["state"] == "cancelled"
