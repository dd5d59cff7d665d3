"""The API document is good enough to generate a client from, and its page needs no internet."""

import json
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.test_auth import OPEN, operations


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_every_operation_has_a_name_of_its_own_that_a_method_can_have(
    document: dict[str, Any],
) -> None:
    names = [one.description["operationId"] for one in operations(document)]
    assert len(set(names)) == len(names) >= 22
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)


def test_every_operation_says_what_it_does_and_what_it_takes(document: dict[str, Any]) -> None:
    for one in operations(document):
        assert one.description["summary"], one.path
        assert one.description["description"], one.path
        assert one.description["tags"], one.path
        for parameter in one.description.get("parameters", []):
            schema = parameter["schema"]
            told = parameter.get("description") or "examples" in schema or "enum" in str(schema)
            assert told, (one.path, parameter["name"])


def test_every_operation_says_what_it_answers_and_how_it_fails(document: dict[str, Any]) -> None:
    for one in operations(document):
        responses = one.description["responses"]
        good = [status for status in responses if status.startswith("2")]
        assert len(good) == 1, one.path
        assert "X-Request-Id" in responses[good[0]]["headers"]
        if good != ["204"]:
            (media_type, content), *others = responses[good[0]]["content"].items()
            assert not others, one.path
            if media_type == "application/json":
                assert content["schema"].get("$ref"), one.path
            else:
                assert media_type == "application/x-ndjson", one.path
        expected = {"500"}
        if one.path not in OPEN:
            expected |= {"400", "401", "403", "422", "503"}
        if one.parameters:
            expected.add("404")
        if one.method in {"post", "patch", "put", "delete"}:
            expected |= {"409", "413", "415", "429"}
        if one.method in {"patch", "put", "delete"}:
            expected.add("412")
        assert expected <= responses.keys(), one.path
        for status in expected:
            if one.path == "/readyz":
                continue
            assert responses[status]["$ref"].startswith("#/components/responses/")


def test_reads_of_what_has_a_tag_declare_it(document: dict[str, Any]) -> None:
    tagged = {one.path for one in operations(document) if "304" in one.description["responses"]}
    assert {path for path in tagged if path.startswith("/v1/repositories/{repository_id}/")} >= {
        f"/v1/repositories/{{repository_id}}/{read}"
        for read in ("definition", "files", "stats", "symbols", "symbols/{symbol_id}")
    }
    for one in operations(document):
        if "304" in one.description["responses"]:
            assert "ETag" in one.description["responses"]["200"]["headers"]


def test_every_reference_leads_somewhere_and_every_schema_is_used(
    document: dict[str, Any],
) -> None:
    text = json.dumps(document)
    used = set(re.findall(r'"\$ref": "#/components/([^"]+)"', text))
    for reference in used:
        group, name = reference.split("/")
        assert name in document["components"][group]
    schemas = {f"schemas/{name}" for name in document["components"]["schemas"]}
    assert schemas - used == set()
    assert "HTTPValidationError" not in text


def test_every_field_of_an_answer_is_promised(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        if "properties" not in schema:
            continue
        assert schema["additionalProperties"] is False, name
        assert schema.get("description"), name


def test_the_words_of_the_graph_are_listed(document: dict[str, Any]) -> None:
    edge = document["components"]["schemas"]["Edge"]["properties"]
    assert "instantiates" in edge["kind"]["enum"]
    assert set(edge["certainty"]["enum"]) == {"exact", "inferred", "ambiguous"}
    assert "declared_type" in edge["rule"]["enum"]


def test_the_documentation_page_is_complete_without_the_internet(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"https?:|//[a-z]", page.text)
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(parts) == 4
    for part in parts:
        answer = client.get(part)
        assert answer.status_code == 200, part
        assert len(answer.content) > 100
    assert "/openapi.json" in client.get("/docs/start.js").text
    # Nothing inline, so that the page's policy can forbid it.
    assert "<script>" not in page.text
    assert "'unsafe-eval'" not in page.headers["content-security-policy"]


def test_the_root_leads_to_the_documentation(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert answer.headers["location"] == "/docs"
