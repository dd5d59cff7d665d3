"""`codeloom admin operator-key`: keys for `/v1/admin`, which are made here and nowhere else."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from service.cli import times
from service.cli.admin import Json, admin, database
from service.cli.screen import CommandFailed, answers, as_json, remarks, table

if TYPE_CHECKING:
    from graph.storage.operator_keys import OperatorKey
    from graph.storage.session import Connection

operator_key = typer.Typer(no_args_is_help=True, help="Keys of operators, for /v1/admin.")
admin.add_typer(operator_key, name="operator-key")


@operator_key.command("create")
def create_operator_key(
    name: Annotated[str, typer.Option(help="Whose it is, or what it is for.")] = "operator",
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 2027-01-31, or 90d or 12h from now.")
    ] = None,
    json: Json = False,
) -> None:
    """Make an operator's key and print its secret, which cannot be shown again."""
    from datetime import UTC, datetime

    from graph.storage import operator_keys
    from graph.storage.audit import Target
    from service.deeds import COMMAND_LINE, Deed, carried_out

    at, after = times.end(expires)
    ends = datetime.now(UTC) + after if after is not None else at
    deed = Deed(COMMAND_LINE, "create_operator_key", details={"name": name})
    with database() as settings, carried_out(settings, deed) as connection:
        made, secret = operator_keys.create(connection, name=name, expires_at=ends)
        deed.target = Target("operator_key", str(made.id))
    if json:
        as_json({**_told(made), "secret": secret})
        return
    answers().print(secret)
    remarks().print(
        "It opens /v1/admin, /v1/health and /metrics. This is the only time that it is shown.",
        style="dim",
    )


@operator_key.command("list")
def list_operator_keys(json: Json = False) -> None:
    """The keys of operators, oldest first, also those that ended."""
    from graph.storage import operator_keys
    from graph.storage.session import system_session

    with (
        database() as settings,
        system_session("administration", settings=settings) as connection,
    ):
        found = [_told(one) for one in operator_keys.list_all(connection)]
    if json:
        as_json(found)
        return
    columns = ("id", "name", "ends in", "expires", "revoked", "last used")
    moments = ("expires_at", "revoked_at", "last_used_at")
    rows = [
        (
            one["id"],
            one["name"],
            one["last_characters"],
            *(one[each].isoformat(" ", "minutes") if one[each] else None for each in moments),
        )
        for one in found
    ]
    table(columns, rows)


@operator_key.command("revoke")
def revoke_operator_key(
    which: Annotated[
        str, typer.Argument(metavar="KEY", help="A key's id, or its name if it is unique.")
    ],
    json: Json = False,
) -> None:
    """End an operator's key. It stays listed; within 15 seconds it opens nothing any more."""
    from graph.storage import operator_keys
    from graph.storage.audit import Target
    from service.deeds import COMMAND_LINE, Deed, carried_out

    deed = Deed(COMMAND_LINE, "revoke_operator_key", Target("operator_key", which))
    with database() as settings, carried_out(settings, deed) as connection:
        key = _key(connection, which)
        deed.target = Target("operator_key", str(key.id))
        revoked = operator_keys.revoke(connection, key_id=key.id)
    if json:
        as_json(_told(revoked))
    else:
        answers().print(str(revoked.id))


def _key(connection: "Connection", named: str) -> "OperatorKey":
    from graph.storage import operator_keys

    listed = operator_keys.list_all(connection)
    try:
        wanted = UUID(named)
    except ValueError:
        found = [one for one in listed if one.name == named and one.revoked_at is None]
    else:
        found = [one for one in listed if one.id == wanted]
    if len(found) != 1:
        several = f"{len(found)} keys are" if found else "No key is"
        hint = "Use the id: codeloom admin operator-key list"
        raise CommandFailed(f"{several} called {named}.", hint)
    return found[0]


def _told(one: "OperatorKey") -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "last_characters": one.last_characters,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
        "last_used_at": one.last_used_at,
    }
