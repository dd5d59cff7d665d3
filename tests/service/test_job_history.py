"""What became of each attempt, and what can be done with jobs that ended badly."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from graph.model.ids import JobId
from graph.model.jobs import INGEST
from graph.storage import jobs, repositories
from graph.storage.reservations import Allowance
from graph.storage.session import system_session, tenant_session
from tests.service.conftest import Member, bearer
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings


class Engine:
    """Does to one job what a dispatcher and workers would."""

    def __init__(self, settings: "Settings", member: Member, name: str = "r") -> None:
        self.settings = settings
        self.member = member
        with tenant_session(member.tenant_id, settings=settings) as conn:
            url = f"https://example.org/{name}"
            repository = repositories.register(conn, url=url, name=name)
            self.job_id = jobs.request(conn, repository=repository).id

    def start(self, owner: str = "host-of-ours:17") -> int:
        with system_session("dispatch", settings=self.settings) as conn:
            conn.execute(
                text("update jobs set run_at = now() where job_id = :id"), {"id": self.job_id}
            )
            jobs.pick(conn, slots=1000)  # of all tenants: another test's engine may have chosen it
        with tenant_session(self.member.tenant_id, role="worker", settings=self.settings) as conn:
            epoch = jobs.get(conn, job_id=self.job_id).epoch
            assert jobs.claim(
                conn,
                job_id=self.job_id,
                epoch=epoch,
                owner=owner,
                lease_seconds=60,
                wanted=Allowance(job_seconds=60, clone_bytes=1),
            )
        return epoch

    def act(self, do: Callable[..., Any], epoch: int, **values: Any) -> None:
        with tenant_session(self.member.tenant_id, role="worker", settings=self.settings) as conn:
            do(conn, job_id=self.job_id, epoch=epoch, **values)

    def lose(self) -> None:
        """The worker dies, and the reaper takes its job back."""
        with system_session("dispatch", settings=self.settings) as conn:
            conn.execute(
                text("update jobs set lease_until = now() - interval '1 s' where job_id = :id"),
                {"id": self.job_id},
            )
            jobs.reap(conn)

    def die(self) -> None:
        for _ in range(3):
            self.start()
            self.lose()


@pytest.fixture
def engine(settings: "Settings", acme: Member) -> Engine:
    return Engine(settings, acme)


def attempts(client: TestClient, member: Member, job_id: JobId) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/jobs/{job_id}/attempts", headers=bearer(member.read))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_each_attempt_is_kept_with_where_and_why_it_ended(
    client: TestClient, acme: Member, engine: Engine
) -> None:
    first = engine.start()
    engine.act(jobs.progress, first, stage="parse", done=1, total=2, percent=30)
    engine.act(jobs.retry_later, first, code="host_unreachable", message="no way")
    engine.start("other-host:1")
    engine.lose()
    third = engine.start()
    assert [one["outcome"] for one in attempts(client, acme, engine.job_id)] == [
        "queued",
        "queued",
        None,
    ]
    engine.act(jobs.finish, third, report={})
    told = attempts(client, acme, engine.job_id)
    assert [one["outcome"] for one in told] == ["queued", "queued", "succeeded"]
    assert [one["task_id"] for one in told] == [f"{engine.job_id}.{n}" for n in (1, 2, 3)]
    assert told[0]["stage"] == "parse"
    assert told[0]["error"]["code"] == "host_unreachable"
    assert told[1]["error"]["code"] == "worker_lost"
    assert told[2]["error"] is None
    assert all(one["seconds"] >= 0 for one in told)
    assert told[0]["worker"] == told[2]["worker"] != told[1]["worker"]
    assert "host" not in str([one["worker"] for one in told])


def test_a_cancelled_attempt_ends_as_cancelled(
    client: TestClient, acme: Member, engine: Engine
) -> None:
    engine.start()
    client.post(f"/v1/jobs/{engine.job_id}/cancel", headers=bearer(acme.ingest))
    (only,) = attempts(client, acme, engine.job_id)
    assert (only["outcome"], only["error"]) == ("cancelled", None)


def test_attempts_page(client: TestClient, acme: Member, engine: Engine) -> None:
    engine.die()
    seen: list[str] = []
    cursor = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = client.get(
            f"/v1/jobs/{engine.job_id}/attempts",
            params={"limit": 2, **more},
            headers=bearer(acme.read),
        ).json()
        seen += [one["task_id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"{engine.job_id}.{n}" for n in (1, 2, 3)]


def test_a_dead_job_is_listed_inspected_and_replayed(
    client: TestClient, acme: Member, engine: Engine
) -> None:
    engine.die()
    listed = client.get("/v1/jobs", params={"state": "dead"}, headers=bearer(acme.read)).json()
    assert [job["id"] for job in listed["items"]] == [str(engine.job_id)]
    assert listed["items"][0]["error"]["code"] == "worker_lost"
    again = client.post(f"/v1/jobs/{engine.job_id}/retry", headers=bearer(acme.ingest))
    assert (again.status_code, again.json()["state"]) == (200, "queued")
    assert again.json()["error"] is None
    refused = client.post(f"/v1/jobs/{engine.job_id}/retry", headers=bearer(acme.ingest))
    assert (refused.status_code, problem(refused)["code"]) == (409, "job_not_retryable")
    epoch = engine.start()
    engine.act(jobs.finish, epoch, report={})
    assert len(attempts(client, acme, engine.job_id)) == 4


def test_a_dead_job_is_put_aside(client: TestClient, acme: Member, engine: Engine) -> None:
    address = f"/v1/jobs/{engine.job_id}/discard"
    early = client.post(address, headers=bearer(acme.ingest))
    assert (early.status_code, problem(early)["code"]) == (409, "job_not_dead")
    engine.die()
    done = client.post(address, headers=bearer(acme.ingest))
    assert (done.status_code, done.json()["state"]) == (200, "failed")
    assert done.json()["error"]["code"] == "worker_lost"
    listed = client.get("/v1/jobs", params={"state": "dead"}, headers=bearer(acme.read)).json()
    assert listed["items"] == []


def test_jobs_are_filtered_by_kind(client: TestClient, acme: Member, engine: Engine) -> None:
    for kind, count in (("ingest", 1), ("nothing", 0)):
        page = client.get("/v1/jobs", params={"kind": kind}, headers=bearer(acme.read)).json()
        assert len(page["items"]) == count


def test_the_children_of_a_job_are_listed_and_cancelled_with_it(
    client: TestClient, acme: Member, rival: Member, engine: Engine
) -> None:
    epoch = engine.start()
    refs = [f"r{number}" for number in range(3)]
    engine.act(jobs.split, epoch, children=[jobs.Wanted(INGEST, ref=ref) for ref in refs])
    address = f"/v1/jobs/{engine.job_id}"
    told = client.get(address, headers=bearer(acme.read)).json()
    assert (told["state"], told["parent_job_id"], told["finished_at"]) == ("waiting", None, None)
    first = client.get(f"{address}/children?limit=2", headers=bearer(acme.read)).json()
    rest = client.get(
        f"{address}/children?cursor={first['next_cursor']}&limit=2", headers=bearer(acme.read)
    ).json()
    children = first["items"] + rest["items"]
    assert [child["ref"] for child in children] == refs[::-1]
    assert {child["parent_job_id"] for child in children} == {str(engine.job_id)}
    strange = client.get(f"{address}/children", headers=bearer(rival.read))
    assert (strange.status_code, problem(strange)["code"]) == (404, "job_not_found")
    client.post(f"{address}/cancel", headers=bearer(acme.ingest))
    after = client.get(f"{address}/children", headers=bearer(acme.read)).json()["items"]
    assert [child["state"] for child in after] == ["cancelled"] * 3
