"""Parameters that no operation knows, and bodies that can be read in two ways."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from service.strict import parameters_of
from tests.seeding import Shop
from tests.service.conftest import Member, bearer
from tests.service.test_auth import ids_of, operations
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from fastapi import FastAPI


def test_the_parameters_that_are_known_are_those_of_the_document(
    app: "FastAPI", client: TestClient
) -> None:
    document = client.get("/openapi.json").json()
    described = {}
    for operation in operations(document):
        query = [p for p in operation.description.get("parameters", []) if p["in"] == "query"]
        several = {p["name"] for p in query if '"array"' in str(p["schema"]).replace("'", '"')}
        described[operation.description["operationId"]] = ({p["name"] for p in query}, several)
    found = {
        route.name: (set(parameters_of(route).known), set(parameters_of(route).repeatable))
        for route in app.state.routes
        if route.name in described
    }
    assert found == described
    assert found["search_symbols"][1] == {"kind"}


def test_no_operation_takes_a_parameter_that_it_does_not_know(
    client: TestClient, acme: Member, shop: Shop
) -> None:
    document = client.get("/openapi.json").json()
    for operation in operations(document):
        path = operation.path
        for name in operation.parameters:
            path = path.replace("{" + name + "}", ids_of(shop)[name])
        headers = bearer(acme.admin)
        answer = client.request(operation.method, path, params={"colour": "red"}, headers=headers)
        if answer.status_code == 403 and path.startswith("/v1/admin"):
            continue  # not with this key
        assert answer.status_code == 422, operation.path
        assert problem(answer)["errors"][0]["location"] == "query.colour"


def test_an_unknown_parameter_is_named_with_those_that_are_known(
    client: TestClient, acme: Member
) -> None:
    path = "/v1/repositories?limi=1&limit=1&cursr=2&a=1&b=2"
    answer = client.get(path, headers=bearer(acme.read))
    body = problem(answer)
    assert (answer.status_code, body["code"]) == (422, "request_invalid")
    assert [place["location"] for place in body["errors"]] == [
        "query.limi",
        "query.cursr",
        "query.a",
        "query.b",
    ]
    assert body["errors"][0]["code"] == "unknown_parameter"
    assert body["errors"][0]["message"] == "known here: cursor, limit, url"
    nothing = problem(client.get("/v1/tenant?x", headers=bearer(acme.read)))
    assert nothing["errors"][0]["message"] == "known here: none"


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("limit=1&limit=2", "query.limit"),
        ("limit=1&limit=1", "query.limit"),
        ("url=a&limit=1&url=b", "query.url"),
        ("cursor=&cursor=", "query.cursor"),
        ("Limit=1", "query.Limit"),
        ("limit%5B%5D=1", "query.limit[]"),
        ("%00=1", "query.\x00"),
        ("%ff=1", "query.\ufffd"),
        ("=1", "query."),
    ],
)
def test_a_parameter_that_may_be_given_once_is_not_given_twice(
    query: str, location: str, client: TestClient, acme: Member
) -> None:
    answer = client.get(f"/v1/repositories?{query}", headers=bearer(acme.read))
    assert answer.status_code == 422
    assert problem(answer)["errors"][0]["location"] == location


def test_a_list_may_be_given_in_several_parts(client: TestClient, acme: Member, shop: Shop) -> None:
    path = f"/v1/repositories/{shop.repository.id}/symbols?kind=class&kind=function&kind=class"
    assert client.get(path, headers=bearer(acme.read)).status_code == 200
    # An empty query is none.
    assert client.get("/v1/tenant?", headers=bearer(acme.read)).status_code == 200
    assert client.get("/v1/tenant?&&", headers=bearer(acme.read)).status_code == 200


URL = b'"https://example.org/a"'
ODD_BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 422, "request_invalid"),
    "white space": (b" \n", 400, "body_malformed"),
    "a list": (b"[]", 422, "request_invalid"),
    "a string": (URL, 422, "request_invalid"),
    "two documents": (b'{"url": ' + URL + b"} {}", 400, "body_malformed"),
    "a comma too many": (b'{"url": ' + URL + b",}", 400, "body_malformed"),
    "a comment": (b'{"url": ' + URL + b"} // yes", 400, "body_malformed"),
    "a byte order mark": (b'\xef\xbb\xbf{"url": ' + URL + b"}", 400, "body_malformed"),
    "UTF-16": ('{"url": "https://example.org/a"}'.encode("utf-16"), 400, "body_malformed"),
    "UTF-16 without a mark": (
        '{"url": "https://example.org/a"}'.encode("utf-16-le"),
        400,
        "body_malformed",
    ),
    "UTF-32": ('{"url": "https://example.org/a"}'.encode("utf-32"), 400, "body_malformed"),
    "Latin-1": (b'{"url": "https://example.org/\xe9"}', 400, "body_malformed"),
    "bytes that are no text": (b'{"url": "\xff\xfe"}', 400, "body_malformed"),
    "a surrogate in UTF-8": (b'{"url": "\xed\xa0\x80"}', 400, "body_malformed"),
    "an overlong encoding": (b'{"url": "\xc0\xaf"}', 400, "body_malformed"),
    "half of a surrogate pair": (b'{"url": "https://a/\\ud800"}', 422, "request_invalid"),
    "NUL, escaped": (b'{"url": "https://a/\\u0000"}', 422, "request_invalid"),
    "NUL": (b'{"url": "https://a/\x00"}', 400, "body_malformed"),
    "a name twice": (b'{"url": ' + URL + b', "url": "https://b/c"}', 422, "request_invalid"),
    "a name twice, escaped": (
        b'{"url": ' + URL + b', "\\u0075rl": "https://b/c"}',
        422,
        "request_invalid",
    ),
    "a name twice, deep inside": (
        b'{"url": [{"a": {"b": 1, "b": 2}}]}',
        422,
        "request_invalid",
    ),
    "not a number": (b'{"url": NaN}', 400, "body_malformed"),
    "infinity": (b'{"url": -Infinity}', 400, "body_malformed"),
    "a number beyond floats": (b'{"url": 1e400}', 422, "request_invalid"),
    "a number of five thousand digits": (b'{"url": ' + b"9" * 5000 + b"}", 400, "body_malformed"),
    "a number of four thousand digits": (b'{"url": ' + b"9" * 4000 + b"}", 422, "request_invalid"),
    "lists in lists": (b"[" * 100_000 + b"]" * 100_000, 400, "body_malformed"),
    "objects in objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "body_malformed"),
    "lists that nearly fit": (b'{"url":' + b"[" * 900 + b"]" * 900 + b"}", 422, "request_invalid"),
    "a name of a megabyte": (
        b'{"' + b"a" * 1_000_000 + b'": 1}',
        422,
        "request_invalid",
    ),
    "a thousand names and one": (
        b"{" + b",".join(b'"%d":1' % number for number in range(1001)) + b"}",
        422,
        "request_invalid",
    ),
    "ninety thousand names": (
        b"{" + b",".join(b'"%d":1' % number for number in range(90_000)) + b"}",
        422,
        "request_invalid",
    ),
}


@pytest.mark.parametrize("kind", ODD_BODIES)
def test_a_body_reads_one_way_only(kind: str, client: TestClient, acme: Member) -> None:
    body, status, code = ODD_BODIES[kind]
    headers = {**bearer(acme.ingest), "content-type": "application/json"}
    answer = client.post("/v1/repositories", content=body, headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)
    assert len(answer.content) < 20_000


def test_a_name_that_is_there_twice_is_told(client: TestClient, acme: Member) -> None:
    headers = {**bearer(acme.ingest), "content-type": "application/json; charset=utf-8"}
    body = b'{"name": "a", "url": "https://a/b", "name": "b"}'
    answer = client.post("/v1/repositories", content=body, headers=headers)
    assert problem(answer)["errors"] == [
        {"location": "body.name", "message": "is twice in the same object", "code": "repeated"}
    ]


def test_a_body_that_an_operation_does_not_take_is_json_nonetheless(
    client: TestClient, acme: Member, shop: Shop
) -> None:
    path = f"/v1/repositories/{shop.repository.id}"
    headers: dict[str, Any] = {**bearer(acme.admin), "content-type": "application/json"}
    answer = client.request("DELETE", path, content=b"{", headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (400, "body_malformed")
    assert client.get(path, headers=bearer(acme.read)).status_code == 200


def test_a_body_that_may_be_left_out_may_not_be_null(
    client: TestClient, acme: Member, shop: Shop
) -> None:
    path = f"/v1/repositories/{shop.repository.id}/ingestions"
    headers: dict[str, Any] = {**bearer(acme.ingest), "content-type": "application/json"}
    answer = client.post(path, content=b" null ", headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (422, "request_invalid")
    assert problem(answer)["errors"][0]["code"] == "object_required"
    assert client.post(path, headers=headers).status_code == 202


def test_no_list_that_a_request_may_hold_is_without_end(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    def arrays(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if schema.get("type") == "array":
            yield schema
        for inner in [*schema.get("anyOf", ()), *schema.get("properties", {}).values()]:
            yield from arrays(inner)

    found = []
    for operation in operations(document):
        content = operation.description.get("requestBody", {"content": {}})["content"]
        schemas = [media["schema"] for media in content.values()]
        schemas += [one["schema"] for one in operation.description.get("parameters", ())]
        found += [array for schema in schemas for array in arrays(schema)]
    assert len(found) >= 3
    assert all(array.get("maxItems", 10_001) <= 10_000 for array in found)
