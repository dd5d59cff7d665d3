"""Repositories: registered, listed, changed, removed."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from graph.errors import PermissionMissing, RemoteNotAllowed, RepositoryNotFound
from graph.model.ids import RepositoryId
from graph.queries.page import Page
from graph.storage import repositories
from graph.storage.keys import Caller
from graph.storage.repositories import Repository as Row
from graph.storage.session import Connection, tenant_session
from service import etags, schemas
from service.deps import Backend, Paged, Reader, Shared, may_use
from service.etags import NOT_MODIFIED
from service.reads import RepositoryParameter
from service.wire import Text
from service.writes import CREATED, AdminChange, Answer, IngestChange, IngestWrite, Target, Write
from workers import facade

router = APIRouter(prefix="/v1/repositories", tags=["repositories"])

Name = Annotated[Text, Field(min_length=1, max_length=200, examples=["acme/shop"])]
RefName = Annotated[Text, Field(min_length=1, max_length=1024, examples=["main"])]


class NewRepository(schemas.Request):
    """A repository to register. Nothing is fetched before an ingestion is asked for."""

    url: Text = Field(
        min_length=1,
        max_length=2048,
        description="An https URL, or an absolute path where the installation allows local ones.",
        examples=["https://github.com/pallets/flask"],
    )
    name: Name | None = Field(default=None, description="Made from the URL if it is not given.")
    default_ref: RefName | None = Field(
        default=None,
        description="The ref that answers when none is asked for; else the remote's own HEAD.",
    )


class RepositoryChange(schemas.Request):
    """What to change; what is not given stays."""

    name: Name | None = None
    default_ref: RefName | None = None


class Repository(schemas.Shape):
    """A registered repository."""

    id: UUID
    name: str
    url: str
    default_ref: str | None = Field(description="Null means the remote's own HEAD.")
    created_at: datetime


class RepositoryPage(schemas.Page[Repository]):
    """Repositories, oldest first."""


@router.post("", status_code=201, response_model=Repository, responses=CREATED)
def register_repository(write: IngestWrite, body: NewRepository) -> Response:
    """Register a repository. A second one of the same address is a conflict."""

    def work(connection: Connection) -> Answer:
        if write.caller.repositories is not None:
            raise PermissionMissing("This key is for certain repositories and cannot add others.")
        remote = facade.parse_remote(body.url, settings=write.settings)
        row = repositories.register(
            connection,
            url=remote.url,
            name=body.name or remote.name,
            default_ref=body.default_ref,
        )
        return Answer(
            _shape(row),
            201,
            target=Target("repository", row.id),
            location=f"/v1/repositories/{row.id}",
        )

    return write.run(work)


@router.get("")
def list_repositories(
    caller: Reader,
    backend: Shared,
    paging: Paged,
    url: Annotated[
        Text | None,
        Query(min_length=1, max_length=2048, description="Only the one of this address."),
    ] = None,
) -> RepositoryPage:
    """The tenant's repositories, oldest first."""
    after, _ = paging.position()
    last = RepositoryId(UUID(str(after[0]))) if after else None
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        if url is not None:
            known = repositories.find_by_url(connection, url=_canonical(url, backend))
            found = [known] if known is not None else []
        else:
            found = repositories.list_page(connection, after=last, limit=paging.limit + 1)
    page = Page.cut(found, paging.limit, lambda row: (str(row.id),))
    return RepositoryPage(
        # A key for certain repositories gets pages with gaps rather than other lists.
        items=[_shape(row) for row in page.rows if _seen(caller, row)],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get("/{repository_id}", response_model=Repository, responses=NOT_MODIFIED)
def get_repository(
    request: Request, caller: Reader, backend: Shared, repository_id: RepositoryParameter
) -> Response:
    """One repository."""
    may_use(caller, RepositoryId(repository_id))
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        row = repositories.get(connection, repository_id=RepositoryId(repository_id))
    return etags.answer(request, _shape(row))


@router.patch("/{repository_id}", response_model=Repository)
def change_repository(
    write: IngestChange, repository_id: RepositoryParameter, body: RepositoryChange
) -> Response:
    """Change a repository's name or default ref."""

    def work(connection: Connection) -> Answer:
        may_use(write.caller, RepositoryId(repository_id))
        row = repositories.change(
            connection,
            repository_id=RepositoryId(repository_id),
            name=body.name,
            default_ref=body.default_ref,
        )
        return Answer(_shape(row))

    return write.run(work, current=_current(write, repository_id))


@router.delete("/{repository_id}", status_code=204, response_class=Response)
def delete_repository(write: AdminChange, repository_id: RepositoryParameter) -> Response:
    """Remove a repository with its snapshots; its jobs are cancelled, a last one tidies up."""

    def work(connection: Connection) -> Answer:
        may_use(write.caller, RepositoryId(repository_id))
        facade.remove_repository(
            connection,
            repository_id=RepositoryId(repository_id),
            created_by=write.caller.key_id,
        )
        return Answer(status=204)

    return write.run(work, current=_current(write, repository_id))


def _current(write: Write, repository_id: UUID) -> Callable[[Connection], Repository]:
    def current(connection: Connection) -> Repository:
        may_use(write.caller, RepositoryId(repository_id))
        wanted = RepositoryId(repository_id)
        return _shape(repositories.get(connection, repository_id=wanted, lock=True))

    return current


def _seen(caller: Caller, row: Row) -> bool:
    try:
        may_use(caller, row.id)
    except RepositoryNotFound:
        return False
    return True


def _canonical(url: str, backend: Backend) -> str:
    try:
        return facade.parse_remote(url, settings=backend.settings).url
    except RemoteNotAllowed:
        # A filter that nothing passes: nothing can be registered under this address.
        return url


def _shape(row: Row) -> Repository:
    return Repository(
        id=row.id,
        name=row.name,
        url=row.url,
        default_ref=row.default_ref,
        created_at=row.created_at,
    )
