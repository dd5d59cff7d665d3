"""What an operator does to keys at the command line, on a database of a test."""

import json
import re
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from graph.model.ids import TenantId
from graph.storage import audit, credentials, keyring, keys, operator_events
from graph.storage.engine import dispose
from graph.storage.session import system_session, tenant_session
from tests import seeding
from tests.service.cli.shell import Shell
from tests.service.conftest import Member, make_tenant

if TYPE_CHECKING:
    from graph.settings import Settings


class Office:
    """`codeloom admin` on the test's database."""

    def __init__(self, settings: "Settings", folder: Path) -> None:
        self.settings = settings
        self._shell = Shell(settings.codeloom_home, folder)

    def run(self, *arguments: str, code: int = 0, **environment: str) -> tuple[str, str]:
        address = {"DATABASE_URL": str(self.settings.database_url)}
        return self._shell.run("admin", *arguments, code=code, **address, **environment)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json")[0])

    def opens(self, secret: str) -> keys.Caller | None:
        return keys.authenticate(self.settings, secret.strip())


@pytest.fixture
def office(settings: "Settings", tmp_path: Path) -> Office:
    return Office(settings, tmp_path)


def test_a_key_is_made_limited_and_listed(office: Office, acme: Member) -> None:
    tenant = str(acme.tenant_id)
    shop, other = (seeding.register(office.settings, acme.tenant_id, name) for name in "ab")
    out, err = office.run(
        *("key", "create", tenant, "--scope", "ingest", "--name", "ci", "--expires", "90d"),
        *("--repository", "a", "--repository", str(other.id), "--repository", shop.url),
    )
    assert re.fullmatch(r"cl_live_[0-9A-Za-z]{42}\n", out)
    assert "only time" in err
    caller = office.opens(out)
    assert caller is not None
    assert caller.repositories == {shop.id, other.id}
    (told,) = [one for one in office.json("key", "list", tenant) if one["name"] == "ci"]
    life = datetime.fromisoformat(told["expires_at"]) - datetime.fromisoformat(told["created_at"])
    assert life == timedelta(days=90)
    shown, _ = office.run("key", "list", tenant)
    assert re.search(rf"^{told['id']} +ci +{out[-5:-1]} +ingest +2 +20", shown, re.MULTILINE)
    assert out[:20] not in shown


def test_a_key_is_rotated_and_revoked_by_name(office: Office, acme: Member) -> None:
    tenant = str(acme.tenant_id)
    first = office.json("key", "create", tenant, "--name", "ci")
    second = office.json("key", "rotate", tenant, "ci", "--overlap", "1h", "--expires", "7d")
    listed = {one["id"]: one for one in office.json("key", "list", tenant)}
    assert listed[first["id"]]["replaced_by"] == second["id"]
    assert office.opens(first["secret"]) is not None
    # By its name the one that is in use is meant.
    third = office.json("key", "rotate", tenant, "ci", "--overlap", "0s")
    assert office.opens(second["secret"]) is None
    out, _ = office.run("key", "revoke", tenant, "ci")
    assert out == f"{third['id']}\n"
    assert office.opens(third["secret"]) is None
    _, err = office.run("key", "revoke", tenant, "ci", code=1)
    assert "No key is called ci." in err
    office.run("key", "revoke", tenant, first["id"])
    assert office.opens(first["secret"]) is None


def test_an_operator_may_revoke_the_last_key_and_is_told(office: Office, acme: Member) -> None:
    _, err = office.run("key", "revoke", str(acme.tenant_id), "admin")
    assert f"codeloom admin key create {acme.tenant_id} --scope admin" in err
    assert office.opens(acme.admin) is None
    _, err = office.run("key", "revoke", str(acme.tenant_id), "read")
    assert err == ""


def test_what_is_done_to_a_tenant_is_told_to_it_and_to_operators(
    office: Office, acme: Member
) -> None:
    made = office.json("key", "create", str(acme.tenant_id))
    with tenant_session(acme.tenant_id, settings=office.settings) as connection:
        (event,) = audit.list_page(connection, audit.Filter(), limit=9)
    target = audit.Target("api_key", made["id"])
    assert (event.action, event.target) == ("create_api_key", target)
    assert event.actor == audit.Actor("operator", None)
    with system_session("administration", settings=office.settings) as connection:
        wanted = operator_events.Filter(tenant_id=acme.tenant_id)
        (told,) = operator_events.list_page(connection, wanted, limit=9)
    assert (told.action, told.target) == ("create_api_key", target)
    assert told.actor.kind == "command_line"
    assert made["secret"][:20] not in f"{event} {told}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "{}", "--scope", "root"], "read, ingest, admin"),
        (["create", "{}", "--expires", "soon"], "soon is not a time"),
        (["create", "{}", "--expires", "2001-01-01"], "in the future"),
        (["create", "{}", "--repository", "none"], "No repository is called none"),
        (["create", "{}", "--repository", "01a1fc90-a8d5-7293-a331-5fbdfeebb2a2"], "no such repo"),
        (["rotate", "{}", "read", "--overlap", "31d"], "longer than 30d"),
        (["rotate", "{}", "read", "--overlap", "1y"], "1y is not a length"),
        (["rotate", "{}", "none"], "No key is called none"),
        (["list", "nobody"], "No tenant is called nobody"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], said: str, office: Office, acme: Member
) -> None:
    _, err = office.run("key", *(one.format(acme.tenant_id) for one in arguments), code=1)
    assert said in err


def test_a_name_of_several_tenants_is_not_guessed(office: Office) -> None:
    twins = [make_tenant(office.settings, "twins").tenant_id for _ in range(2)]
    _, err = office.run("key", "list", "twins", code=1)
    assert "Several tenants are called twins." in err
    assert len(office.json("key", "list", str(twins[0]))) == 3


# --- the keys that seal ------------------------------------------------------------------------


@pytest.fixture
def alone(fresh_database_url: str, settings: "Settings", tmp_path: Path) -> Iterator[Office]:
    """An office whose database holds no credentials but its own."""
    new = settings.model_copy(update={"database_url": fresh_database_url})
    yield Office(new, tmp_path)
    dispose(new)


def keep(office: Office, tenant: TenantId, count: int) -> list[credentials.Credential]:
    with tenant_session(tenant, settings=office.settings) as connection:
        return [
            credentials.create(
                connection,
                keyring.of(office.settings),
                name="deploy",
                kind="token",
                host="github.com",
                username=None,
                secret=SecretStr(f"sentinel-{number}"),
            )
            for number in range(count)
        ]


def test_a_new_key_takes_the_place_of_the_kept_one(alone: Office) -> None:
    tenants = [make_tenant(alone.settings, name).tenant_id for name in "ab"]
    made = {tenant: keep(alone, tenant, 3) for tenant in tenants}
    entry, _ = alone.run("credentials", "new-key")
    assert re.fullmatch(r"k[0-9a-f]{8}:[A-Za-z0-9+/]{43}=\n", entry)
    kept = alone.settings.codeloom_home / "credential-keys"
    old, new = kept.read_text().partition(":")[0], entry.partition(":")[0]
    kept.write_text(entry + kept.read_text())
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    told = alone.json("credentials", "reseal")
    assert told == {
        "resealed": 6,
        "tenants": 2,
        "unreadable": [],
        "sealed_by_key": {new: 6},
        "current": new,
    }
    out, _ = alone.run("credentials", "reseal")
    assert out == f"0 sealed again, of 0 tenants.\n{new}, the first: 6\n"

    kept.write_text(entry)
    for tenant, ones in made.items():
        with tenant_session(tenant, settings=alone.settings) as connection:
            for number, one in enumerate(ones):
                ring = keyring.of(alone.settings)
                found = credentials.open_secret(connection, one.id, host="github.com", keyring=ring)
                assert found.secret.get_secret_value() == f"sentinel-{number}"
    assert old not in alone.run("credentials", "reseal")[0]


def test_what_cannot_be_opened_is_named_and_fails_the_command(alone: Office) -> None:
    tenant = make_tenant(alone.settings, "a").tenant_id
    (made,) = keep(alone, tenant, 1)
    environment = {"CREDENTIAL_KEYS": keyring.new_entry()}
    out, err = alone.run("credentials", "reseal", code=1, **environment)
    assert "0 sealed again" in out
    assert str(made.id) in err
    assert str(tenant) in err
    _, err = alone.run("credentials", "reseal", code=1, CREDENTIAL_KEYS="k:sentinel")
    assert "Entry 1 of CREDENTIAL_KEYS" in err
    assert "sentinel" not in err
