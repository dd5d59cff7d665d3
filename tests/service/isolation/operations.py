"""What the API document says can be asked, and how to ask it well-formed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.service.test_auth import NEEDS, OPEN, OPERATED

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

# Texts in which no tenant writes anything of its own, and those that are never shown.
CLOSED = {"action", "cursor", "kind", "language", "scopes", "secret", "state"}
# Objects whose properties the document does not list, with those that hold words of a tenant.
NESTED = {"request_job": ("parameters", ("repository_id", "ref", "commit"))}


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    description: dict[str, Any]
    schemas: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def id(self) -> str:
        found: str = self.description["operationId"]
        return found

    @property
    def needs(self) -> str:
        return NEEDS.get((self.method, self.path), "read")

    @property
    def is_open(self) -> bool:
        return self.path in OPEN

    @property
    def is_of_operators(self) -> bool:
        return self.path.startswith(OPERATED)

    @property
    def is_paged(self) -> bool:
        return "cursor" in self.query

    @property
    def takes_idempotency_key(self) -> bool:
        return "idempotency-key" in self._parameters("header")

    @property
    def takes_if_match(self) -> bool:
        return "if-match" in self._parameters("header")

    @property
    def ids(self) -> list[str]:
        """The parameters of the path."""
        return [*self._parameters("path")]

    @property
    def query(self) -> dict[str, Any]:
        """The parameters of the query with their schemas."""
        return {name: each["schema"] for name, each in self._parameters("query").items()}

    @property
    def body(self) -> dict[str, Any]:
        """The properties of the body with their schemas."""
        schema = self._body_schema()
        return self.resolved(schema).get("properties", {}) if schema else {}

    def words(self) -> Iterator[tuple[str, str]]:
        """Where a text or an id of a tenant can be written: `query` or `body`, and the name."""
        for place, found in (("query", self.query), ("body", self.body)):
            for name, schema in found.items():
                if name not in CLOSED and self._is_free(schema):
                    yield place, name
        if self.id in NESTED:
            around, names = NESTED[self.id]
            yield from (("body", f"{around}.{name}") for name in names)

    def choices(self) -> dict[str, list[str]]:
        """Parameters of the query that have certain values only, with these."""
        found = {}
        for name, schema in self.query.items():
            known = self.resolved(schema)
            known = self.resolved(known["items"]) if known.get("type") == "array" else known
            if "enum" in known:
                found[name] = known["enum"]
        return found

    def at(self, ids: Mapping[str, str]) -> str:
        """The path with these ids."""
        path = self.path
        for name in self.ids:
            assert name in ids, f"say in world.py what {{{name}}} is: {self}"
            path = path.replace("{" + name + "}", ids[name])
        return path

    def required_query(self, ids: Mapping[str, str]) -> dict[str, str]:
        """The least query that fits; what these ids name, by them."""
        return {
            name: ids.get(name) or str(self._sample(each["schema"], name))
            for name, each in self._parameters("query").items()
            if each.get("required")
        }

    def sample_body(self, ids: Mapping[str, str]) -> Any:
        """The least body that fits; None if there is none."""
        schema = self._body_schema()
        body = self._sample(schema, "") if schema else None
        if self.id in NESTED:
            around, names = NESTED[self.id]
            body[around] = {name: ids[name] for name in names if name in ids}
        return body

    def _parameters(self, place: str) -> dict[str, Any]:
        found = self.description.get("parameters", [])
        return {each["name"]: each for each in found if each["in"] == place}

    def _body_schema(self) -> dict[str, Any] | None:
        content = self.description.get("requestBody", {}).get("content", {})
        found: dict[str, Any] | None = content.get("application/json", {}).get("schema")
        return found

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema itself, without references and without null."""
        if "$ref" in schema:
            return self.resolved(self.schemas[schema["$ref"].rpartition("/")[2]])
        for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            if each.get("type") != "null":
                return {**schema, **self.resolved(each), "anyOf": (), "oneOf": ()}
        return schema

    def _is_free(self, schema: dict[str, Any]) -> bool:
        found = self.resolved(schema)
        if found.get("type") == "array":
            return self._is_free(found["items"])
        closed = found.get("format") in {"date-time", "date"}
        return found.get("type") == "string" and "enum" not in found and not closed

    def _sample(self, schema: dict[str, Any], name: str) -> Any:
        found = self.resolved(schema)
        if found.get("examples"):
            return found["examples"][0]
        if "enum" in found:
            return found["enum"][0]
        if "const" in found:
            return found["const"]
        match found.get("type"):
            case "object":
                properties = found.get("properties", {})
                return {
                    each: self._sample(properties[each], each) for each in found.get("required", [])
                }
            case "array":
                return [self._sample(found["items"], name)] * found.get("minItems", 0)
            case "integer" | "number":
                return found.get("minimum", 1)
            case "boolean":
                return False
            case "string" if found.get("format") == "uuid":
                return str(uuid4())
            case "string":
                return "x" * max(1, found.get("minLength", 1))
        raise AssertionError(f"{self}: give {name} an example in its schema")


def operations(document: dict[str, Any]) -> list[Operation]:
    """Everything that the document lists."""
    schemas = document["components"]["schemas"]
    return [
        Operation(method, path, description, schemas)
        for path, methods in document["paths"].items()
        for method, description in methods.items()
    ]
