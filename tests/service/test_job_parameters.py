"""Bodies that ask for a job and fit none: a typed answer, which repeats little, and no job."""

import json
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from tests.service.conftest import Member, bearer
from tests.service.test_job_requests import listed
from tests.service.test_jobs import register
from tests.service.test_problems import problem

MARK = "hunter2"
KINDS = ("ingest", "purge")
# Of other kinds of jobs: of a piece of a large ingestion nobody but that asks.
NO_KINDS: list[object] = [
    "parse", "reindex", "workers.tasks.purge_repository", "purge ", "Purge", "ingest,purge",
    "x" * 1_000, True, 1.5, [], ["ingest"], {}, {"kind": "ingest"},
]  # fmt: skip
# In the place of the id of a repository.
NO_IDS: list[object] = [
    None, True, 0, 1.5, "", "null", "0", [], {}, [str(uuid4())], {"id": str(uuid4())},
    "../" * 10, MARK * 1_000, "ffffffff-ffff-ffff-ffff-fffffffffffg",
]  # fmt: skip
EXTRAS: list[dict[str, Any]] = [
    {MARK: None},
    {MARK * 1_000: 1},
    {"tenant_id": str(uuid4())},
    {"state": "succeeded"},
    {"epoch": 1},
    {"__type__": "uuid", "__value__": MARK},
    {str(number): number for number in range(1_000)},
]


def post(client: TestClient, member: Member, body: str) -> tuple[int, str, str]:
    """Status, code and the whole text of the answer to a body that asks for a job."""
    headers = {**bearer(member.admin), "content-type": "application/json"}
    answer = client.post("/v1/jobs", content=body, headers=headers)
    return answer.status_code, problem(answer)["code"], answer.text


def refused(client: TestClient, member: Member, kind: object, parameters: object) -> str:
    body = json.dumps({"kind": kind, "parameters": parameters})
    status, code, text = post(client, member, body)
    assert (status, code) in {
        (422, "request_invalid"),
        (422, "job_parameters_invalid"),
    }, body[:200]
    assert len(text) < 4_000, body[:200]
    assert text.count(MARK) < 200, body[:200]
    return code


def test_what_is_no_kind_is_refused_whatever_its_type(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)["id"]
    for kind in NO_KINDS:
        assert refused(client, acme, kind, {"repository_id": repository}) == "request_invalid"
    assert listed(client, acme) == []


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_of_a_kind_are_of_its_types_and_no_others(
    kind: str, client: TestClient, acme: Member
) -> None:
    repository = register(client, acme)["id"]
    for wrong in NO_IDS:
        refused(client, acme, kind, {"repository_id": wrong})
    for extra in EXTRAS:
        refused(client, acme, kind, {"repository_id": repository, **extra})
    for parameters in (True, 7, 1.5, MARK, [[]], [{"repository_id": repository}]):
        refused(client, acme, kind, parameters)
    assert listed(client, acme) == []


def test_a_kind_does_not_take_what_another_takes(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)["id"]
    for other in ({"ref": "main"}, {"commit": "a" * 40}, {"force": True}):
        refused(client, acme, "purge", {"repository_id": repository, **other})
    assert listed(client, acme) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_reads_two_ways_or_without_end_is_refused(
    kind: str, client: TestClient, acme: Member
) -> None:
    given = f'"repository_id": "{register(client, acme)["id"]}"'
    inside = [
        f"{given}, {given}",
        f'{given}, "force": NaN',
        f'{given}, "force": Infinity',
        f'{given}, "force": 1e999',
        f'{given}, "ref": {"[" * 500}{"]" * 500}',
        f'{given}, "ref": {"[" * 50_000}{"]" * 50_000}',
        f'{given}, "ref": {json.dumps({"a": 1})}',
        f'{given}, "more": {json.dumps([MARK] * 3_000)}',
    ]
    bodies = [f'{{"kind": "{kind}", "parameters": {{{each}}}}}' for each in inside]
    bodies += [
        f'{{"kind": "{kind}", "kind": "{kind}", "parameters": {{{given}}}}}',
        f'{{"kind": "{kind}", "parameters": {{{given}}}, "parameters": {{}}}}',
        f'{{"kind": "{kind}", "parameters": {{{given}}}, "tenant_id": "{uuid4()}"}}',
        f'{{"kind": "{kind}"}}',
        f'{{"parameters": {{{given}}}}}',
    ]
    for body in bodies:
        status, code, text = post(client, acme, body)
        assert (status, code) in {
            (400, "body_malformed"),
            (413, "body_too_large"),
            (422, "request_invalid"),
            (422, "job_parameters_invalid"),
        }, body[:200]
        assert len(text) < 4_000, body[:200]
    assert listed(client, acme) == []


def test_a_body_larger_than_any_request_is_not_read(client: TestClient, acme: Member) -> None:
    repository = register(client, acme)["id"]
    parameters = {"repository_id": repository, "more": MARK * 1_000_000}
    status, _, text = post(client, acme, json.dumps({"kind": "ingest", "parameters": parameters}))
    assert status == 413
    assert MARK not in text
    assert listed(client, acme) == []
