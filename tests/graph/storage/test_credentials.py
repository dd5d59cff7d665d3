"""Credentials: sealed for their row, opened for their host, sealed again with another key."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from graph.errors import StorageRefused, TenantValidationError
from graph.storage import credentials, keyring, resealing
from graph.storage.credentials import (
    CredentialHostMismatch,
    CredentialNotFound,
    create,
    open_secret,
)
from graph.storage.credentials import credentials as table
from graph.storage.engine import dispose
from graph.storage.keyring import Keyring, LocalKeys, SecretKeyMissing, SecretUnreadable, parsed
from graph.storage.session import system_session, tenant_session
from tests.graph.storage.conftest import new_tenant

SENTINEL = "ghp_sentinel0123456789"
OLD, NEW = keyring.new_entry(), keyring.new_entry()


def ring(*entries):
    return Keyring(LocalKeys(parsed(",".join(entries))))


OLD_RING, BOTH, NEW_RING = ring(OLD), ring(NEW, OLD), ring(NEW)


def make(conn, keys=OLD_RING, **values):
    given = {"name": "ci", "kind": "token", "host": "github.com", "username": None}
    return create(conn, keys, **{**given, "secret": SecretStr(SENTINEL), **values})


def opened(conn, made, keys=OLD_RING, host="github.com"):
    return open_secret(conn, made.id, host=host, keyring=keys).secret.get_secret_value()


@pytest.fixture
def made(session):
    with session() as conn:
        return make(conn)


# --- kept and opened ---------------------------------------------------------------------------


def test_a_secret_is_opened_for_its_host_by_a_worker(session, made):
    with session(role="worker") as conn:
        found = open_secret(conn, made.id, host="GitHub.com:443", keyring=OLD_RING)
    assert (found.kind, found.host, found.username) == ("token", "github.com", None)
    assert found.secret.get_secret_value() == SENTINEL
    assert SENTINEL not in f"{found!r} {found} {made!r}"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "github.com.evil.example",
        "www.github.com",
        "github.com:8443",
        "github.com@evil.example",
        "githüb.com",
        "",
        "https://github.com",
    ],
)
def test_another_host_is_refused_before_anything_is_opened(session, made, host):
    class Untouched:
        current = "none"

    with session() as conn:
        with pytest.raises(CredentialHostMismatch) as refused:
            open_secret(conn, made.id, host=host, keyring=Keyring(Untouched()))
        assert credentials.get(conn, credential_id=made.id).last_used_at is None
    assert refused.value.code == "credential_host_mismatch"


def test_the_port_belongs_to_the_host(session):
    with session() as conn:
        other = make(conn, host="git.example:8443")
        assert opened(conn, other, host="git.example:8443") == SENTINEL
        with pytest.raises(CredentialHostMismatch):
            opened(conn, other, host="git.example")


def test_the_last_use_is_noted_once_a_minute(session, made):
    def used():
        with session() as conn:
            opened(conn, made)
        with session() as conn:
            return credentials.get(conn, credential_id=made.id).last_used_at

    first = used()
    assert used() == first is not None
    with session() as conn:
        conn.execute(update(table).values(last_used_at=first - timedelta(seconds=61)))
    assert used() > first


def test_noting_the_use_waits_for_nobody(session, made):
    with session() as conn, session(role="worker") as other:
        conn.execute(update(table).values(name="held"))
        assert opened(other, made) == SENTINEL


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": "\0"},
        {"host": "https://github.com"},
        {"host": "127.1"},
        {"username": ""},
        {"username": "a:b"},
        {"username": "a\nb"},
        {"username": "x" * 257},
        {"kind": "basic"},
        {"secret": SecretStr("")},
        {"secret": SecretStr(f"{SENTINEL}\nhost=evil.example")},
        {"secret": SecretStr(SENTINEL * 100)},
        {"secret": SecretStr(f"{SENTINEL}\ud800")},
    ],
)
def test_what_fits_no_credential_is_refused_without_being_repeated(session, wrong):
    with session() as conn, pytest.raises(TenantValidationError) as refused:
        make(conn, **wrong)
    assert SENTINEL not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_change_is_seen_and_leaves_the_rest(session, made):
    with session() as conn:
        keys = {"conn": conn, "keyring": OLD_RING, "credential_id": made.id}
        same = credentials.change(**keys)
        named = credentials.change(**keys, name="other")
        assert opened(conn, made) == SENTINEL
        rotated = credentials.change(**keys, secret=SecretStr("newer"))
        assert opened(conn, made) == "newer"
    assert same == made
    assert (named.name, rotated.name) == ("other", "other")
    assert made.updated_at < named.updated_at < rotated.updated_at
    for wrong in ({"name": ""}, {"secret": SecretStr("")}):
        with session() as conn, pytest.raises(TenantValidationError):
            credentials.change(conn, OLD_RING, credential_id=made.id, **wrong)


def test_what_is_removed_is_gone(session, made):
    with session() as conn:
        credentials.remove(conn, credential_id=made.id)
    with session() as conn:
        assert conn.execute(select(func.count()).select_from(table)).scalar_one() == 0
        for asked in (credentials.get, credentials.remove):
            with pytest.raises(CredentialNotFound):
                asked(conn, credential_id=made.id)
        with pytest.raises(CredentialNotFound):
            opened(conn, made)


def test_credentials_are_listed_page_by_page(session):
    with session() as conn:
        ids = [make(conn).id for _ in range(3)]
        first = credentials.list_page(conn, limit=2)
        rest = credentials.list_page(conn, after=first[-1].id, limit=2)
    assert [one.id for one in first + rest] == ids


# --- nobody else's -----------------------------------------------------------------------------


def test_another_tenant_has_no_such_credential(session, stranger, made):
    with session(stranger) as conn:
        assert credentials.list_page(conn, limit=9) == []
        for asked in (
            lambda: credentials.get(conn, credential_id=made.id),
            lambda: credentials.remove(conn, credential_id=made.id),
            lambda: credentials.change(conn, OLD_RING, credential_id=made.id, name="x"),
            lambda: opened(conn, made),
        ):
            with pytest.raises(CredentialNotFound):
                asked()


def test_what_is_sealed_opens_in_no_other_row(session, stranger, made):
    """As somebody could try who writes to the database and has no key."""
    with session() as conn:
        sealed = conn.execute(select(table.c.sealed)).scalar_one()
        neighbour = make(conn)
    with session(stranger) as conn:
        foreign = make(conn)
        conn.execute(update(table).values(sealed=sealed))
        with pytest.raises(SecretUnreadable):
            opened(conn, foreign)
    with session() as conn:
        here = table.c.credential_id == neighbour.id
        conn.execute(update(table).where(here).values(sealed=sealed))
        with pytest.raises(SecretUnreadable):
            opened(conn, neighbour)
        assert opened(conn, made) == SENTINEL


def test_a_row_that_is_copied_whole_to_another_tenant_does_not_open(session, stranger, made):
    copy = text("""
      insert into credentials (tenant_id, credential_id, name, kind, host, sealed, sealed_with)
      values (:tenant, :id, 'copied', 'token', 'evil.example', :sealed, 'x')
    """)
    with session() as conn:
        sealed = conn.execute(select(table.c.sealed)).scalar_one()
    with session(stranger) as conn:
        conn.execute(copy, {"tenant": stranger, "id": made.id, "sealed": sealed})
        with pytest.raises(SecretUnreadable):
            opened(conn, made, host="evil.example")


def test_operators_see_which_key_sealed_what_and_nothing_sealed(settings, session):
    keys = ring(keyring.new_entry())
    with session() as conn:
        make(conn, keys)
    assert resealing.sealed_by_key(settings)[keys.current] == 1
    for column in ("sealed", "host", "username", "name"):
        with (
            pytest.raises(StorageRefused),
            system_session("administration", settings=settings) as conn,
        ):
            conn.execute(text(f"select {column} from credentials"))


# --- sealed again ------------------------------------------------------------------------------


@pytest.fixture
def alone(fresh_database_url, settings):
    """A database without credentials of other tests: resealing goes through all tenants."""
    new = settings.model_copy(update={"database_url": fresh_database_url})
    yield new
    dispose(new)


@pytest.fixture
def several(alone):
    """Three credentials of one tenant, four of another, none of a third; all sealed by the old."""
    made = {}
    for name, count in (("a", 3), ("b", 4), ("c", 0)):
        tenant = new_tenant(alone, name)
        with tenant_session(tenant, settings=alone) as conn:
            made[tenant] = [make(conn, secret=SecretStr(f"{SENTINEL}{n}")).id for n in range(count)]

    def secrets(keys):
        found = []
        for tenant, ids in made.items():
            with tenant_session(tenant, settings=alone) as conn:
                found += [
                    open_secret(conn, each, host="github.com", keyring=keys).secret for each in ids
                ]
        return [one.get_secret_value().removeprefix(SENTINEL) for one in found]

    return secrets


ALL = list("0120123")


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_everything_is_sealed_with_the_new_key_and_the_old_one_can_go(alone, several, batch):
    with pytest.raises(SecretKeyMissing):
        several(NEW_RING)
    done = list(resealing.reseal(alone, BOTH, batch=batch))
    assert sum(one.done for one in done) == 7
    assert len({one.tenant_id for one in done}) == 2
    assert resealing.sealed_by_key(alone) == {NEW_RING.current: 7}
    assert several(NEW_RING) == ALL
    assert list(resealing.reseal(alone, BOTH)) == []


def test_what_was_interrupted_goes_on_where_it_ended(alone, several):
    begun = resealing.reseal(alone, BOTH, batch=2)
    assert next(begun).done == 2
    begun.close()
    assert resealing.sealed_by_key(alone) == {NEW_RING.current: 2, OLD_RING.current: 5}
    # Half-way, whoever has both keys reads everything.
    assert several(BOTH) == ALL
    assert sum(one.done for one in resealing.reseal(alone, BOTH, batch=2)) == 5
    assert several(NEW_RING) == ALL


def test_a_batch_that_fails_is_left_as_it_was(alone, several):
    class Failing(LocalKeys):
        sealed = 0

        def seal(self, key_id, secret, context):
            Failing.sealed += 1
            if Failing.sealed == 3:
                raise ConnectionError
            return super().seal(key_id, secret, context)

    broken = Keyring(Failing(BOTH.provider.keys))
    with pytest.raises(ConnectionError):
        list(resealing.reseal(alone, broken, batch=2))
    assert resealing.sealed_by_key(alone) == {NEW_RING.current: 2, OLD_RING.current: 5}
    assert several(BOTH) == ALL


def test_what_cannot_be_opened_is_counted_and_left(alone, several):
    first = next(iter(resealing.reseal(alone, BOTH, batch=1)))
    with tenant_session(first.tenant_id, settings=alone) as conn:
        left = select(table.c.credential_id).where(table.c.sealed_with == OLD_RING.current)
        damaged = conn.execute(left.limit(1)).scalar_one()
        values = {"sealed": b"\x01\x03old" + bytes(40)}
        conn.execute(update(table).where(table.c.credential_id == damaged).values(values))
    done = list(resealing.reseal(alone, BOTH, batch=1))
    assert sum(one.done for one in done) == 5
    assert [each for one in done for each in one.unreadable] == [damaged]
    assert resealing.sealed_by_key(alone) == {NEW_RING.current: 6, OLD_RING.current: 1}


def test_two_that_reseal_at_once_do_it_together(alone, several):
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda _: list(resealing.reseal(alone, BOTH, batch=1)), range(2))
        assert sum(one.done for each in done for one in each) == 7
    assert several(NEW_RING) == ALL


def test_an_unknown_credential_is_said_to_be(session):
    with session() as conn, pytest.raises(CredentialNotFound):
        open_secret(conn, uuid4(), host="github.com", keyring=OLD_RING)
