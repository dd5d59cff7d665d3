"""The API document: what FastAPI derives from the routes, plus what every operation shares.

Written once here rather than on every route: which problems an operation can answer with, the
request id that every answer carries, and the entity tag of reads out of a snapshot.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

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
* **Errors**: problem details (RFC 9457). Branch on `code`; `action` says what to do. All codes are
  listed at `/problems`.
"""

# Status -> name of the shared answer and what it means. Which of them fit is decided per operation.
_ANSWERS = {
    "400": ("Malformed", "The request is not HTTP, its body not JSON, or its cursor not ours."),
    "401": ("Unauthorized", "No valid API key was sent."),
    "403": ("Forbidden", "The API key may not do this."),
    "404": ("NotFound", "The tenant has no such thing; another tenant may."),
    "408": ("TooSlow", "The request took too long to arrive."),
    "409": ("Conflict", "The state of the resource does not allow it."),
    "412": ("PreconditionFailed", "The resource is no longer as If-Match expects it."),
    "413": ("TooLarge", "The body is too large."),
    "414": ("AddressTooLong", "The address is too long."),
    "415": ("UnsupportedMediaType", "The body is not declared as JSON."),
    "422": ("Invalid", "A value does not fit its description."),
    "429": ("TooMany", "A quota is used up."),
    "431": ("HeadersTooLarge", "The headers are too large or too many."),
    "500": ("Fault", "Codeloom failed to answer."),
    "503": ("Unavailable", "A part of Codeloom is away, busy or about to stop; try again."),
}
_EVERYWHERE = ("400", "408", "414", "422", "431", "500", "503")
_BEHIND_KEY = ("401", "403")
_WRITING = ("409", "413", "415", "429")
_CHANGING = ("412",)


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
        _share_problems(document)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _share_problems(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components["headers"] = {
        "RequestId": {
            "description": "Names this request; the one sent as X-Request-Id if it is usable.",
            "schema": {"type": "string"},
        },
        "ETag": {
            "description": "Changes with what is answered.",
            "schema": {"type": "string"},
        },
    }
    components["responses"] = {
        name: {
            "description": meaning,
            "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for name, meaning in _ANSWERS.values()
    }


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status, response in responses.items():
        if status.startswith("2"):
            headers = response.setdefault("headers", {})
            headers["X-Request-Id"] = {"$ref": "#/components/headers/RequestId"}
            if "304" in responses:
                headers["ETag"] = {"$ref": "#/components/headers/ETag"}
    for status in _problems_of(path, method):
        if status in responses and status != "422":
            continue  # the operation says more; FastAPI's own 422 says nothing of ours
        responses[status] = {"$ref": f"#/components/responses/{_ANSWERS[status][0]}"}
    operation["responses"] = dict(sorted(responses.items()))


def _problems_of(path: str, method: str) -> list[str]:
    statuses = [*_EVERYWHERE]
    if path.startswith("/v1"):
        statuses += _BEHIND_KEY
        if method != "get":
            statuses += _WRITING
        if method in {"patch", "put", "delete"}:
            statuses += _CHANGING
    if "{" in path:
        statuses += ("404",)
    return statuses
