"""Credentials for private repositories. A secret comes in and is never shown again."""

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, Field, SecretStr

from graph.errors import PermissionMissing
from graph.model.ids import CredentialId
from graph.queries.page import Page
from graph.storage import credentials, keyring
from graph.storage.credentials import Credential as Row
from graph.storage.credentials import CredentialKind, CredentialNotFound
from graph.storage.keys import Caller
from graph.storage.session import Connection, tenant_session
from service import etags, schemas
from service.deps import Admin, Paged, Shared, may_use
from service.etags import NOT_MODIFIED
from service.wire import Text
from service.writes import CREATED, AdminChange, AdminWrite, Answer, Target, Write

router = APIRouter(prefix="/v1/credentials", tags=["credentials"])

CredentialParameter = Annotated[UUID, Path(description="The id of a credential.")]


def _on_one_line(secret: SecretStr) -> SecretStr:
    # A message of its own: those of the library could quote what they refuse.
    if any(unicodedata.category(each) in {"Cc", "Cs"} for each in secret.get_secret_value()):
        raise ValueError("must not contain control characters")
    return secret


Name = Annotated[Text, Field(min_length=1, max_length=200, examples=["deploy token"])]
Username = Annotated[
    str,
    Field(
        min_length=1,
        max_length=credentials.USERNAME_LENGTH,
        pattern=r"^[^:\x00-\x1f\x7f-\x9f]+$",
        examples=["x-access-token"],
    ),
]
Secret = Annotated[
    SecretStr,
    AfterValidator(_on_one_line),
    Field(
        min_length=1,
        max_length=credentials.SECRET_LENGTH,
        json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"},
    ),
]


class _New(schemas.Request):
    name: Name
    host: Text = Field(
        min_length=1,
        max_length=300,
        description=(
            "The only host that the secret may be sent to: a name or an address, with a port if it"
            " is not 443. Cannot be changed."
        ),
        examples=["github.com"],
    )


class NewToken(_New):
    """A token, as hosts of repositories give it out."""

    kind: Literal["token"]
    username: Username | None = Field(
        default=None, description="For a host that asks for a certain one besides a token."
    )
    secret: Secret = Field(description="The token.")


class NewPassword(_New):
    """A user with a password."""

    kind: Literal["basic"]
    username: Username
    secret: Secret = Field(description="The password.")


NewCredential = Annotated[NewToken | NewPassword, Field(discriminator="kind")]


class CredentialChange(schemas.Request):
    """What to change; what is not given stays."""

    name: Name | None = None
    secret: Secret | None = Field(default=None, description="Takes the place of the one before.")


class Credential(schemas.Shape):
    """A credential, without its secret."""

    id: UUID
    name: str
    kind: CredentialKind
    host: str = Field(description="In lower case and ASCII, with the port if it is not 443.")
    username: str | None
    created_by: UUID | None = Field(description="The key that made it.")
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None = Field(description="To the minute.")


class CredentialPage(schemas.Page[Credential]):
    """Credentials, oldest first."""


@router.post("", status_code=201, response_model=Credential, responses=CREATED)
def create_credential(write: AdminWrite, body: NewCredential) -> Response:
    """Keep a credential. Its secret is sealed, and is sent to the one host only."""

    def work(connection: Connection) -> Answer:
        _check_reach(write.caller)
        row = credentials.create(
            connection,
            keyring.of(write.settings),
            name=body.name,
            kind=body.kind,
            host=body.host,
            username=body.username,
            secret=body.secret,
            created_by=write.caller.key_id,
        )
        return Answer(
            _shape(row),
            201,
            target=Target("credential", row.id),
            location=f"/v1/credentials/{row.id}",
        )

    return write.run(work)


@router.get("")
def list_credentials(caller: Admin, backend: Shared, paging: Paged) -> CredentialPage:
    """The tenant's credentials, oldest first."""
    _check_reach(caller)
    after, _ = paging.position()
    last = CredentialId(UUID(str(after[0]))) if after else None
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        found = credentials.list_page(connection, after=last, limit=paging.limit + 1)
    page = Page.cut(found, paging.limit, lambda row: (str(row.id),))
    return CredentialPage(
        items=[_shape(row) for row in page.rows],
        next_cursor=paging.next_cursor(page),
        truncated=False,
    )


@router.get("/{credential_id}", response_model=Credential, responses=NOT_MODIFIED)
def get_credential(
    request: Request, caller: Admin, backend: Shared, credential_id: CredentialParameter
) -> Response:
    """One credential."""
    may_use(caller, None, CredentialNotFound)
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        row = credentials.get(connection, credential_id=CredentialId(credential_id))
    return etags.answer(request, _shape(row))


@router.patch("/{credential_id}", response_model=Credential)
def change_credential(
    write: AdminChange, credential_id: CredentialParameter, body: CredentialChange
) -> Response:
    """Change a credential's name, or put a new secret in the place of the old."""

    def work(connection: Connection) -> Answer:
        may_use(write.caller, None, CredentialNotFound)
        row = credentials.change(
            connection,
            keyring.of(write.settings),
            credential_id=CredentialId(credential_id),
            name=body.name,
            secret=body.secret,
        )
        return Answer(_shape(row))

    return write.run(work, current=_current(write, credential_id))


@router.delete("/{credential_id}", status_code=204, response_class=Response)
def delete_credential(write: AdminChange, credential_id: CredentialParameter) -> Response:
    """Remove a credential and its secret."""

    def work(connection: Connection) -> Answer:
        may_use(write.caller, None, CredentialNotFound)
        credentials.remove(connection, credential_id=CredentialId(credential_id))
        return Answer(status=204)

    return write.run(work, current=_current(write, credential_id))


def _check_reach(caller: Caller) -> None:
    # A credential opens whatever its host has, not one repository of ours.
    if caller.repositories is not None:
        raise PermissionMissing("This key is for certain repositories, credentials are for all.")


def _current(write: Write, credential_id: UUID) -> Callable[[Connection], Credential]:
    def current(connection: Connection) -> Credential:
        may_use(write.caller, None, CredentialNotFound)
        wanted = CredentialId(credential_id)
        return _shape(credentials.get(connection, credential_id=wanted, lock=True))

    return current


def _shape(row: Row) -> Credential:
    return Credential(
        id=row.id,
        name=row.name,
        kind=row.kind,
        host=row.host,
        username=row.username,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_used_at=row.last_used_at,
    )
