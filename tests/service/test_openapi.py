"""The API document is good enough to generate a client from, and its page needs no internet."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from starlette.testclient import TestClient

from service.examples import EXAMPLES
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
                assert media_type in {"application/x-ndjson", "text/event-stream"}, one.path
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
    schemas = document["components"]["schemas"]
    edge = schemas["Edge"]["properties"]
    assert edge["kind"]["$ref"] == "#/components/schemas/EdgeKindName"
    assert "instantiates" in schemas["EdgeKindName"]["enum"]
    assert set(schemas["CertaintyName"]["enum"]) == {"exact", "inferred", "ambiguous"}
    assert "declared_type" in schemas["RuleName"]["enum"]


def test_whatever_has_several_values_has_one_name(document: dict[str, Any]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for place, schema in subschemas(document):
        if len(schema.get("enum", ())) > 1:
            words = tuple(sorted(schema["enum"]))
            assert words not in seen, f"give it a name: {place} and {seen[words]}"
            seen[words] = place
    assert len(seen) > 15


def test_names_of_schemas_are_names_for_classes(document: dict[str, Any]) -> None:
    for name in document["components"]["schemas"]:
        assert re.fullmatch(r"([A-Z][a-z]*)+", name)
        # What FastAPI calls a schema without a name, or one of two that should be the same.
        assert not re.match("Body", name)
        assert not re.search("(Input|Output)$", name)
    for one in operations(document):
        body = one.description.get("requestBody", {}).get("content", {})
        for content in body.values():
            schema = content["schema"]
            assert all("$ref" in each for each in schema.get("oneOf", [schema])), one.path


def test_nothing_that_a_request_may_leave_out_is_said_to_be_null(document: dict[str, Any]) -> None:
    for one in operations(document):
        for parameter in one.description.get("parameters", []):
            assert {"type": "null"} not in parameter["schema"].get("anyOf", []), one.path


def test_ids_and_times_say_their_form(document: dict[str, Any]) -> None:
    other_ids = {"task_id", "symbol_id", "request_id", "target_id", "X-Request-Id"}
    for place, schema in subschemas(document):
        for name, value in schema.get("properties", {}).items():
            forms = {each.get("format") for each in value.get("anyOf", [value])}
            if name.endswith("_at"):
                assert "date-time" in forms, (place, name)
            if name.endswith("_id") and name not in other_ids:
                assert "uuid" in forms, (place, name)


def test_bounds_are_told_in_words_that_every_reader_knows(document: dict[str, Any]) -> None:
    # What pydantic writes where it cannot say that a bound is one of a number or of a text.
    unknown = {"ge", "gt", "le", "lt", "min_length", "max_length", "multiple_of"}
    for place, schema in subschemas(document):
        assert not schema.keys() & unknown, place


def test_every_example_fits_its_description(document: dict[str, Any]) -> None:
    shown = 0
    for place, content in contents(document):
        for name, example in content.get("examples", {}).items():
            check(document, content["schema"], example["value"], f"{place} {name}")
            shown += 1
    assert shown > 40


def test_every_example_in_a_schema_fits_it(document: dict[str, Any]) -> None:
    for place, schema in subschemas(document):
        if isinstance(schema.get("examples"), list):
            for example in schema["examples"]:
                check(document, schema, example, place)


def test_every_body_has_an_example_and_so_have_the_answers_that_people_begin_with(
    document: dict[str, Any],
) -> None:
    first = (
        "get_tenant get_usage register_repository list_repositories request_ingestion get_job"
        " search_symbols list_callers list_audit_events create_api_key"
    )
    for one in operations(document):
        name = one.description["operationId"]
        for content in one.description.get("requestBody", {}).get("content", {}).values():
            assert content.get("examples"), f"give {name} one in service/examples"
        if name in first.split():
            (good,) = [status for status in one.description["responses"] if status[0] == "2"]
            assert one.description["responses"][good]["content"]["application/json"]["examples"]
    known = {one.description["operationId"] for one in operations(document)}
    assert EXAMPLES.keys() - known == set()


def subschemas(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of the document and every one in it, with its place."""
    waiting: list[tuple[str, Any]] = [("", document["paths"])]
    waiting += document["components"]["schemas"].items()
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            yield place, value
            # Examples are values and no schemas.
            inner = ((key, each) for key, each in value.items() if key != "examples")
            waiting += [(f"{place}/{key}", each) for key, each in inner]
        elif isinstance(value, list):
            waiting += [(place, each) for each in value]


def contents(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body that is sent or answered, with its place."""
    for name, response in document["components"]["responses"].items():
        for content in response["content"].values():
            yield name, content
    for one in operations(document):
        messages = [one.description.get("requestBody", {}), *one.description["responses"].values()]
        for message in messages:
            for content in message.get("content", {}).values():
                yield f"{one.method} {one.path}", content


def check(document: dict[str, Any], schema: dict[str, Any], value: Any, place: str) -> None:
    """Fail unless the value fits the schema, also in the forms of its strings."""
    whole = {**schema, "components": document["components"]}
    validator = Draft202012Validator(whole, validate_formats=True)
    wrong = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]
    assert wrong == [], place


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
