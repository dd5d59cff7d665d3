"""Dead jobs of all tenants, as operators find them, look at them, and let them go."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.testclient import TestClient

from graph.model.ids import new_id
from graph.storage import audit, operator_events
from graph.storage.session import system_session, tenant_session
from tests.seeding import allow
from tests.service.conftest import Member, bearer, make_tenant
from tests.service.test_job_history import Engine
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings

PLACE = "/v1/admin/dead-jobs"


class Console:
    """An operator who looks after dead jobs."""

    def __init__(self, client: TestClient, key: str) -> None:
        self.client = client
        self.key = key

    def ask(self, method: str, path: str = "", **query: Any) -> httpx.Response:
        headers = bearer(self.key)
        return self.client.request(method, PLACE + path, params=query, headers=headers)

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.ask("GET", **query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


@pytest.fixture
def console(client: TestClient, operator: str) -> Console:
    return Console(client, operator)


def dead(settings: "Settings", member: Member) -> str:
    """The id of a job of the tenant that has died."""
    engine = Engine(settings, member)
    engine.die()
    return str(engine.job_id)


def test_dead_jobs_of_all_tenants_are_listed_newest_first_in_pages(
    console: Console, settings: "Settings", acme: Member, rival: Member
) -> None:
    mine = [dead(settings, each) for each in (acme, rival, make_tenant(settings))]
    waiting = str(Engine(settings, make_tenant(settings)).job_id)
    cursor, found = None, []
    while True:
        page = console.ask("GET", limit=1, **({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    ids = [each["id"] for each in found]
    assert [one for one in ids if one in mine] == mine[::-1]
    assert ids == sorted(ids, reverse=True)
    assert waiting not in ids
    assert [each["id"] for each in console.listed(tenant_id=acme.tenant_id)] == mine[:1]


def test_dead_jobs_are_found_by_what_they_were_and_when_they_died(
    console: Console, settings: "Settings", acme: Member
) -> None:
    job = dead(settings, acme)
    of = {"tenant_id": acme.tenant_id}
    (told,) = console.listed(**of)
    assert (told["id"], told["kind"], told["error_code"]) == (job, "ingest", "worker_lost")
    assert (told["workers_lost"], told["tenant_id"]) == (3, str(acme.tenant_id))
    at = told["died_at"]
    for filters, count in (
        ({"kind": "ingest", "error_code": "worker_lost"}, 1),
        ({"kind": "purge"}, 0),
        ({"error_code": "nothing"}, 0),
        ({"since": at}, 1),
        ({"until": at}, 0),
    ):
        assert len(console.listed(**of, **filters)) == count, filters


def test_a_dead_job_is_inspected_with_its_attempts(
    console: Console, settings: "Settings", acme: Member, rival: Member
) -> None:
    job = dead(settings, acme)
    told = console.ask("GET", f"/{job}").json()
    assert [each["outcome"] for each in told["attempts"]] == ["queued", "queued", "dead"]
    assert {each["error_code"] for each in told["attempts"]} == {"worker_lost"}
    # Whoever runs the machines is told which they were.
    assert {each["worker"] for each in told["attempts"]} == {"host-of-ours:17"}
    waiting = Engine(settings, rival).job_id
    for other in (waiting, new_id()):
        answer = console.ask("GET", f"/{other}")
        assert (answer.status_code, problem(answer)["code"]) == (404, "job_not_found")


@pytest.mark.parametrize(
    ("act", "state"), [("replay", "queued"), ("discard", "failed")], ids=["replay", "discard"]
)
def test_a_dead_job_is_let_go_and_both_sides_are_told(
    console: Console, settings: "Settings", acme: Member, rival: Member, act: str, state: str
) -> None:
    job, other = dead(settings, acme), dead(settings, rival)
    answer = console.ask("POST", f"/{job}/{act}")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"id": job, "tenant_id": str(acme.tenant_id), "state": state}
    shown = console.client.get(f"/v1/jobs/{job}", headers=bearer(acme.read)).json()
    assert shown["state"] == state
    assert [each["id"] for each in console.listed(tenant_id=rival.tenant_id)] == [other]
    again = console.ask("POST", f"/{job}/{act}")
    assert (again.status_code, problem(again)["code"]) == (404, "job_not_found")

    with system_session("administration", settings=settings) as connection:
        wanted = operator_events.Filter(target_id=job)
        told = operator_events.list_page(connection, wanted, limit=9)
    assert [(each.outcome, each.tenant_id) for each in told] == [
        ("refused", None),  # nobody's: there is no such dead job any more
        ("succeeded", acme.tenant_id),
    ]
    assert {each.action for each in told} == {f"{act}_dead_job"}
    with tenant_session(acme.tenant_id, settings=settings) as connection:
        (own,) = audit.list_page(connection, audit.Filter(), limit=9)
    assert (own.action, own.actor.kind) == (f"{act}_dead_job", "operator")
    assert own.target == audit.Target("job", job)


def test_a_replay_is_held_to_the_limits_of_the_tenant(
    console: Console, settings: "Settings", acme: Member
) -> None:
    job = dead(settings, acme)
    allow(settings, acme.tenant_id, queued_jobs=0)
    answer = console.ask("POST", f"/{job}/replay")
    assert problem(answer)["code"] == "quota_exceeded"
    assert [each["id"] for each in console.listed(tenant_id=acme.tenant_id)] == [job]
    with system_session("administration", settings=settings) as connection:
        wanted = operator_events.Filter(target_id=job)
        (told,) = operator_events.list_page(connection, wanted, limit=9)
    assert (told.outcome, told.code, told.tenant_id) == (
        "refused",
        "quota_exceeded",
        acme.tenant_id,
    )
