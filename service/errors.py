"""Errors to answers: the only place where HTTP statuses meet the errors of the rooms below.

A domain error has a kind and a code. The kind decides the status, the code is what clients branch
on, the class's own docstring is the title, and `ACTIONS` adds what to do where the kind's general
advice is not good enough.
"""

from collections.abc import Iterator
from email.utils import format_datetime
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from graph.errors import CodeloomError, QuotaExceeded
from service.problems import CATALOGUE, Problem, problem_response, respond
from service.wire import printable

_STATUS_OF_KIND = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "precondition": 412,
    "invalid": 422,
    "quota": 429,
    "unavailable": 503,
    "internal": 500,
}

_ACTION_OF_KIND = {
    "unauthorized": "Send a valid API key.",
    "forbidden": "Ask an administrator of the tenant.",
    "not_found": "Check the id, and that the key belongs to the tenant that owns it.",
    "conflict": "Read the current state of the resource before the request is repeated.",
    "precondition": "Read the resource again and repeat the request with its present ETag.",
    "invalid": "Correct the value that the detail names.",
    "quota": "Wait until the quota is reset, or ask the operator for a larger plan.",
    "unavailable": "Nothing is wrong with the request: repeat it after a short wait.",
    "internal": CATALOGUE["internal_error"].action,
}

ACTIONS = {
    "api_key_invalid": (
        "Check that the key was copied whole, and that it has neither expired nor been revoked."
    ),
    "api_key_ended": "Make a new key with POST /v1/api-keys.",
    "last_admin_key": (
        "Make another key with the scope admin and without repositories first, or rotate this one."
    ),
    "operator_key_required": "Use an operator's key: codeloom admin operator-key create.",
    "tenant_key_required": "Use a key of the tenant whose data this is about.",
    "tenant_erasing": "Nothing: an erasure is not taken back. Follow it at /v1/admin/erasures.",
    "tenant_suspended": "Ask whoever operates the installation; the detail says why it was done.",
    "permission_missing": "Use a key with the scope that the detail names.",
    "rate_limited": "Wait as long as Retry-After says, and ask less often.",
    "limits_unavailable": "Repeat the request after a short wait; reading goes on meanwhile.",
    "request_under_way": "Repeat the request after a short wait, with the same idempotency key.",
    "ref_not_found": "Name a branch or tag that the repository has, or a commit by its whole id.",
    "snapshot_not_found": (
        "Start an ingestion with POST /v1/repositories/{id}/ingestions and wait for its job,"
        " or name a snapshot that /v1/repositories/{id}/snapshots lists."
    ),
    "not_a_repository": "Give the address of a repository, or the folder that holds its .git.",
    "repository_empty": "Commit something first.",
    "commit_not_found": "Name a commit that the repository has.",
    "credential_host_mismatch": (
        "Use a credential for the host of the repository's address, with its port."
    ),
    "host_unreachable": "Check the address, then try again later.",
    "authentication_required": "Check the address; only public repositories can be fetched.",
    "remote_not_allowed": (
        "Use an https URL without a password, or an absolute path if the installation allows"
        " repositories of its own machine (ALLOW_LOCAL_REPOSITORIES)."
    ),
    "quota_exceeded": (
        "GET /v1/usage says what is used: remove what is not needed, wait until the resource is"
        " reset if it is, or ask the operator for a larger plan."
    ),
    "checkout_too_large": "Ask the operator to raise the limit that the message names.",
    "budget_exceeded": "Ask the operator to raise the limit that the message names.",
    "symbol_not_found": "Search /v1/repositories/{id}/symbols in the same snapshot for its id.",
    "file_not_found": "List /v1/repositories/{id}/files in the same snapshot for its path.",
}

_CODE_OF_STATUS = {
    400: "body_malformed",
    404: "route_not_found",
    405: "method_not_allowed",
    408: "request_timed_out",
    413: "body_too_large",
    415: "media_type_unsupported",
}


def problem_of(error: type[CodeloomError]) -> Problem:
    """The catalogue row of a domain error."""
    known = CATALOGUE.get(error.code)
    if known is not None:
        return known
    title = (error.__doc__ or error.code).strip().splitlines()[0].rstrip(".")
    action = ACTIONS.get(error.code, _ACTION_OF_KIND[error.kind])
    return Problem(error.code, _STATUS_OF_KIND[error.kind], title, action)


def action_of(code: str) -> str:
    """What to do about an error that a job ended with."""
    known = all_problems().get(code)
    if known is None or known.status == 500:  # noqa: PLR2004
        return "Start the ingestion again; if it fails again, tell the operator the job's id."
    return known.action


def all_problems() -> dict[str, Problem]:
    """Every problem an answer can carry, by code: the router's and each domain error's."""
    found = dict(CATALOGUE)
    found.update((error.code, problem_of(error)) for error in _domain_errors(CodeloomError))
    return dict(sorted(found.items()))


def _domain_errors(root: type[CodeloomError]) -> Iterator[type[CodeloomError]]:
    for error in root.__subclasses__():
        # What stops a command or the embedded stack is told at a terminal, never over HTTP.
        if not error.__module__.startswith("service."):
            yield error
            yield from _domain_errors(error)


def install(app: FastAPI) -> None:
    """Make every error of the application leave as a problem."""
    app.add_exception_handler(CodeloomError, _domain_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)


def answer(scope: Scope, error: CodeloomError) -> Response:
    """The problem that a domain error is told as."""
    problem = problem_of(type(error))
    headers = {}
    if problem.status == 401:  # noqa: PLR2004
        headers["www-authenticate"] = 'Bearer realm="codeloom", error="invalid_token"'
    if error.transient:
        headers["retry-after"] = "5"
    if isinstance(error, QuotaExceeded) and error.resets_at is not None:
        # A date: nothing but a larger plan lets an earlier request through. Other quotas give no
        # time, because it is not time that frees what they limit.
        headers["retry-after"] = format_datetime(error.resets_at, usegmt=True)
    detail = printable(error.message) if problem.status != 500 else None  # noqa: PLR2004
    return respond(scope, problem, detail=detail, headers=headers)


def _domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CodeloomError)  # noqa: S101 - what the handler is registered for
    return answer(request.scope, error)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what the handler is registered for
    # The detail names the code where the status does not say enough.
    known = error.detail in CATALOGUE
    code = error.detail if known else _CODE_OF_STATUS.get(error.status_code, "internal_error")
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:  # noqa: PLR2004
        known_methods = _methods(request) or headers.get("allow", "").split(", ")
        headers["allow"] = ", ".join(sorted(known_methods))
    return problem_response(request.scope, code, headers=headers)


def _methods(request: Request) -> set[str]:
    """What the address does know; the router names the methods of its first route only."""
    found = {
        method
        for route in request.app.state.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return found | {"HEAD"} if "GET" in found else found


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return problem_response(request.scope, "body_malformed")
    # At most twenty: a hostile body can be wrong in a hundred thousand places.
    errors = [_place(item) for item in found[:20]]
    named = ", ".join(item["location"] for item in errors[:3])
    detail = f"{len(found)} value(s) do not fit, among them: {named}."
    return problem_response(request.scope, "request_invalid", detail=detail, errors=errors)


def _place(item: dict[str, Any]) -> dict[str, str]:
    # The rejected value itself is left out: it may be large, secret, or impossible to encode.
    location = ".".join(str(part) for part in item["loc"])
    return {
        "location": printable(location)[:200],
        "message": printable(str(item["msg"]))[:300],
        "code": str(item["type"]),
    }
