from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from graph.errors import StorageRefused, TenantSuspended, TenantValidationError
from graph.model.tenants import Scope, included
from graph.storage import keys
from graph.storage.engine import engine
from graph.storage.keys import api_keys
from graph.storage.session import system_session

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def made(session, tenant):
    with session() as conn:
        return keys.create(conn, tenant_id=tenant, scopes=["ingest"], name="ci")


def test_a_key_opens_its_tenant_with_what_its_scope_includes(settings, tenant, made):
    key, secret = made
    caller = keys.authenticate(settings, secret)
    assert caller == keys.Caller(
        tenant_id=tenant,
        key_id=key.id,
        scopes=frozenset({Scope.READ, Scope.INGEST}),
        repositories=None,
    )


def test_the_secret_is_nowhere_in_the_database(session, made):
    key, secret = made
    assert key.last_characters == secret[-4:]
    with session() as conn:
        row = conn.execute(api_keys.select()).one()
    assert secret not in str(row)
    assert secret[:40] not in str(row)


@given(st.integers(0, 49), st.sampled_from(CHARACTERS))
def test_one_wrong_character_is_noticed_without_a_look_up(place, character):
    secret = "cl_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    secret += keys._checksum(secret)
    assert keys.well_formed(secret)
    changed = secret[:place] + character + secret[place + 1 :]
    assert keys.well_formed(changed) == (changed == secret)


def test_new_secrets_are_well_formed_and_differ():
    secrets = {keys.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(keys.well_formed(secret) and len(secret) == 50 for secret in secrets)


@pytest.mark.parametrize(
    "secret", ["", "cl_live_", "x" * 50, "cl_live_" + "0" * 42, "cl_live_" + "\0" * 42, "é" * 50]
)
def test_what_is_no_key_opens_nothing(settings, secret):
    assert keys.authenticate(settings, secret) is None


def test_an_unknown_key_opens_nothing(settings):
    assert keys.authenticate(settings, keys.new_secret()) is None


def test_an_expired_key_opens_nothing(settings, session, tenant):
    past = datetime.now(UTC) - timedelta(seconds=1)
    with session() as conn:
        _, secret = keys.create(conn, tenant_id=tenant, scopes=["read"], expires_at=past)
    assert keys.authenticate(settings, secret) is None


def test_a_revoked_key_opens_nothing_from_then_on(settings, session, made):
    key, secret = made
    with session() as conn:
        first = keys.revoke(conn, key_id=key.id)
    with session() as conn:
        assert keys.revoke(conn, key_id=key.id) == first
    assert keys.authenticate(settings, secret) is None


def test_rotation_leaves_both_valid_for_the_overlap(settings, session, made):
    key, secret = made
    with session() as conn:
        newer, new_secret = keys.rotate(conn, key_id=key.id, overlap=timedelta(hours=1))
    assert (newer.scopes, newer.name) == (key.scopes, key.name)
    assert keys.authenticate(settings, secret) is not None
    assert keys.authenticate(settings, new_secret) is not None
    with session() as conn:
        keys.rotate(conn, key_id=key.id, overlap=timedelta(0))
    assert keys.authenticate(settings, secret) is None
    assert keys.authenticate(settings, new_secret) is not None


def test_the_key_of_a_suspended_tenant_is_refused_with_the_reason(settings, tenant, made):
    with system_session("administration", settings=settings) as conn:
        conn.execute(
            text("update tenants set state = 'suspended' where tenant_id = :id"), {"id": tenant}
        )
    with pytest.raises(TenantSuspended):
        keys.authenticate(settings, made[1])


def test_the_last_use_is_written_once_a_minute(settings, session, made):
    key, secret = made

    def last_used():
        with session() as conn:
            return keys.get(conn, key_id=key.id).last_used_at

    assert last_used() is None
    keys.authenticate(settings, secret)
    first = last_used()
    keys.authenticate(settings, secret)
    assert last_used() == first is not None
    with session() as conn:
        conn.execute(api_keys.update().values(last_used_at=first - timedelta(seconds=61)))
    keys.authenticate(settings, secret)
    assert last_used() > first


def test_a_key_that_is_being_changed_is_not_waited_for(settings, session, made):
    key, secret = made
    with session() as conn:
        conn.execute(api_keys.update().where(api_keys.c.key_id == key.id).values(name="held"))
        assert keys.authenticate(settings, secret) is not None


def test_a_key_may_be_limited_to_repositories(settings, session, tenant, repository):
    with session() as conn:
        _, secret = keys.create(
            conn, tenant_id=tenant, scopes=["read"], repositories=[repository.id]
        )
    caller = keys.authenticate(settings, secret)
    assert caller is not None
    assert caller.repositories == {repository.id}


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", "write"]])
def test_unknown_scopes_are_refused(session, tenant, scopes):
    with session() as conn, pytest.raises(TenantValidationError):
        keys.create(conn, tenant_id=tenant, scopes=scopes)


def test_scopes_include_those_before_them():
    assert included([]) == set()
    assert included(["read"]) == {"read"}
    assert included(["admin"]) == included(["read", "admin"]) == {"read", "ingest", "admin"}


def test_the_authenticator_can_read_no_table(settings, made):
    from graph.storage.failures import translated

    for table in ("api_keys", "tenants", "jobs", "nodes"):
        with (
            pytest.raises(StorageRefused),
            translated(),
            engine(settings, "authenticator").begin() as conn,
        ):
            conn.execute(text(f"select 1 from {table}"))


def test_keys_are_listed_page_by_page_without_secrets(session, tenant):
    with session() as conn:
        ids = [keys.create(conn, tenant_id=tenant, scopes=["read"])[0].id for _ in range(3)]
        first = keys.list_page(conn, limit=2)
        rest = keys.list_page(conn, after=first[-1].id, limit=2)
    assert [key.id for key in first + rest] == ids
