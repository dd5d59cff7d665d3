"""`codeloom admin key`: API keys of a tenant."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from graph.model.ids import ApiKeyId, RepositoryId
from service.cli import times
from service.cli.acting import done_to
from service.cli.admin import Json, Tenant, admin, database, tenant_id
from service.cli.screen import CommandFailed, answers, as_json, remarks, table

if TYPE_CHECKING:
    from graph.storage.keys import ApiKey
    from graph.storage.session import Connection

key = typer.Typer(no_args_is_help=True, help="API keys.")
admin.add_typer(key, name="key")

Key = Annotated[str, typer.Argument(metavar="KEY", help="A key's id, or its name if it is unique.")]
Expires = Annotated[
    str | None, typer.Option(help="When it ends: 2027-01-31, or 90d or 12h from now.")
]

# More keys than a person reads; a tenant with more of them uses the API.
_LISTED = 10_000


@key.command("list")
def list_keys(of: Tenant, json: Json = False) -> None:
    """The keys of a tenant, oldest first, also those that ended. Secrets are not known."""
    from graph.storage import keys
    from graph.storage.session import tenant_session

    with (
        database() as settings,
        tenant_session(tenant_id(settings, of), settings=settings) as connection,
    ):
        found = [_told(one) for one in keys.list_page(connection, limit=_LISTED)]
    if json:
        as_json(found)
        return
    columns = ("id", "name", "ends in", "scopes", "repositories", "expires", "revoked", "last used")
    table(columns, [_row(one) for one in found])


@key.command("create")
def create_key(
    of: Tenant,
    scope: Annotated[
        list[str] | None, typer.Option(help="read, ingest or admin; repeatable.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    repository: Annotated[
        list[str] | None,
        typer.Option(help="Only this one, by id, address or name; repeatable."),
    ] = None,
    expires: Expires = None,
    json: Json = False,
) -> None:
    """Make a key and print its secret, which cannot be shown again."""
    from graph.storage import keys
    from graph.storage.audit import Target

    at, after = times.end(expires)
    with database() as settings:
        tenant = tenant_id(settings, of)

        def work(connection: "Connection") -> tuple[Target, tuple["ApiKey", str]]:
            made, secret = keys.create(
                connection,
                tenant_id=tenant,
                scopes=scope or ["read"],
                name=name,
                repositories=[_repository(connection, one) for one in repository or []] or None,
                expires_at=keys.expiry(connection, at=at, after=after),
            )
            return Target("api_key", str(made.id)), (made, secret)

        _show(tenant, *done_to(settings, tenant, "create_api_key", work), json=json)


@key.command("rotate")
def rotate_key(
    of: Tenant,
    which: Key,
    overlap: Annotated[
        str, typer.Option(help="How long the old key stays valid, up to 30d.")
    ] = "24h",
    expires: Expires = None,
    json: Json = False,
) -> None:
    """Make a key in the place of another, which ends by itself, and print its secret."""
    from graph.storage import keys
    from graph.storage.audit import Target

    at, after = times.end(expires)
    kept = times.length(overlap)
    if kept > keys.MAX_OVERLAP:
        raise CommandFailed("The overlap is longer than 30d.")
    with database() as settings:
        tenant = tenant_id(settings, of)

        def work(connection: "Connection") -> tuple[Target, tuple["ApiKey", str]]:
            old = _key(connection, which)
            made = keys.rotate(
                connection,
                key_id=old,
                overlap=kept,
                expires_at=keys.expiry(connection, at=at, after=after),
            )
            return Target("api_key", str(old)), made

        _show(tenant, *done_to(settings, tenant, "rotate_api_key", work), json=json)


@key.command("revoke")
def revoke_key(of: Tenant, which: Key, json: Json = False) -> None:
    """End a key. It stays listed; within 15 seconds it opens nothing any more."""
    from graph.storage import keys
    from graph.storage.audit import Target

    with database() as settings:
        tenant = tenant_id(settings, of)

        def work(connection: "Connection") -> tuple[Target, tuple["ApiKey", bool]]:
            key_id = _key(connection, which)
            # An operator may do it: who has the database can always make another key.
            try:
                keys.keep_an_admin(connection, besides=key_id)
                last = False
            except keys.LastAdminKey:
                last = True
            revoked = keys.revoke(connection, key_id=key_id)
            return Target("api_key", str(key_id)), (revoked, last)

        revoked, last = done_to(settings, tenant, "revoke_api_key", work)
    if json:
        as_json(_told(revoked))
    else:
        answers().print(str(revoked.id))
    if last:
        remarks().print(
            "No key is left that may administer this tenant."
            f" Make one: codeloom admin key create {tenant} --scope admin"
        )


def _key(connection: "Connection", named: str) -> ApiKeyId:
    """The key that an id or a name means; of a name, only what was neither revoked nor replaced."""
    from graph.storage import keys

    try:
        return keys.get(connection, key_id=ApiKeyId(UUID(named))).id
    except ValueError:
        listed = keys.list_page(connection, limit=_LISTED)
    found = [
        one
        for one in listed
        if one.name == named and one.revoked_at is None and one.replaced_by is None
    ]
    if len(found) != 1:
        several = f"{len(found)} keys are" if found else "No key is"
        raise CommandFailed(f"{several} called {named}.", "Use the id: codeloom admin key list")
    return found[0].id


def _repository(connection: "Connection", named: str) -> RepositoryId:
    from graph.storage import repositories

    try:
        return RepositoryId(UUID(named))
    except ValueError:
        by_url = repositories.find_by_url(connection, url=named)
    if by_url is not None:
        return by_url.id
    listed = repositories.list_page(connection, limit=_LISTED)
    found = [one.id for one in listed if one.name == named]
    if len(found) != 1:
        several = f"{len(found)} repositories are" if found else "No repository is"
        raise CommandFailed(f"{several} called {named}.", "Use the id or the address.")
    return found[0]


def _show(tenant: UUID, made: "ApiKey", secret: str, *, json: bool) -> None:
    if json:
        as_json({**_told(made), "tenant_id": tenant, "secret": secret})
        return
    answers().print(secret)
    remarks().print("This is the only time that the secret is shown.", style="dim")


def _told(one: "ApiKey") -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "last_characters": one.last_characters,
        "scopes": sorted(one.scopes),
        "repositories": sorted(one.repositories) if one.repositories is not None else None,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
        "last_used_at": one.last_used_at,
        "replaced_by": one.replaced_by,
    }


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    reach = "all" if one["repositories"] is None else len(one["repositories"])
    moments = (one["expires_at"], one["revoked_at"], one["last_used_at"])
    return (
        one["id"],
        one["name"],
        one["last_characters"],
        " ".join(one["scopes"]),
        reach,
        *(moment.isoformat(" ", "minutes") if moment else None for moment in moments),
    )
