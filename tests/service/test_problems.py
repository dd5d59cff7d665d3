"""Every error is a problem with a code, a request id and what to do."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.testclient import TestClient

from service import errors
from service.problems import CATALOGUE
from service.schemas import Problem
from tests.seeding import Shop
from tests.service.conftest import Member, bearer

if TYPE_CHECKING:
    from fastapi import FastAPI


def problem(response: httpx.Response) -> dict[str, Any]:
    """The body of an error, checked for its form."""
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    Problem.model_validate(body)
    assert body["status"] == response.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["action"]
    return body


def test_the_router_answers_with_problems(client: TestClient, acme: Member) -> None:
    assert problem(client.get("/nothing"))["code"] == "route_not_found"
    assert problem(client.get("/nothing"))["status"] == 404
    refused = client.put("/v1/tenant", headers=bearer(acme.read))
    assert (refused.status_code, problem(refused)["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD"
    several = client.put("/v1/repositories", json={}, headers=bearer(acme.read))
    assert several.headers["allow"] == "GET, HEAD, POST"
    assert problem(client.get("/v1/jobs/", headers=bearer(acme.read)))["status"] == 404


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "body_malformed"),
        (b"\xff\xfe", "application/json", 400, "body_malformed"),
        (b"[" * 100_000, "application/json", 400, "body_malformed"),
        (b'{"url": ' + b"9" * 5000 + b"}", "application/json", 400, "body_malformed"),
        (b"{}", "application/json", 422, "request_invalid"),
        (b"[]", "application/json", 422, "request_invalid"),
        (b"null", "application/json", 422, "request_invalid"),
        (b'{"url": 7}', "application/json", 422, "request_invalid"),
        (b'{"url": "https://a/b", "colour": 1}', "application/json", 422, "request_invalid"),
        (b'{"url": "https://a/\\u0000"}', "application/json", 422, "request_invalid"),
        (b'{"url": "https://a/\\ud800"}', "application/json", 422, "request_invalid"),
        (b'{"\\ud800": 1}', "application/json", 422, "request_invalid"),
        (b'{"url": "https://a/b", "name": ""}', "application/json", 422, "request_invalid"),
        (b"url=x", "application/x-www-form-urlencoded", 415, "media_type_unsupported"),
        (b"{}", "text/plain", 415, "media_type_unsupported"),
        (b"{}", None, 415, "media_type_unsupported"),
        (b" " * (1024 * 1024 + 1), "application/json", 413, "body_too_large"),
    ],
)
def test_a_body_that_does_not_fit_is_a_typed_error(
    body: bytes,
    media_type: str | None,
    status: int,
    code: str,
    client: TestClient,
    acme: Member,
) -> None:
    headers = bearer(acme.ingest)
    if media_type:
        headers["content-type"] = media_type
    answer = client.post("/v1/repositories", content=body, headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


def test_a_body_is_counted_as_it_arrives_whatever_it_declares(
    client: TestClient, acme: Member
) -> None:
    def pieces() -> Any:
        for _ in range(40):
            yield b" " * 65_536

    headers = {**bearer(acme.ingest), "content-type": "application/json"}
    answer = client.post("/v1/repositories", content=pieces(), headers=headers)
    assert problem(answer)["code"] == "body_too_large"
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "query",
    [
        "symbols?limit=0",
        "symbols?limit=501",
        "symbols?limit=many",
        "symbols?limit=" + "9" * 5000,
        "symbols?q=%00",
        "symbols?kind=nonsense",
        "symbols?match=maybe",
        "symbols?path=",
        "symbols?commit=main",
        "symbols?snapshot=7",
        "symbols?ref=main&commit=" + "1" * 40,
        "symbols/XYZ",
        "symbols/8D1F0C2A9BE47731",
        "definition?path=a",
        "definition?path=a&line=0&column=0",
        "definition?path=a&line=99999999999999999999&column=0",
        "files/%00/outline",
    ],
)
def test_a_parameter_that_does_not_fit_is_422(
    query: str, client: TestClient, acme: Member, shop: Shop
) -> None:
    answer = client.get(f"/v1/repositories/{shop.repository.id}/{query}", headers=bearer(acme.read))
    body = problem(answer)
    assert answer.status_code == 422
    assert body["code"] in {"request_invalid", "snapshot_selection_ambiguous"}


def test_invalid_places_are_named_and_their_values_are_not_repeated(
    client: TestClient, acme: Member
) -> None:
    secret = "hunter2" * 10
    body = {"url": {"password": secret}, "\x00": secret, "naïve": 1}
    answer = client.post("/v1/repositories", json=body, headers=bearer(acme.ingest))
    places = [place["location"] for place in problem(answer)["errors"]]
    assert places[0] == "body.url"
    assert "body.naïve" in places
    assert "hunter2" not in answer.text


def test_a_body_wrong_in_many_places_is_not_answered_at_length(
    client: TestClient, acme: Member
) -> None:
    body = {f"field{number}": number for number in range(1000)}
    answer = client.post("/v1/repositories", json=body, headers=bearer(acme.ingest))
    assert len(problem(answer)["errors"]) == 20
    assert len(answer.content) < 10_000


def test_a_fault_of_ours_tells_nothing_but_the_request_id(
    app: "FastAPI", client: TestClient
) -> None:
    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("password=hunter2 in /var/lib/thing")

    answer = client.get("/broken")
    assert problem(answer)["code"] == "internal_error"
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text


def test_a_database_that_is_away_is_503(app: "FastAPI", client: TestClient, acme: Member) -> None:

    backend = app.state.backend
    client.get("/v1/tenant", headers=bearer(acme.read))
    away = backend.settings.model_copy(
        update={"database_url": "postgresql://nobody@127.0.0.1:1/nothing"}
    )
    app.state.backend = replace(backend, settings=away)
    answer = client.get("/v1/tenant", headers=bearer(acme.read))
    body = problem(answer)
    assert (answer.status_code, body["code"]) == (503, "storage_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "127.0.0.1" not in answer.text
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["database"]) == (503, "unreachable")
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        ("0b8e6c1e-trace.7", True),
        ("short", False),
        ("a" * 65, False),
        ("line\\nbreak", False),
    ],
)
def test_a_request_id_is_taken_over_if_it_is_harmless(
    offered: str, kept: bool, client: TestClient
) -> None:
    answer = client.get("/healthz", headers={"x-request-id": offered})
    assert (answer.headers["x-request-id"] == offered) is kept
    assert answer.headers["x-request-id"]


def test_every_answer_carries_the_headers_that_keep_browsers_from_guessing(
    client: TestClient,
) -> None:
    for path in ("/healthz", "/nothing", "/v1/tenant", "/docs"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
    assert client.get("/v1/tenant").headers["cache-control"] == "no-store"


def test_every_code_is_described_at_its_address(client: TestClient) -> None:
    listed = client.get("/problems").json()["items"]
    assert {one["code"] for one in listed} >= CATALOGUE.keys() | {"repository_not_found"}
    assert {one["code"] for one in listed} == set(errors.all_problems())
    for one in listed:
        assert one["title"]
        assert one["action"]
        assert client.get(one["type"]).json() == one
    assert problem(client.get("/problems/nonsense"))["code"] == "route_not_found"
