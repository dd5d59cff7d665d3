"""What a tenant is told of its limits, and how a request that meets one is answered."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import redis
from starlette.testclient import TestClient

from graph.model.limits import KEPT, RESOURCES
from graph.storage import audit, jobs, reservations
from graph.storage.session import system_session, tenant_session
from tests.seeding import PLENTY, Shop, allow
from tests.service.conftest import Member, bearer
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings

ROOT = Path(__file__).parent.parent.parent


def told(client: TestClient, member: Member) -> dict[str, dict[str, Any]]:
    answer = client.get("/v1/usage", headers=bearer(member.read))
    assert answer.status_code == 200
    return {each["resource"]: each for each in answer.json()["resources"]}


def register(client: TestClient, member: Member, number: int) -> httpx.Response:
    body = {"url": f"https://example.org/acme/{number}"}
    return client.post("/v1/repositories", json=body, headers=bearer(member.ingest))


def use(settings: "Settings", member: Member, shop: Shop, clone_bytes: int) -> None:
    """A job of the tenant has fetched so much and is under way."""
    with tenant_session(member.tenant_id, settings=settings) as connection:
        job = jobs.request(connection, repository=shop.repository)
    with system_session("dispatch", settings=settings) as connection:
        chosen = {each.job_id: each for each in jobs.pick(connection, slots=10_000)}[job.id]
    held = {"job_id": job.id, "epoch": chosen.epoch}
    with tenant_session(member.tenant_id, role="worker", settings=settings) as connection:
        jobs.claim(connection, **held, owner="w", lease_seconds=60, wanted=PLENTY)
        reservations.spend(connection, **held, clone_bytes=clone_bytes, over=True)


def test_every_resource_is_told_with_its_limit_and_its_reset(
    client: TestClient, settings: "Settings", acme: Member, shop: Shop
) -> None:
    allow(settings, acme.tenant_id, files=100, clone_bytes=1 << 31, job_minutes=90)
    use(settings, acme, shop, 1000)
    answer = client.get("/v1/usage", headers=bearer(acme.read)).json()
    begins = dt.datetime.fromisoformat(answer["period"]["begins_at"])
    ends = dt.datetime.fromisoformat(answer["period"]["ends_at"])
    assert (begins.day, ends.day, begins < dt.datetime.now(dt.UTC) < ends) == (1, 1, True)
    found = told(client, acme)
    assert list(found) == [resource.name for resource in KEPT]
    assert found["files"] == {
        "resource": "files",
        "meaning": "Stored versions of files, over all snapshots.",
        "unit": "files",
        "period": "none",
        "limit": 100,
        "used": len(shop.pages),
        "reserved": 0,
        "resets_at": None,
    }
    assert found["clone_bytes"] == {
        "resource": "clone_bytes",
        "meaning": "Fetched from the hosts of repositories.",
        "unit": "bytes",
        "period": "month",
        "limit": 1 << 31,
        "used": 0,
        "reserved": 1000,
        "resets_at": answer["period"]["ends_at"],
    }
    minutes = found["job_minutes"]
    # The ingestion of the shop took less than a second, which has begun a minute.
    assert (minutes["unit"], minutes["limit"], minutes["used"]) == ("minutes", 90, 1)
    assert minutes["used"] + minutes["reserved"] == 61
    assert (found["running_jobs"]["used"], found["running_jobs"]["limit"]) == (1, 4)
    assert found["lines"]["limit"] is None


def test_a_plan_that_is_changed_is_told_at_once(
    client: TestClient, settings: "Settings", acme: Member
) -> None:
    assert told(client, acme)["files"]["limit"] is None
    allow(settings, acme.tenant_id, files=7)
    assert told(client, acme)["files"]["limit"] == 7


def test_tenants_are_told_of_themselves_alone(
    client: TestClient, acme: Member, rival: Member, shop: Shop
) -> None:
    assert told(client, acme)["nodes"]["used"] > 0
    of_rival = {name: each["used"] for name, each in told(client, rival).items()}
    assert of_rival.pop("api_keys") == 3
    assert set(of_rival.values()) == {0}


def test_a_quota_that_no_time_heals_names_no_time(
    client: TestClient, settings: "Settings", acme: Member
) -> None:
    allow(settings, acme.tenant_id, repositories=1)
    assert register(client, acme, 1).status_code == 201
    refused = register(client, acme, 2)
    assert refused.status_code == 429
    body = problem(refused)
    assert body["code"] == "quota_exceeded"
    assert body["detail"] == ("Limit of repositories: 1, used: 1, asked for: 1 more.")
    assert "retry-after" not in refused.headers
    assert told(client, acme)["repositories"]["used"] == 1
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        outcomes = [event.outcome for event in audit.list_page(connection, audit.Filter(), limit=9)]
    assert sorted(outcomes) == ["refused", "succeeded"]


def test_keys_are_limited_and_a_leaked_one_can_be_replaced_nevertheless(
    client: TestClient, settings: "Settings", acme: Member
) -> None:
    def make() -> httpx.Response:
        body = {"name": "another", "scopes": ["read"]}
        return client.post("/v1/api-keys", json=body, headers=bearer(acme.admin))

    allow(settings, acme.tenant_id, api_keys=4)
    made = make()
    assert made.status_code == 201
    refused = make()
    assert (refused.status_code, problem(refused)["code"]) == (429, "quota_exceeded")
    assert problem(refused)["detail"] == "Limit of api_keys: 4, used: 4, asked for: 1 more."
    key = made.headers["location"]
    rotated = client.post(f"{key}/rotate", headers=bearer(acme.admin))
    assert rotated.status_code == 201
    assert told(client, acme)["api_keys"]["used"] == 4
    for location in (key, rotated.headers["location"]):
        assert client.delete(location, headers=bearer(acme.admin)).status_code in {200, 204}
    assert told(client, acme)["api_keys"]["used"] == 3
    assert make().status_code == 201


def test_credentials_are_limited(client: TestClient, settings: "Settings", acme: Member) -> None:
    def make(name: str) -> httpx.Response:
        body = {"name": name, "kind": "token", "host": "git.example.com", "secret": "s" * 20}
        return client.post("/v1/credentials", json=body, headers=bearer(acme.admin))

    allow(settings, acme.tenant_id, credentials=1)
    first = make("first")
    assert first.status_code == 201
    refused = make("second")
    assert problem(refused)["detail"] == "Limit of credentials: 1, used: 1, asked for: 1 more."
    used = client.delete(first.headers["location"], headers=bearer(acme.admin))
    assert used.status_code in {200, 204}
    assert told(client, acme)["credentials"]["used"] == 0
    assert make("second").status_code == 201


def test_a_month_that_is_used_up_says_when_the_next_begins(
    client: TestClient, settings: "Settings", acme: Member, shop: Shop
) -> None:
    use(settings, acme, shop, 5000)
    client.delete(f"/v1/repositories/{shop.repository.id}", headers=bearer(acme.admin))
    another = register(client, acme, 1).json()["id"]
    allow(settings, acme.tenant_id, clone_bytes=5000)
    address = f"/v1/repositories/{another}/ingestions"
    refused = client.post(address, json={}, headers=bearer(acme.ingest))
    assert (refused.status_code, problem(refused)["code"]) == (429, "quota_exceeded")
    begins = parsedate_to_datetime(refused.headers["retry-after"])
    resets = dt.datetime.fromisoformat(told(client, acme)["clone_bytes"]["resets_at"])
    assert begins == resets
    assert f"{resets:%Y-%m-%dT%H:%M:%SZ}" in problem(refused)["detail"]
    listed = client.get(f"/v1/jobs?repository_id={another}", headers=bearer(acme.read)).json()
    assert listed["items"] == []


def test_requests_at_once_never_pass_a_quota_also_when_redis_forgets(
    client: TestClient, settings: "Settings", acme: Member
) -> None:
    allow(settings, acme.tenant_id, repositories=5)

    def attempt(number: int) -> int:
        if number % 4 == 0:
            with redis.Redis.from_url(str(settings.redis_url)) as broker:
                broker.flushall()
        return register(client, acme, number).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(attempt, range(20)))
    assert answers == [201] * 5 + [429] * 15
    assert told(client, acme)["repositories"]["used"] == 5


def test_the_limits_are_documented() -> None:
    rows = (ROOT / "docs/limits.md").read_text().splitlines()
    for resource in RESOURCES:
        assert (
            f"| `{resource.name}` | {resource.unit} | {resource.period} | {resource.meaning} |"
        ) in rows
