"""HEAD, OPTIONS, pages of other origins, and the documentation."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.testclient import TestClient

from graph.settings import Settings
from service.app import create_app
from tests.seeding import Shop
from tests.service.conftest import Member, bearer
from tests.service.test_auth import operations
from tests.service.test_problems import problem

if TYPE_CHECKING:
    import httpx

APP = "https://app.example.com"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type, idempotency-key",
}


def cors_headers(answer: "httpx.Response") -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.startswith("access-control-")}


@pytest.fixture
def open_client(settings: Settings) -> Iterator[TestClient]:
    """An API that the pages of two origins may use."""
    origins = {"cors_origins": f"{APP}, https://other.example.com:8443"}
    with TestClient(create_app(settings.model_copy(update=origins))) as client:
        yield client


def test_head_is_get_without_a_body(client: TestClient, acme: Member, shop: Shop) -> None:
    symbols = f"/v1/repositories/{shop.repository.id}/symbols"
    for path in ("/healthz", "/problems", "/v1/tenant", symbols, "/docs", "/openapi.json"):
        got = client.get(path, headers=bearer(acme.read))
        head = client.head(path, headers=bearer(acme.read))
        assert (head.status_code, head.content) == (200, b"")
        changing = {"x-request-id", "ratelimit"}
        assert {k: v for k, v in head.headers.items() if k not in changing} == {
            k: v for k, v in got.headers.items() if k not in changing
        }
    tag = client.head(symbols, headers=bearer(acme.read)).headers["etag"]
    known = client.head(symbols, headers={**bearer(acme.read), "if-none-match": tag})
    assert known.status_code == 304


def test_head_is_refused_as_get_is(client: TestClient, acme: Member) -> None:
    for path, headers, status in (
        ("/nothing", {}, 404),
        ("/v1/tenant", {}, 401),
        ("/v1/tenant?x=1", bearer(acme.read), 422),
        ("/v1/jobs/7/cancel", bearer(acme.ingest), 405),
    ):
        answer = client.head(path, headers=headers)
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"]


def test_head_of_a_stream_ends(app: FastAPI, client: TestClient) -> None:
    told = []

    @app.get("/stream")
    def stream() -> StreamingResponse:
        def numbers() -> Iterator[bytes]:
            for number in range(3):
                told.append(number)
                yield b"%d\n" % number

        return StreamingResponse(numbers(), media_type="application/x-ndjson")

    answer = client.head("/stream")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert client.get("/stream").content == b"0\n1\n2\n"


def test_methods_that_an_address_does_not_know_are_405_with_those_that_it_does(
    client: TestClient, acme: Member
) -> None:
    headers = bearer(acme.admin)
    for path, allowed in (
        ("/v1/repositories", "GET, HEAD, POST"),
        ("/v1/tenant", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
    ):
        for method in ("OPTIONS", "TRACE", "PROPFIND"):
            answer = client.request(method, path, headers=headers)
            assert problem(answer)["code"] == "method_not_allowed"
            assert answer.headers["allow"] == allowed
    assert client.options("/v1/tenant").status_code == 401


def test_pages_of_other_origins_get_nothing_unless_it_is_allowed(
    client: TestClient, acme: Member
) -> None:
    answer = client.options("/v1/tenant", headers={"origin": APP, **PREFLIGHT})
    assert answer.status_code == 401
    assert cors_headers(answer) == {}
    answer = client.get("/v1/tenant", headers={"origin": APP, **bearer(acme.read)})
    assert answer.status_code == 200
    assert cors_headers(answer) == {}


def test_pages_of_an_allowed_origin_may_ask_and_read(open_client: TestClient, acme: Member) -> None:
    asked = open_client.options("/v1/repositories", headers={"origin": APP, **PREFLIGHT})
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == APP
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "idempotency-key" in asked.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in asked.headers
    assert "Origin" in asked.headers["vary"]
    assert asked.headers["x-request-id"]
    # Errors as well: a page that cannot read them cannot tell what went wrong.
    for headers, status in ((bearer(acme.read), 200), ({}, 401)):
        answer = open_client.get("/v1/tenant", headers={"origin": APP, **headers})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == APP
        exposed = {
            one.strip() for one in answer.headers["access-control-expose-headers"].split(",")
        }
        assert exposed == {
            "ETag",
            "Location",
            "Retry-After",
            "RateLimit",
            "RateLimit-Policy",
            "X-Request-Id",
        }
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:444",
        "http://app.example.com",
        "null",
        "*",
        "",
    ],
)
def test_no_other_origin_gets_a_header(origin: str, open_client: TestClient, acme: Member) -> None:
    for method in ("OPTIONS", "GET", "POST"):
        headers = {"origin": origin, **PREFLIGHT, **bearer(acme.read)}
        answer = open_client.request(method, "/v1/repositories", headers=headers)
        assert cors_headers(answer) == {}
        if method == "OPTIONS":
            assert problem(answer)["code"] == "method_not_allowed"


def test_a_preflight_for_a_method_that_no_route_has_is_no_preflight(
    open_client: TestClient,
) -> None:
    headers = {"origin": APP, "access-control-request-method": "PURGE"}
    answer = open_client.options("/healthz", headers=headers)
    assert problem(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "origins",
    ["*", "https://*.example.com", "http://app.example.com", "https://a/b", "https://a, *", "null"],
)
def test_origins_are_named_one_by_one_and_encrypted(origins: str) -> None:
    with pytest.raises(ValidationError):
        Settings(cors_origins=origins)


@pytest.mark.parametrize("proxies", ["*", "proxy.example.com", "10.0.0.1/8", "127.0.0.1, *"])
def test_proxies_are_addresses_and_networks(proxies: str) -> None:
    with pytest.raises(ValidationError):
        Settings(trusted_proxies=proxies)


def test_the_documentation_can_be_closed(settings: Settings, acme: Member) -> None:
    closed = create_app(settings.model_copy(update={"api_docs": False}))
    with TestClient(closed) as client:
        for path in ("/docs", "/openapi.json", "/docs/start.js", "/docs/swagger-ui.css", "/"):
            assert problem(client.get(path))["code"] == "route_not_found"
        assert client.get("/v1/tenant", headers=bearer(acme.read)).status_code == 200
        assert client.get("/problems").status_code == 200


def test_what_the_edge_may_answer_is_described_everywhere(client: TestClient) -> None:
    for operation in operations(client.get("/openapi.json").json()):
        answers = operation.description["responses"]
        assert {"400", "408", "414", "422", "431", "500", "503"} <= answers.keys(), operation.path
