"""API keys: made, listed, rotated, revoked. A secret is shown once, when its key is made."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from graph.errors import PermissionMissing, RepositoryNotFound
from graph.model.ids import ApiKeyId, RepositoryId
from graph.model.tenants import Scope
from graph.queries.page import Page
from graph.storage import keys
from graph.storage.audit import Target as AuditTarget
from graph.storage.keys import ApiKey as Row
from graph.storage.keys import Caller
from graph.storage.session import Connection, tenant_session
from service import etags, schemas
from service.deps import Admin, Paged, Shared
from service.etags import NOT_MODIFIED
from service.wire import NUMBER, Moment, Text
from service.writes import CREATED, AdminChange, AdminWrite, Answer, Target

router = APIRouter(prefix="/v1/api-keys", tags=["keys"])

KeyParameter = Annotated[UUID, Path(description="The id of an API key.")]

_DAY = 24 * 60 * 60
_MAX_LIFE = int(keys.MAX_LIFE.total_seconds())
_MAX_OVERLAP = int(keys.MAX_OVERLAP.total_seconds())
_SECRET = frozenset({"secret"})


class Life(schemas.Request):
    """When a key ends."""

    model_config = ConfigDict(
        # What the validator below says, for those who read the document.
        json_schema_extra={"not": {"required": ["expires_at", "expires_in"]}},
    )

    expires_at: Moment | None = Field(
        default=None, description="In the future, at most ten years ahead."
    )
    expires_in: Annotated[int, Field(ge=1, le=_MAX_LIFE), NUMBER] | None = Field(
        default=None, description="In seconds from now, instead of a time."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if {"expires_at", "expires_in"} <= self.model_fields_set:
            raise ValueError("give expires_at or expires_in, not both")
        return self

    @property
    def after(self) -> timedelta | None:
        """How long the key lives, if that was given."""
        return timedelta(seconds=self.expires_in) if self.expires_in is not None else None


class NewApiKey(Life):
    """A key to make. Without a time to end it ends when it is revoked."""

    name: Text = Field(min_length=1, max_length=200, examples=["ci"])
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=len(Scope),
        description="What it may do: `admin` includes `ingest`, which includes `read`.",
        examples=[["ingest"]],
    )
    repositories: list[UUID] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Only these; without it, every repository of the tenant.",
    )


class Rotation(Life):
    """How a key is replaced. Without a time to end, the new key lives as long as the old was to."""

    overlap_seconds: Annotated[int, Field(ge=0, le=_MAX_OVERLAP), NUMBER] = Field(
        default=_DAY,
        description="How long the old key stays valid, unless it ends sooner.",
    )


class ApiKey(schemas.Shape):
    """A key, without its secret."""

    id: UUID
    name: str
    last_characters: str = Field(description="The last four characters of the secret.")
    scopes: list[Scope]
    repositories: list[UUID] | None = Field(description="Null means every one of the tenant.")
    created_by: UUID | None = Field(
        description="The key that made it; null if the operator did.",
    )
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = Field(description="Null means that it does not end.")
    revoked_at: AwareDatetime | None
    last_used_at: AwareDatetime | None = Field(description="To the minute.")
    replaced_by: UUID | None = Field(description="The key that a rotation made in its place.")


class MadeApiKey(ApiKey):
    """A new key with its secret."""

    secret: str | None = Field(
        description=(
            "Shown this once, and not kept: null where a request is repeated with its"
            " Idempotency-Key. Then rotate the key, or make another."
        ),
    )


class ApiKeyPage(schemas.Page[ApiKey]):
    """Keys, oldest first, also those that ended."""


@router.post(
    "",
    status_code=201,
    response_model=MadeApiKey,
    # A repository that it names, since the path names nothing.
    responses={**CREATED, 404: {"$ref": "#/components/responses/NotFound"}},
)
def create_api_key(write: AdminWrite, body: NewApiKey) -> Response:
    """Make a key. A key for certain repositories makes keys for some of these only."""

    def work(connection: Connection) -> Answer:
        made, secret = keys.create(
            connection,
            tenant_id=write.caller.tenant_id,
            name=body.name,
            scopes=body.scopes,
            repositories=_granted(write.caller, body.repositories),
            expires_at=keys.expiry(connection, at=body.expires_at, after=body.after),
            created_by=write.caller.key_id,
        )
        return _made(made, secret, Target("api_key", made.id))

    return write.run(work)


@router.get("")
def list_api_keys(caller: Admin, backend: Shared, paging: Paged) -> ApiKeyPage:
    """The tenant's keys, oldest first; with a key for certain repositories, those within them."""
    after, _ = paging.position()
    last = ApiKeyId(UUID(str(after[0]))) if after else None
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        found = keys.list_page(
            connection, after=last, limit=paging.limit + 1, within=caller.repositories
        )
    page = Page.cut(found, paging.limit, lambda row: (str(row.id),))
    return ApiKeyPage(
        items=[_shape(row) for row in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get("/{api_key_id}", response_model=ApiKey, responses=NOT_MODIFIED)
def get_api_key(
    request: Request, caller: Admin, backend: Shared, api_key_id: KeyParameter
) -> Response:
    """One key."""
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        return etags.answer(request, _read(caller, api_key_id)(connection))


@router.delete("/{api_key_id}", response_model=ApiKey)
def revoke_api_key(write: AdminChange, api_key_id: KeyParameter) -> Response:
    """Revoke a key: within 15 seconds it opens nothing any more. A second time changes nothing."""

    def work(connection: Connection) -> Answer:
        within = write.caller.repositories
        row = keys.get(connection, key_id=ApiKeyId(api_key_id), within=within)
        if row.revoked_at is None:
            keys.keep_an_admin(connection, besides=row.id)
            row = keys.revoke(connection, key_id=row.id)
        return Answer(_shape(row))

    return write.run(work, current=_read(write.caller, api_key_id))


@router.post("/{api_key_id}/rotate", status_code=201, response_model=MadeApiKey, responses=CREATED)
def rotate_api_key(
    write: AdminWrite, api_key_id: KeyParameter, body: Rotation | None = None
) -> Response:
    """Make a key in the place of another, which ends by itself after the overlap."""
    wanted = body or Rotation()

    def work(connection: Connection) -> Answer:
        made, secret = keys.rotate(
            connection,
            key_id=ApiKeyId(api_key_id),
            overlap=timedelta(seconds=wanted.overlap_seconds),
            within=write.caller.repositories,
            expires_at=keys.expiry(connection, at=wanted.expires_at, after=wanted.after),
            created_by=write.caller.key_id,
        )
        return _made(made, secret, Target("api_key", api_key_id))

    return write.run(work)


def _granted(caller: Caller, wanted: list[UUID] | None) -> list[RepositoryId] | None:
    """The repositories of a new key, if the caller may hand them on."""
    if wanted is None:
        if caller.repositories is not None:
            raise PermissionMissing("This key is for certain repositories: name some of them.")
        return None
    reach = [RepositoryId(each) for each in wanted]
    if caller.repositories is not None and not caller.repositories.issuperset(reach):
        raise RepositoryNotFound
    return reach


def _read(caller: Caller, api_key_id: UUID) -> Callable[[Connection], ApiKey]:
    def read(connection: Connection) -> ApiKey:
        wanted = ApiKeyId(api_key_id)
        return _shape(keys.get(connection, key_id=wanted, within=caller.repositories))

    return read


def _made(row: Row, secret: str, target: AuditTarget) -> Answer:
    return Answer(
        MadeApiKey(**dict(_shape(row)), secret=secret),
        201,
        target=target,
        location=f"/v1/api-keys/{row.id}",
        once=_SECRET,
    )


def _shape(row: Row) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        last_characters=row.last_characters,
        scopes=sorted(row.scopes),
        repositories=sorted(row.repositories) if row.repositories is not None else None,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        replaced_by=row.replaced_by,
    )
