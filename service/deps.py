"""What a route may ask for in its signature: a caller with a scope, a page, the shared parts."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request

from graph.errors import CodeloomError, PermissionMissing, RepositoryNotFound
from graph.model.ids import RepositoryId
from graph.queries.page import Binding, Cursors, Key, Page
from graph.settings import Settings
from graph.storage.keys import Caller
from graph.storage.operator_keys import Operator
from service.auth import Authenticator
from service.pings import Pings
from service.streams import Hub

PAGE_LIMIT = 50
MAX_PAGE_LIMIT = 500
_MAX_CURSOR_CHARACTERS = 8192

Row = TypeVar("Row")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Backend:
    """What all requests of a process share."""

    settings: Settings
    cursors: Cursors
    callers: Authenticator[Caller]
    hub: Hub
    pings: Pings = field(default_factory=Pings)


# `async`, here and below: what is not would be given a thread, only to say what is known.
async def _backend(request: Request) -> Backend:
    found: Backend = request.app.state.backend
    return found


Shared = Annotated[Backend, Depends(_backend)]


async def _identified(request: Request) -> Caller:
    found: Caller = request.scope["state"]["caller"]
    return found


# Whoever asks, whatever they may do.
Identified = Annotated[Caller, Depends(_identified)]


async def _operating(request: Request) -> Operator:
    found: Operator = request.scope["state"]["operator"]
    return found


# Who administers the installation.
Operating = Annotated[Operator, Depends(_operating)]


def _requires(scope: str) -> Callable[..., Awaitable[Caller]]:
    async def caller(request: Request) -> Caller:
        found: Caller = request.scope["state"]["caller"]
        if scope not in found.scopes:
            raise PermissionMissing(f"This needs a key with the scope {scope}.")
        return found

    return caller


# Who may read; routes that write ask `service.writes`.
Reader = Annotated[Caller, Depends(_requires("read"))]
Admin = Annotated[Caller, Depends(_requires("admin"))]


def made(kind: Callable[..., Made]) -> Callable[..., Awaitable[Made]]:
    """A dependency that asks for what the class is made of, and makes it without a thread."""

    async def make(**given: object) -> Made:
        return kind(**given)

    make.__signature__ = inspect.signature(kind)  # type: ignore[attr-defined]
    return make


def may_use(
    caller: Caller,
    repository_id: RepositoryId | None,
    error: type[CodeloomError] = RepositoryNotFound,
) -> None:
    """Nothing, if the caller's key is for this repository.

    Raises `error` otherwise, as if there were no such thing: the key was made for not knowing it.
    """
    if caller.repositories is not None and repository_id not in caller.repositories:
        raise error


class Paging:
    """The page that a request asks for, of the list that its path and filters make."""

    def __init__(
        self,
        request: Request,
        backend: Shared,
        limit: Annotated[
            int,
            Query(ge=1, le=MAX_PAGE_LIMIT, description="Items on the page, at most."),
        ] = PAGE_LIMIT,
        cursor: Annotated[
            str | None,
            Query(
                max_length=_MAX_CURSOR_CHARACTERS,
                description="The next_cursor of the page before, with the same filters.",
            ),
        ] = None,
    ) -> None:
        self.limit = limit
        self._cursor = cursor
        self._cursors = backend.cursors
        self._request = request

    def position(self) -> tuple[Key | None, bytes]:
        """After which key to go on, and in which snapshot.

        Raises CursorInvalid for a cursor that was not made for this list.
        """
        if self._cursor is None:
            return None, b""
        position = self._cursors.open(self._binding(), self._cursor)
        return position.key, position.snapshot

    def next_cursor(self, page: Page[Row], snapshot: bytes = b"") -> str | None:
        """The cursor of the next page, if there is one."""
        if page.next_key is None:
            return None
        return self._cursors.seal(self._binding(), page.next_key, snapshot)

    def _binding(self) -> Binding:
        request = self._request
        caller: Caller | None = request.scope["state"].get("caller")
        filters: dict[str, object] = {
            f"path {name}": value for name, value in request.path_params.items()
        }
        for name in request.query_params:
            # Everything else that was asked for is a filter, also what a route will add later.
            if name not in {"cursor", "limit"}:
                filters[f"query {name}"] = request.query_params.getlist(name)
        # Lists of operators are of no tenant.
        tenant = caller.tenant_id.bytes if caller is not None else b""
        return Binding(tenant, request.scope["route"].path, filters)


Paged = Annotated[Paging, Depends(made(Paging))]
