"""Entity tags of single resources, and the conditions that requests put on them (RFC 9110, 13)."""

import hashlib
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from graph.errors import PreconditionFailed

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing changed since the ETag that was sent."},
}

# Never used without asking us again: another key may have changed the resource meanwhile.
HEADERS = {"cache-control": "private, no-cache", "vary": "Authorization, X-API-Key"}


def entity_tag(shape: BaseModel) -> str:
    """A strong tag of a resource as it is told: equal only for equal bytes."""
    return tag_of(shape.model_dump_json().encode())


def tag_of(body: bytes) -> str:
    """A strong tag of these bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def answer(request: Request, shape: BaseModel) -> Response:
    """The resource with its tag, or 304 when the client has just that already."""
    body = shape.model_dump_json().encode()
    headers = {**HEADERS, "etag": tag_of(body)}
    if matches_any(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def matches_any(offered: str | None, tag: str) -> bool:
    """Whether `If-None-Match` names the tag; weak and strong ones are compared alike there."""
    if offered is None:
        return False
    tags = {each.strip().removeprefix("W/") for each in offered.split(",")}
    return tag in tags or "*" in tags


def require(expected: str, shape: BaseModel) -> None:
    """Nothing, if `If-Match` names the resource as it is now; a weak tag never does.

    Raises PreconditionFailed otherwise.
    """
    tags = {each.strip() for each in expected.split(",")}
    if "*" not in tags and entity_tag(shape) not in tags:
        raise PreconditionFailed
