"""The API document: what FastAPI derives from the routes, plus what every operation shares.

Written once here rather than on every route: which problems an operation can answer with, the
headers that answers carry, and the examples. It is written for those who generate a client from it:
what has a name has one only, and what cannot be null is not said to be.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.errors import all_problems
from service.examples import EXAMPLES
from service.limiting import UNLIMITED
from service.problems import MEDIA_TYPE
from service.schemas import Problem

DESCRIPTION = """\
Codeloom turns Git repositories into a code graph that can be asked.

Register a repository, start an ingestion, wait for its job, then read: every read answers out of
one **snapshot**, the graph of one commit, and says which. Edges say how certain they are and by
which evidence they were found; `coverage` says what the graph does not know.

* **Keys**: `Authorization: Bearer <key>` or `X-API-Key: <key>`.
* **Snapshots**: `ref`, `commit` or `snapshot` choose one; the default is the head of the default
  ref. Reads out of a snapshot carry an `ETag`; send it back as `If-None-Match`.
* **Writes**: a POST may carry an `Idempotency-Key`: repeated with the same key it is answered as
  the first time and not done again. Changes may carry the `ETag` that was read as `If-Match`.
* **Lists**: pass `next_cursor` back as `cursor`, with the same filters, until it is null.
* **Positions**: lines count from 1, columns from 0 in UTF-16 code units.
* **Limits**: `RateLimit` says what is left of the limits that `RateLimit-Policy` names. Above one,
  the answer is 429, and `Retry-After` says when to come again.
* **Operators**: `/v1/admin` opens to keys of operators, which open nothing else. Their writes take
  no `Idempotency-Key`, and all but making a tenant may be repeated without harm.
* **Errors**: problem details (RFC 9457). Branch on `code`; `action` says what to do. All codes are
  listed at `/problems`.
"""

# Status -> name of the shared answer, what it means, and the code of its example. Which of them fit
# is decided per operation.
_ANSWERS = {
    "400": (
        "Malformed",
        "The request is not HTTP, its body not JSON, or its cursor not ours.",
        "cursor_invalid",
    ),
    "401": ("Unauthorized", "No valid API key was sent.", "api_key_invalid"),
    "403": ("Forbidden", "The API key may not do this.", "permission_missing"),
    "404": (
        "NotFound",
        "The tenant has no such thing; another tenant may.",
        "repository_not_found",
    ),
    "408": ("TooSlow", "The request took too long to arrive.", "request_timed_out"),
    "409": (
        "Conflict",
        "The state of the resource does not allow it.",
        "repository_already_registered",
    ),
    "412": (
        "PreconditionFailed",
        "The resource is no longer as If-Match expects it.",
        "precondition_failed",
    ),
    "413": ("TooLarge", "The body is too large.", "body_too_large"),
    "414": ("AddressTooLong", "The address is too long.", "url_too_long"),
    "415": ("UnsupportedMediaType", "The body is not declared as JSON.", "media_type_unsupported"),
    "422": ("Invalid", "A value does not fit its description.", "request_invalid"),
    "429": (
        "TooMany",
        "Too many requests in too short a time, or a quota is used up.",
        "rate_limited",
    ),
    "431": ("HeadersTooLarge", "The headers are too large or too many.", "headers_too_large"),
    "500": ("Fault", "Codeloom failed to answer.", "internal_error"),
    "503": (
        "Unavailable",
        "A part of Codeloom is away, busy or about to stop; try again.",
        "storage_unavailable",
    ),
}
_EVERYWHERE = ("400", "408", "414", "422", "431", "500", "503")
_LIMITED = ("429",)
_BEHIND_KEY = ("401", "403")
_WRITING = ("409", "413", "415")
_CHANGING = ("412",)

# Name in the document -> name on the wire, what it says.
_HEADERS = {
    "RequestId": (
        "X-Request-Id",
        "Names this request; the one sent as X-Request-Id if it is usable.",
    ),
    "ETag": ("ETag", "Changes with what is answered."),
    "Limits": (
        "RateLimit",
        "What is left of each limit, and in how many seconds all of it is there again.",
    ),
    "LimitsPolicy": ("RateLimit-Policy", "The limits: how many requests in how many seconds."),
    "Replayed": (
        "Idempotency-Replayed",
        "`true` if this is the answer of an earlier request with the same Idempotency-Key.",
    ),
    "RetryAfter": ("Retry-After", "Seconds to wait, or a date; absent where waiting is no use."),
    "Challenge": ("WWW-Authenticate", "How to send a key."),
}
# Headers that an error of this status may have besides.
_HEADERS_OF = {
    "401": ("Challenge",),
    "409": ("RetryAfter",),
    "429": ("RetryAfter", "Limits", "LimitsPolicy"),
    "503": ("RetryAfter",),
}

# How to send a key: those of operators open what is below the first, those of tenants all else.
_OPERATED, _CLOSED = "/v1/admin/", "/v1/"
_KEYS = {"operator": "operatorHeader", "bearer": "apiKey"}
_SCHEMES = {
    "operator": {
        "type": "http",
        "scheme": "bearer",
        "description": "The key of an operator as a bearer token.",
    },
    "operatorHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The key of an operator in a header of its own.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The API key as a bearer token.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The API key in a header of its own.",
    },
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of the application, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=DESCRIPTION,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        _share(document)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _share(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components["securitySchemes"] = _SCHEMES
    components["headers"] = {
        name: {"description": meaning, "schema": {"type": "string"}}
        for name, (_, meaning) in _HEADERS.items()
    }
    components["responses"] = {
        name: {
            "description": meaning,
            "headers": _headers("RequestId", *_HEADERS_OF.get(status, ())),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {code: {"value": _example_of(code)}},
                }
            },
        }
        for status, (name, meaning, code) in _ANSWERS.items()
    }


def _example_of(code: str) -> dict[str, Any]:
    problem = all_problems()[code]
    return {
        "type": f"/problems/{code}",
        "title": problem.title,
        "status": problem.status,
        "detail": f"{problem.title}.",
        "code": code,
        "action": problem.action,
        "request_id": "01a1fbe97e5f7230b305cb318fa2e2c1",
    }


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    if path.startswith(_CLOSED):
        token = "operator" if path.startswith(_OPERATED) else "bearer"
        operation["security"] = [{token: []}, {_KEYS[token]: []}]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["schema"] = _without_null(content["schema"])
        content["schema"].pop("title", None)
    _add_headers(path, operation)
    _add_examples(operation)
    responses = operation["responses"]
    for status in _problems_of(path, method):
        if status in responses and status != "422":
            continue  # the operation says more; FastAPI's own 422 says nothing of ours
        responses[status] = {"$ref": f"#/components/responses/{_ANSWERS[status][0]}"}
    operation["responses"] = dict(sorted(responses.items()))


def _add_headers(path: str, operation: dict[str, Any]) -> None:
    names = ["RequestId"]
    if path not in UNLIMITED:
        names += ["Limits", "LimitsPolicy"]
    if "304" in operation["responses"]:
        names.append("ETag")
    if any(each["name"] == "idempotency-key" for each in operation.get("parameters", ())):
        names.append("Replayed")
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response.setdefault("headers", {}).update(_headers(*names))


def _headers(*names: str) -> dict[str, Any]:
    return {_HEADERS[name][0]: {"$ref": f"#/components/headers/{name}"} for name in names}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What may be left out is not what may be null: nothing in HTTP says null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _add_examples(operation: dict[str, Any]) -> None:
    known = EXAMPLES.get(operation["operationId"])
    if known is None:
        return
    shown = [(operation.get("requestBody"), known.bodies)]
    shown += [
        (response, known.answers)
        for status, response in operation["responses"].items()
        if status.startswith("2")
    ]
    for message, examples in shown:
        for content in (message or {}).get("content", {}).values():
            if examples:
                content["examples"] = {name: {"value": value} for name, value in examples.items()}


def _problems_of(path: str, method: str) -> list[str]:
    statuses = [*_EVERYWHERE]
    if path not in UNLIMITED:
        statuses += _LIMITED
    if path.startswith("/v1"):
        statuses += _BEHIND_KEY
        if method != "get":
            statuses += _WRITING
        if method in {"patch", "put", "delete"}:
            statuses += _CHANGING
    if "{" in path:
        statuses += ("404",)
    return statuses
