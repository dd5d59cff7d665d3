from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from graph.errors import (
    ApiKeyNotFound,
    RepositoryNotFound,
    StorageError,
    StorageRefused,
    TenantSuspended,
    TenantValidationError,
)
from graph.model.tenants import Scope, included
from graph.storage import keys, repositories
from graph.storage.engine import engine
from graph.storage.keys import ApiKeyEnded, LastAdminKey, api_keys
from graph.storage.session import system_session


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
        requests_per_minute=6000,
        key_requests_per_minute=3000,
    )


def test_the_secret_is_nowhere_in_the_database(session, made):
    key, secret = made
    assert key.last_characters == secret[-4:]
    with session() as conn:
        row = conn.execute(api_keys.select()).one()
    assert secret not in str(row)
    assert secret[:40] not in str(row)


@pytest.mark.parametrize(
    "secret", ["", "cl_live_", "x" * 50, "cl_live_" + "0" * 42, "cl_live_" + "\0" * 42, "é" * 50]
)
def test_what_is_no_key_opens_nothing(settings, secret):
    assert keys.authenticate(settings, secret) is None


def test_a_wrong_character_costs_no_look_up(settings, made):
    nowhere = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/none"})
    _, secret = made
    for place in range(len(secret)):
        other = "A" if secret[place] != "A" else "B"
        changed = secret[:place] + other + secret[place + 1 :]
        assert keys.authenticate(nowhere, changed) is None
    with pytest.raises(StorageError):
        keys.authenticate(nowhere, secret)


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
    assert (newer.scopes, newer.name, newer.expires_at) == (key.scopes, key.name, None)
    assert keys.authenticate(settings, secret) is not None
    assert keys.authenticate(settings, new_secret) is not None
    with session() as conn:
        old = keys.get(conn, key_id=key.id)
        assert (old.replaced_by, old.revoked_at) == (newer.id, None)
        assert old.expires_at - newer.created_at == timedelta(hours=1)
        # The hour is over.
        moved = {"expires_at": func.now() - timedelta(seconds=1)}
        conn.execute(api_keys.update().where(api_keys.c.key_id == key.id).values(moved))
    assert keys.authenticate(settings, secret) is None
    assert keys.authenticate(settings, new_secret) is not None


def test_an_overlap_of_nothing_ends_the_old_key_at_once(settings, session, made):
    key, secret = made
    with session() as conn:
        _, newer = keys.rotate(conn, key_id=key.id, overlap=timedelta(0))
    assert keys.authenticate(settings, secret) is None
    assert keys.authenticate(settings, newer) is not None


def test_rotation_neither_prolongs_the_old_key_nor_shortens_the_new_one(session, tenant):
    with session() as conn:
        ends = keys.expiry(conn, at=None, after=timedelta(days=2))
        key, _ = keys.create(conn, tenant_id=tenant, scopes=["read"], expires_at=ends)
    with session() as conn:
        newer, _ = keys.rotate(conn, key_id=key.id, overlap=timedelta(days=9))
        assert keys.get(conn, key_id=key.id).expires_at == key.expires_at
    assert newer.expires_at - newer.created_at == key.expires_at - key.created_at
    with session() as conn:
        ends = keys.expiry(conn, at=None, after=timedelta(days=30))
        newest, _ = keys.rotate(conn, key_id=newer.id, overlap=timedelta(0), expires_at=ends)
    assert newest.expires_at == ends


def test_what_has_ended_is_not_rotated(session, tenant):
    past = datetime.now(UTC) - timedelta(seconds=1)
    with session() as conn:
        expired, _ = keys.create(conn, tenant_id=tenant, scopes=["read"], expires_at=past)
        revoked, _ = keys.create(conn, tenant_id=tenant, scopes=["read"])
        keys.revoke(conn, key_id=revoked.id)
        replaced, _ = keys.create(conn, tenant_id=tenant, scopes=["read"])
        keys.rotate(conn, key_id=replaced.id, overlap=timedelta(hours=1))
        for key in (expired, revoked, replaced):
            with pytest.raises(ApiKeyEnded):
                keys.rotate(conn, key_id=key.id, overlap=timedelta(0))
        assert len(keys.list_page(conn, limit=9)) == 4


def test_a_key_ends_in_the_future_by_the_clock_of_the_database(session):
    with session() as conn:
        now = conn.execute(select(func.now())).scalar_one()
        assert keys.expiry(conn, at=None, after=None) is None
        assert keys.expiry(conn, at=None, after=timedelta(seconds=9)) == now + timedelta(seconds=9)
        soon = now + timedelta(microseconds=1)
        assert keys.expiry(conn, at=soon, after=None) == soon
        far = now + timedelta(days=4000)
        latest = datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))
        for wrong in (now, far, latest, datetime.min.replace(tzinfo=UTC)):
            with pytest.raises(TenantValidationError):
                keys.expiry(conn, at=wrong, after=None)


def test_the_last_key_that_may_do_everything_is_known(session, tenant, repository):
    soon = datetime.now(UTC) + timedelta(minutes=1)
    past = datetime.now(UTC) - timedelta(minutes=1)

    def create(**more):
        return keys.create(conn, **{"tenant_id": tenant, "scopes": ["admin"], **more})[0].id

    with session() as conn:
        last = create()
        # None of these could stand in for it.
        others = [create(scopes=["ingest"]), create(repositories=[repository.id])]
        others += [create(expires_at=past), keys.revoke(conn, key_id=create()).id]
        with pytest.raises(LastAdminKey):
            keys.keep_an_admin(conn, besides=last)
        for other in others:
            keys.keep_an_admin(conn, besides=other)
        create(expires_at=soon)
        keys.keep_an_admin(conn, besides=last)


def test_two_that_revoke_each_other_do_not_both_succeed(session, tenant):
    with session() as conn:
        one, other = (keys.create(conn, tenant_id=tenant, scopes=["admin"])[0].id for _ in range(2))
    both_began = Barrier(2)

    def revoke(key_id):
        with session() as conn:
            conn.execute(select(api_keys.c.key_id))
            both_began.wait(timeout=20)
            keys.keep_an_admin(conn, besides=key_id)
            keys.revoke(conn, key_id=key_id)

    with ThreadPoolExecutor(2) as pool:
        ended = [pool.submit(revoke, key_id) for key_id in (one, other)]
        failures = [task.exception() for task in ended]
    assert [type(failure) for failure in failures if failure] == [LastAdminKey]


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


def test_a_key_is_for_repositories_that_the_tenant_has(session, tenant, stranger, repository):
    def create(who, *ids):
        with session(who) as conn:
            keys.create(conn, tenant_id=who, scopes=["read"], repositories=ids)

    create(tenant, repository.id, repository.id)
    for who, ids in ((stranger, [repository.id]), (tenant, [repository.id, uuid4()])):
        with pytest.raises(RepositoryNotFound):
            create(who, *ids)
    create(tenant)  # for none at all
    with session() as conn:
        repositories.delete(conn, repository_id=repository.id)
    with pytest.raises(RepositoryNotFound):
        create(tenant, repository.id)


def test_within_a_reach_only_keys_of_that_reach_are_there(session, tenant):
    with session() as conn:
        a, b = (
            repositories.register(conn, url=f"https://example.test/{n}", name=n).id for n in "ab"
        )
        made = {
            reach: keys.create(conn, tenant_id=tenant, scopes=["read"], repositories=reach)[0]
            for reach in ((a,), (b,), (a, b), None)
        }

    def seen(*within):
        reach = None if within == (None,) else frozenset(within)
        with session() as conn:
            listed = [key.id for key in keys.list_page(conn, limit=9, within=reach)]
            for key in made.values():
                if key.id in listed:
                    assert keys.get(conn, key_id=key.id, within=reach) == key
                    continue
                for refused in (
                    partial(keys.get),
                    partial(keys.revoke),
                    partial(keys.rotate, overlap=timedelta(0)),
                ):
                    with pytest.raises(ApiKeyNotFound):
                        refused(conn, key_id=key.id, within=reach)
        return [reach for reach, key in made.items() if key.id in listed]

    assert seen(None) == list(made)
    assert seen(a) == [(a,)]
    assert seen(a, b) == [(a,), (b,), (a, b)]
    assert seen(uuid4()) == seen() == []


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
