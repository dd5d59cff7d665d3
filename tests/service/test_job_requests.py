"""Jobs of any kind, asked for by parameters; and what jobs cannot be asked for in their state."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.storage import jobs, keys, repositories
from graph.storage.jobs import Job
from graph.storage.session import tenant_session
from tests.service.conftest import Member, bearer
from tests.service.test_job_history import Engine
from tests.service.test_jobs import register
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from httpx import Response

    from graph.settings import Settings

# Half of a character: it is JSON, but no text.
LONE_SURROGATE = '{"kind": "ingest", "parameters": {"repository_id": "%s", "ref": "\\ud800"}}'


@pytest.fixture
def engine(settings: "Settings", acme: Member) -> Engine:
    return Engine(settings, acme)


def ask(
    client: TestClient, key: str, kind: object, parameters: object, **headers: str
) -> "Response":
    body = {"kind": kind, "parameters": parameters}
    return client.post("/v1/jobs", json=body, headers={**bearer(key), **headers})


def listed(client: TestClient, member: Member) -> list[dict[str, Any]]:
    answer = client.get("/v1/jobs", headers=bearer(member.read))
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_a_job_of_each_kind_is_asked_for(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)["id"]
    wanted = {"repository_id": repository, "ref": "main", "force": True}
    ingest = ask(client, acme.ingest, "ingest", wanted)
    assert ingest.status_code == 202
    job = ingest.json()
    assert (job["kind"], job["ref"], job["force"], job["state"]) == (
        "ingest",
        "main",
        True,
        "queued",
    )
    assert ingest.headers["location"] == f"/v1/jobs/{job['id']}"
    purge = ask(client, acme.admin, "purge", {"repository_id": repository})
    assert (purge.status_code, purge.json()["kind"]) == (202, "purge")
    assert [one["kind"] for one in listed(client, acme)] == ["purge", "ingest"]


@pytest.mark.parametrize("kind", ["", "nothing", "INGEST", "ingest\x00", "celery.ping", None, 7])
def test_an_unknown_kind_is_refused(kind: object, client: TestClient, acme: Member) -> None:
    repository = register(client, acme)["id"]
    answer = ask(client, acme.admin, kind, {"repository_id": repository})
    assert (answer.status_code, problem(answer)["code"]) == (422, "request_invalid")
    assert listed(client, acme) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"repository_id": None},
        {"repository_id": 7},
        {"repository_id": "shop"},
        {"repository_id": ["0197a1fb-e97e-7f72-b305-cb318fa2e2c1"]},
        {"branch": "main"},
        {"ref": 7},
        {"ref": ["main"]},
        {"ref": ""},
        {"ref": "a\x00b"},
        {"ref": "a b"},
        {"ref": "--upload-pack=x"},
        {"ref": "x" * 1025},
        {"commit": "main"},
        {"commit": "A" * 40},
        {"commit": "a" * 39},
        {"commit": "a" * 40 + "\n"},
        {"commit": {"$ne": None}},
        {"force": "perhaps"},
        {"force": 1},
        {"created_by": str(uuid4())},
        {"priority": 9},
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    wrong: dict[str, object], client: TestClient, acme: Member
) -> None:
    repository = register(client, acme)["id"]
    answer = ask(client, acme.ingest, "ingest", {"repository_id": repository, **wrong})
    assert 400 <= answer.status_code < 500
    assert problem(answer)["code"] in {"job_parameters_invalid", "request_invalid", "ref_not_found"}
    assert listed(client, acme) == []


@pytest.mark.parametrize(
    "parameters", [None, [], "x", {}, {"": ""}, {"repository_id": str(uuid4())}]
)
def test_what_is_no_parameters_is_refused(
    parameters: object, client: TestClient, acme: Member
) -> None:
    for kind in ("ingest", "purge"):
        answer = ask(client, acme.admin, kind, parameters)
        assert answer.status_code in {404, 422}
        problem(answer)
    assert listed(client, acme) == []


def test_text_that_cannot_be_stored_is_refused(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)["id"]
    headers = {**bearer(acme.ingest), "content-type": "application/json"}
    answer = client.post("/v1/jobs", content=LONE_SURROGATE % repository, headers=headers)
    assert 400 <= answer.status_code < 500
    problem(answer)
    assert listed(client, acme) == []


def test_a_key_asks_for_what_it_may(
    client: TestClient, settings: "Settings", acme: Member, rival: Member
) -> None:
    repository = register(client, acme)["id"]
    with tenant_session(acme.tenant_id, settings=settings) as conn:
        _, narrow = keys.create(conn, tenant_id=acme.tenant_id, scopes=["admin"], repositories=[])
    wanted = {"repository_id": repository}
    for key, kind, status, code in (
        (acme.read, "ingest", 403, "permission_missing"),
        (acme.ingest, "purge", 403, "permission_missing"),
        (narrow, "ingest", 404, "repository_not_found"),
        (narrow, "purge", 404, "repository_not_found"),
        (rival.admin, "ingest", 404, "repository_not_found"),
        (rival.admin, "purge", 404, "repository_not_found"),
    ):
        refused = ask(client, key, kind, wanted)
        assert (refused.status_code, problem(refused)["code"]) == (status, code)
    assert listed(client, acme) == []
    assert listed(client, rival) == []


def test_an_idempotency_key_stands_for_one_job(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)["id"]
    key = {"idempotency-key": str(uuid4())}
    # What is refused leaves its key free.
    assert ask(client, acme.ingest, "ingest", {"repository": repository}, **key).status_code == 422
    wanted = {"repository_id": repository, "ref": "main"}
    first = ask(client, acme.ingest, "ingest", wanted, **key)
    client.post(f"/v1/jobs/{first.json()['id']}/cancel", headers=bearer(acme.ingest))
    again = ask(client, acme.ingest, "ingest", wanted, **key)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    other = ask(client, acme.ingest, "ingest", {**wanted, "ref": "other"}, **key)
    assert (other.status_code, problem(other)["code"]) == (422, "idempotency_key_reused")
    assert [job["id"] for job in listed(client, acme)] == [first.json()["id"]]


def in_state(engine: Engine, state: str) -> JobId:
    """The id of a job that has come to this state as jobs do."""
    match state:
        case "failed":
            engine.act(jobs.fail, engine.start(), code="repository_too_large", message="too large")
        case "succeeded":
            engine.act(jobs.finish, engine.start(), report={})
        case "running":
            engine.start()
        case "dead":
            engine.die()
        case "superseded":
            first, _ = (request_commit(engine, commit) for commit in ("a" * 40, "b" * 40))
            return first.id
        case "queued":
            pass
    return engine.job_id


def request_commit(engine: Engine, commit: str) -> Job:
    with tenant_session(engine.member.tenant_id, settings=engine.settings) as conn:
        repository = repositories.list_page(conn, limit=1)[0]
        return jobs.request(conn, repository=repository, ref="main", commit=commit)


@pytest.mark.parametrize(
    ("state", "action", "code"),
    [
        ("succeeded", "cancel", "job_already_ended"),
        ("failed", "cancel", "job_already_ended"),
        ("dead", "cancel", "job_already_ended"),
        ("superseded", "cancel", "job_already_ended"),
        ("queued", "retry", "job_not_retryable"),
        ("running", "retry", "job_not_retryable"),
        ("succeeded", "retry", "job_not_retryable"),
        ("superseded", "retry", "job_not_retryable"),
        ("queued", "discard", "job_not_dead"),
        ("running", "discard", "job_not_dead"),
        ("succeeded", "discard", "job_not_dead"),
        ("failed", "discard", "job_not_dead"),
    ],
)
def test_what_does_not_fit_a_jobs_state_changes_nothing(
    state: str, action: str, code: str, client: TestClient, acme: Member, engine: Engine
) -> None:
    address = f"/v1/jobs/{in_state(engine, state)}"
    before = client.get(address, headers=bearer(acme.read)).json()
    assert before["state"] == state
    refused = client.post(f"{address}/{action}", headers=bearer(acme.ingest))
    assert (refused.status_code, problem(refused)["code"]) == (409, code)
    assert client.get(address, headers=bearer(acme.read)).json() == before


@pytest.mark.parametrize("action", ["cancel", "retry", "discard"])
def test_nobody_elses_job_and_no_job_are_the_same(
    action: str, client: TestClient, acme: Member, rival: Member, engine: Engine
) -> None:
    engine.die()
    before = client.get(f"/v1/jobs/{engine.job_id}", headers=bearer(acme.read)).json()
    for job_id in (engine.job_id, uuid4()):
        refused = client.post(f"/v1/jobs/{job_id}/{action}", headers=bearer(rival.admin))
        assert (refused.status_code, problem(refused)["code"]) == (404, "job_not_found")
    assert client.post(f"/v1/jobs/x/{action}", headers=bearer(rival.admin)).status_code == 422
    low = client.post(f"/v1/jobs/{engine.job_id}/{action}", headers=bearer(acme.read))
    assert problem(low)["code"] == "permission_missing"
    assert client.get(f"/v1/jobs/{engine.job_id}", headers=bearer(acme.read)).json() == before


def test_a_task_is_polled_by_whose_job_it_is(
    client: TestClient, acme: Member, rival: Member, engine: Engine
) -> None:
    task_id = f"{engine.job_id}.{engine.start()}"

    def poll(key: str, wanted: str) -> "Response":
        return client.get(f"/v1/tasks/{wanted}", headers=bearer(key))

    assert poll(acme.read, task_id).json()["status"] == "started"
    for key, wanted in (
        (rival.admin, task_id),
        (acme.read, f"{uuid4()}.1"),
        (acme.read, "nonsense"),
        (acme.read, f"{engine.job_id}.x"),
    ):
        refused = poll(key, wanted)
        assert (refused.status_code, problem(refused)["code"]) == (404, "job_not_found")
    assert poll(acme.read, "x" * 65).status_code == 422


def test_an_answer_that_is_kept_is_not_told_to_a_key_that_may_less(
    client: TestClient, acme: Member
) -> None:
    wanted = {"repository_id": register(client, acme)["id"]}
    named = {"idempotency-key": "the-purge"}
    assert ask(client, acme.admin, "purge", wanted, **named).status_code == 202
    refused = ask(client, acme.ingest, "purge", wanted, **named)
    assert (refused.status_code, problem(refused)["code"]) == (403, "permission_missing")
    again = ask(client, acme.admin, "purge", wanted, **named)
    assert again.headers["idempotency-replayed"] == "true"


def test_jobs_may_be_asked_for_in_every_state_there_is(client: TestClient, acme: Member) -> None:
    job = ask(client, acme.ingest, "ingest", {"repository_id": register(client, acme)["id"]}).json()
    answer = client.get(
        "/v1/jobs", params={"state": [str(each) for each in JobState]}, headers=bearer(acme.read)
    )
    assert [one["id"] for one in answer.json()["items"]] == [job["id"]]
