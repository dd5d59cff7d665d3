"""What every operation is held to: parameters that it knows, and JSON that reads one way only.

A misspelt filter that is ignored answers with more than was asked for, and looks as if it had
worked. A body that two readers understand differently passes the one that guards the other.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, NoReturn, Union, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from service.middleware import METHODS_WITH_BODY, is_json

# Names in one object of a body: more than any has a use for. Each that an operation does not know
# would be an error of its own, and a megabyte of them a second's work.
_MAX_NAMES = 1000


@dataclass(frozen=True, slots=True)
class Parameters:
    """The query parameters of an operation, and which of them may be given more than once."""

    known: frozenset[str]
    repeatable: frozenset[str]


def parameters_of(route: APIRoute) -> Parameters:
    """The query parameters that the operation's function and all that it depends on ask for."""
    fields = list(_query_fields(route.dependant))
    several = (alias for alias, annotation in fields if _is_list(annotation))
    return Parameters(frozenset(alias for alias, _ in fields), frozenset(several))


async def well_formed(request: Request) -> None:
    """Nothing, if the request says nothing that its operation does not know.

    Raises RequestValidationError, or HTTPException (400) for a body that is not JSON.
    """
    if request.scope["query_string"]:
        _check_query(request)
    if request.method in METHODS_WITH_BODY and is_json(request.headers):
        body = await request.body()
        if body:
            _check_body(body)


def _query_fields(dependant: Dependant) -> Iterator[tuple[str, object]]:
    for field in dependant.query_params:
        yield field.alias, field.field_info.annotation
    for inner in dependant.dependencies:
        yield from _query_fields(inner)


def _is_list(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        return any(_is_list(one) for one in get_args(annotation))
    return origin is list


def _check_query(request: Request) -> None:
    route: APIRoute = request.scope["route"]
    # Routes cannot be keys, and live as long as their application.
    known: dict[int, Parameters] = request.app.state.parameters
    parameters = known.get(id(route))
    if parameters is None:
        parameters = known[id(route)] = parameters_of(route)
    seen: set[str] = set()
    errors = []
    for name, _ in request.query_params.multi_items():
        if name not in parameters.known:
            names = ", ".join(sorted(parameters.known)) or "none"
            errors.append(_error("unknown_parameter", ("query", name), f"known here: {names}"))
        elif name in seen and name not in parameters.repeatable:
            errors.append(_error("repeated", ("query", name), "may be given once only"))
        seen.add(name)
    if errors:
        raise RequestValidationError(errors)


def _check_body(body: bytes) -> None:
    try:
        # `json` would guess the encoding of bytes; the standard knows only one.
        json.loads(body.decode(), object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    if body.strip() == b"null":
        # It would be taken for a body that was left out, which the document does not say.
        raise RequestValidationError([_error("object_required", ("body",), "must be an object")])


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    """Nothing, if the names of an object differ: readers do not agree on which value counts.

    Raises RequestValidationError otherwise.
    """
    if len(pairs) > _MAX_NAMES:
        said = f"has an object with more than {_MAX_NAMES} names"
        raise RequestValidationError([_error("too_long", ("body",), said)])
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            said = "is twice in the same object"
            raise RequestValidationError([_error("repeated", ("body", name), said)])
        seen.add(name)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _error(code: str, location: tuple[str, ...], message: str) -> dict[str, Any]:
    return {"type": code, "loc": location, "msg": message}
