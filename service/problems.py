"""Error answers as RFC 9457 problem details: the catalogue of codes, and how one is written.

A code is a promise: clients branch on it, so it is never renamed. Every code says what to do about
it. Errors of the rooms below bring their own code; `service.errors` maps their kind to a status.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from service.wire import encode

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the catalogue."""

    code: str
    status: int
    title: str
    action: str  # what the caller can do; part of every answer


CATALOGUE: dict[str, Problem] = {
    problem.code: problem
    for problem in (
        Problem(
            "body_malformed",
            400,
            "The body is not JSON",
            "Send one JSON document in UTF-8, nested no deeper than a person would write it.",
        ),
        Problem(
            "request_malformed",
            400,
            "The request is not HTTP",
            "Send HTTP/1.1 with one Host header, through a client library rather than by hand; the"
            " connection was closed.",
        ),
        Problem(
            "cursor_invalid",
            400,
            "The cursor does not belong to this list",
            "Use next_cursor exactly as it was given, with the same path and filters and a key of"
            " the same tenant; or start again without a cursor.",
        ),
        Problem(
            "api_key_missing",
            401,
            "No API key was sent",
            "Send the key as `Authorization: Bearer <key>` or as `X-API-Key: <key>`.",
        ),
        Problem(
            "route_not_found",
            404,
            "There is nothing at this address",
            "Compare the path with /openapi.json or read /docs.",
        ),
        Problem(
            "method_not_allowed",
            405,
            "The address does not know this method",
            "Use one of the methods in the Allow header.",
        ),
        Problem(
            "request_timed_out",
            408,
            "The request took too long to arrive",
            "Send the request again, at once and as a whole; the connection was closed.",
        ),
        Problem(
            "idempotency_key_reused",
            422,
            "The idempotency key was used before, for a different request",
            "Use a new key for every new request, and the same one only to repeat it unchanged.",
        ),
        Problem(
            "body_too_large",
            413,
            "The body is too large",
            "Send a smaller body; code is ingested from its repository, not from a request.",
        ),
        Problem(
            "url_too_long",
            414,
            "The address is too long",
            "Send shorter parameters; a cursor is never the reason.",
        ),
        Problem(
            "media_type_unsupported",
            415,
            "The body is not declared as JSON",
            "Send the body as JSON with `Content-Type: application/json`.",
        ),
        Problem(
            "request_invalid",
            422,
            "The request does not fit its description",
            "Correct the places listed in errors; /docs describes each parameter.",
        ),
        Problem(
            "headers_too_large",
            431,
            "The headers are too large or too many",
            "Send fewer or smaller headers; cookies have no use here.",
        ),
        Problem(
            "internal_error",
            500,
            "Codeloom failed to answer",
            "Repeat the request; if it fails again, report the request_id to the operator.",
        ),
        Problem(
            "server_busy",
            503,
            "There are more connections than this server takes",
            "Wait as long as Retry-After says, and send requests over few connections.",
        ),
        Problem(
            "server_stopping",
            503,
            "This server stops and could not finish the request",
            "Repeat the request, a write with its idempotency key: another server may answer it.",
        ),
    )
}


def problem_response(
    scope: Scope,
    code: str,
    *,
    detail: str | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer for a code of the catalogue."""
    return respond(scope, CATALOGUE[code], detail=detail, errors=errors, headers=headers)


def respond(
    scope: Scope,
    problem: Problem,
    *,
    detail: str | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem as an answer. The detail never repeats ids: absent and foreign must look alike."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail or f"{problem.title}.",
        "code": problem.code,
        "action": problem.action,
        "request_id": scope["state"]["request_id"],
    }
    if errors:
        body["errors"] = list(errors)
    return Response(
        encode(body),
        problem.status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )
