"""What is past its time goes, what is not stays, whatever a statement says."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from graph.errors import ArtifactDamaged
from graph.model.ids import new_id
from graph.storage import audit, idempotency, keys, retention
from graph.storage.artifacts import FileStore
from graph.storage.audit import Actor
from graph.storage.session import system_session, tenant_session

SYSTEM = Actor("system", None)


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "store")


@pytest.fixture
def owner(settings):
    """Moves rows into the past, as only the owner of the tables can, inside a tenant."""

    def execute(tenant, statement, **values):
        with tenant_session(tenant, role="owner", settings=settings) as conn:
            conn.execute(text(statement), values)

    return execute


def record(settings, tenant, *actions):
    with tenant_session(tenant, settings=settings) as conn:
        for action in actions:
            audit.record(conn, actor=SYSTEM, action=action)


def listed(settings, tenant):
    with tenant_session(tenant, settings=settings) as conn:
        return [event.action for event in audit.list_page(conn, audit.Filter(), limit=100)][::-1]


def archive(settings, tenant, store, days=90, batch=100):
    with tenant_session(tenant, role="maintainer", settings=settings) as conn:
        return retention.archive_audit_events(conn, store, days=days, batch=batch)


def age(owner, tenant, days, action):
    owner(
        tenant,
        "update audit_events set at = now() - make_interval(days => :days) where action = :action",
        days=days,
        action=action,
    )


def archives(settings, tenant):
    with tenant_session(tenant, settings=settings) as conn:
        return conn.execute(retention.audit_archives.select()).all()


def test_old_events_are_in_the_store_and_only_then_out_of_the_table(
    settings, tenant, stranger, store, owner
):
    for who in (tenant, stranger):
        record(settings, who, "old_one", "old_two", "young")
        age(owner, who, 100, "old_one")
        age(owner, who, 91, "old_two")
    assert archive(settings, tenant, store) == 2
    assert listed(settings, tenant) == ["young"]
    assert listed(settings, stranger) == ["old_one", "old_two", "young"]
    (row,) = archives(settings, tenant)
    assert row.events == 2
    kept = retention.archived_events(store, tenant, row.sha256)
    assert [event["action"] for event in kept] == ["old_one", "old_two"]
    assert kept[0]["tenant_id"] == str(tenant)
    assert archive(settings, tenant, store) == 0


def test_batches_are_archives_of_their_own(settings, tenant, store, owner):
    record(settings, tenant, *[f"event_{number}" for number in range(5)])
    owner(tenant, "update audit_events set at = now() - interval '1 year'")
    assert [archive(settings, tenant, store, batch=2) for _ in range(4)] == [2, 2, 1, 0]
    assert sum(row.events for row in archives(settings, tenant)) == 5


def test_what_does_not_read_back_stays_in_the_table(settings, tenant, store, owner, monkeypatch):
    record(settings, tenant, "old")
    age(owner, tenant, 100, "old")
    read = store.get

    def flipped(key):
        return [bytes([byte ^ 1 for byte in piece]) for piece in read(key)]

    with monkeypatch.context() as patch:
        patch.setattr(store, "get", flipped)
        with pytest.raises(ArtifactDamaged):
            archive(settings, tenant, store)
    assert listed(settings, tenant) == ["old"]
    assert archives(settings, tenant) == []
    assert archive(settings, tenant, store) == 1


def test_no_event_younger_than_the_least_retention_can_be_removed(settings, tenant, store, owner):
    record(settings, tenant, "young")
    age(owner, tenant, 29, "young")
    with tenant_session(tenant, role="maintainer", settings=settings) as conn:
        assert conn.execute(text("delete from audit_events")).rowcount == 0
    assert listed(settings, tenant) == ["young"]


def test_expired_records_go_and_others_stay(settings, tenant, stranger, owner):
    for who in (tenant, stranger):
        with tenant_session(who, settings=settings) as conn:
            for key in ("expired", "kept"):
                idempotency.begin(conn, key=key, fingerprint=bytes(32))
        owner(
            who,
            "update idempotency_records set expires_at = now() - interval '1 second'"
            " where idempotency_key = 'expired'",
        )
    with system_session("maintenance", settings=settings) as conn:
        assert retention.remove_expired_records(conn, batch=1) == 1
        assert retention.remove_expired_records(conn, batch=10_000) >= 1
        assert conn.execute(text("delete from idempotency_records")).rowcount == 0
    for who in (tenant, stranger):
        with tenant_session(who, settings=settings) as conn:
            left = conn.execute(text("select idempotency_key from idempotency_records")).scalars()
            assert list(left) == ["kept"]


def test_keys_go_when_they_have_been_useless_for_long(settings, tenant, owner):
    past = datetime.now(UTC) - timedelta(days=1)
    with tenant_session(tenant, settings=settings) as conn:
        made = {
            name: keys.create(
                conn, tenant_id=tenant, scopes=["read"], name=name, expires_at=expires_at
            )[0]
            for name, expires_at in (
                ("valid", None),
                ("long expired", past),
                ("long revoked", None),
                ("just expired", past),
            )
        }
    owner(
        tenant,
        "update api_keys set expires_at = now() - interval '91 days' where name = 'long expired'",
    )
    owner(
        tenant,
        "update api_keys set revoked_at = now() - interval '91 days' where name = 'long revoked'",
    )
    with system_session("maintenance", settings=settings) as conn:
        assert retention.remove_old_keys(conn, days=90, batch=1000) >= 2
        conn.execute(text("delete from api_keys"))
    with tenant_session(tenant, settings=settings) as conn:
        left = {key.id for key in keys.list_page(conn, limit=10)}
    assert left == {made["valid"].id, made["just expired"].id}


def test_every_tenant_comes_once(settings, tenant, stranger):
    seen, last = [], None
    while True:
        with system_session("maintenance", settings=settings) as conn:
            page = retention.every_tenant(conn, after=last)
        if not page:
            break
        seen += page
        last = page[-1]
    assert len(set(seen)) == len(seen)
    assert {tenant, stranger} <= set(seen)
    assert new_id() not in seen
