"""`codeloom admin credentials`: the keys that seal the secrets of tenants."""

import typer

from service.cli.admin import Json, admin, database
from service.cli.screen import CommandFailed, answers, as_json, remarks

credentials = typer.Typer(no_args_is_help=True, help="The keys that seal credentials.")
admin.add_typer(credentials, name="credentials")


@credentials.command("new-key")
def new_key() -> None:
    """Print an entry for CREDENTIAL_KEYS. Nothing is changed."""
    from graph.storage import keyring

    answers().print(keyring.new_entry(), soft_wrap=True)


@credentials.command("reseal")
def reseal(json: Json = False) -> None:
    """Seal again, with the first key, what other keys have sealed.

    It may be ended at any time and goes on when it is run again.
    """
    from graph.storage import keyring, resealing

    with database() as settings:
        ring = keyring.of(settings)
        done = list(resealing.reseal(settings, ring))
        in_use = resealing.sealed_by_key(settings)
    resealed = sum(one.done for one in done)
    unreadable = [
        {"tenant_id": one.tenant_id, "credential_id": each}
        for one in done
        for each in one.unreadable
    ]
    tenants = len({one.tenant_id for one in done})
    if json:
        as_json(
            {
                "resealed": resealed,
                "tenants": tenants,
                "unreadable": unreadable,
                "sealed_by_key": in_use,
                "current": ring.current,
            }
        )
    else:
        answers().print(f"{resealed} sealed again, of {tenants} tenants.")
        for key_id, count in sorted(in_use.items()):
            first = ", the first" if key_id == ring.current else ""
            answers().print(f"{key_id}{first}: {count}")
        remarks().print("Keys that are not listed can be removed.", style="dim")
    if unreadable:
        raise CommandFailed(
            f"{len(unreadable)} could not be opened and stay as they are, among them"
            f" {unreadable[0]['credential_id']} of tenant {unreadable[0]['tenant_id']}.",
            "Add the key that sealed them, or remove them and let the tenant enter them again.",
        )
