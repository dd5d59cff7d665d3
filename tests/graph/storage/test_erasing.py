"""Removing what is a tenant's, piece by piece: fenced, in order, counted once."""

import pytest
from sqlalchemy import func, select, text

from graph.errors import LeaseLost, StorageRefused
from graph.model.evidence import Evidence, Removed
from graph.model.ids import ErasureId
from graph.storage import audit, erasing, erasures, retention, tenants
from graph.storage.engine import SCHEMA, dedicated
from graph.storage.rows import nodes
from graph.storage.session import in_tenant, system_session, tenant_session
from graph.storage.tables import GLOBAL_TABLES, metadata
from tests import seeding


@pytest.fixture
def erasure_id(settings, tenant) -> ErasureId:
    with system_session("administration", settings=settings) as conn:
        return erasures.request(conn, tenant_id=tenant).id


def test_every_table_of_tenants_is_erased_and_what_refers_goes_before_what_is_referred_to():
    names = [table.name for table in erasing.TABLES]
    assert {*names, "tenants"} == set(metadata.tables) - set(GLOBAL_TABLES)
    place = {name: number for number, name in enumerate(names)}
    for table in erasing.TABLES:
        for key in table.foreign_keys:
            target = key.column.table.name
            assert target == "tenants" or place[table.name] < place[target]


def test_nothing_can_be_written_for_a_tenant_that_is_gone(settings):
    """From every table of tenants a way of references leads to the tenant's own row."""
    with dedicated(settings, "owner") as connection:
        rows = connection.execute(
            "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint"
            " where contype = 'f' and connamespace = %s::regnamespace",
            [SCHEMA],
        ).fetchall()
    reached = {"tenants"}
    while more := {table for table, target in rows if target in reached} - reached:
        reached |= more
    # Nodes and edges come in one transaction with their documents; a charge does not outlive its.
    unreached = {table.name for table in erasing.TABLES} - reached
    assert unreached == {"nodes", "edges", "charges"}


def test_the_eraser_sees_and_deletes_nothing_outside_of_its_tenant(settings, tenant, stranger):
    for who in (tenant, stranger):
        seeding.shop(settings, who)
    for table in (*erasing.TABLES, tenants.tenants):
        everywhere = select(func.count()).select_from(table)
        with system_session("erasure", settings=settings) as conn:
            assert conn.execute(everywhere).scalar_one() == 0
            assert conn.execute(table.delete()).rowcount == 0
        with tenant_session(tenant, role="eraser", settings=settings) as conn:
            seen = conn.execute(select(table.c.tenant_id)).scalars()
            assert set(seen) <= {tenant}
            foreign = table.delete().where(table.c.tenant_id == stranger)
            assert conn.execute(foreign).rowcount == 0


@pytest.mark.parametrize(
    "statement",
    [
        (
            "insert into audit_events (tenant_id, event_id, actor_kind, action, outcome)"
            " select tenant_id, tenant_id, 'system', 'x', 'succeeded' from tenants"
        ),
        "update tenants set name = 'x'",
        "update jobs set state = 'succeeded'",
        "delete from plans",
        "delete from operator_events",
        "delete from operator_keys",
        "delete from erasures",
        (
            "insert into erasures (erasure_id, tenant_id, tenant_name)"
            " select tenant_id, tenant_id, 'x' from tenants"
        ),
    ],
)
def test_the_eraser_can_do_nothing_but_erase(settings, tenant, statement):
    with (
        pytest.raises(StorageRefused, match="access"),
        tenant_session(tenant, role="eraser", settings=settings) as conn,
    ):
        conn.execute(text(statement))


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_rows_go_in_pieces_in_the_order_of_their_key(settings, tenant, limit):
    with tenant_session(tenant, settings=settings) as conn:
        for _ in range(5):
            audit.record(conn, actor=audit.Actor("system", None), action="try")
    table = audit.audit_events
    deleted, last, pieces = 0, None, 0
    while pieces == 0 or last is not None:
        with tenant_session(tenant, role="eraser", settings=settings) as conn:
            batch = erasing.delete_batch(conn, table, after=last, limit=limit)
            left = conn.execute(select(table.c.event_id)).scalars().all()
        assert batch.rows <= limit
        deleted, last, pieces = deleted + batch.rows, batch.last, pieces + 1
        assert last is None or all(each > last[0] for each in left)
    assert deleted == 5
    assert pieces == 5 // limit + 1


def test_rows_without_a_key_of_their_own_go_by_their_document(settings, tenant):
    shop = seeding.shop(settings, tenant)
    with tenant_session(tenant, settings=settings) as conn:
        there = conn.execute(select(func.count()).select_from(nodes)).scalar_one()
    rows, last = 0, None
    with tenant_session(tenant, role="eraser", settings=settings) as conn:
        while rows == 0 or last is not None:
            batch = erasing.delete_batch(conn, nodes, after=last, limit=1)
            rows, last = rows + batch.rows, batch.last
    assert rows == there > len(shop.pages)


def test_whoever_read_an_older_revision_changes_nothing_any_more(settings, tenant, erasure_id):
    with system_session("erasure", settings=settings) as conn:
        one = erasing.take_up(conn, erasure_id=erasure_id)
        other = erasing.take_up(conn, erasure_id=erasure_id)
    assert one is not None
    assert other is not None
    with system_session("erasure", settings=settings) as conn:
        erasing.write_down(conn, one, state="erasing", evidence=one.evidence.and_rows("jobs", 2))
    with pytest.raises(LeaseLost), tenant_session(tenant, role="eraser", settings=settings) as conn:
        erasing.write_down(conn, other, evidence=other.evidence.and_rows("jobs", 5))
    with system_session("administration", settings=settings) as conn:
        known = erasures.get(conn, erasure_id=erasure_id)
    assert (known.state, known.evidence.rows) == ("erasing", {"jobs": 2})


def test_a_tenant_that_has_something_is_not_finished(settings, tenant, erasure_id):
    with system_session("erasure", settings=settings) as conn:
        work = erasing.take_up(conn, erasure_id=erasure_id)
    assert work is not None
    with tenant_session(tenant, settings=settings) as conn:
        audit.record(conn, actor=audit.Actor("system", None), action="try")
    assert erasing.finish(settings, work) is None
    with tenant_session(tenant, role="eraser", settings=settings) as conn:
        conn.execute(audit.audit_events.delete())
    assert erasing.finish(settings, work) is not None


def test_what_nobody_is_at_is_told_of_once_in_a_while(settings, tenant, erasure_id):
    def due(seconds):
        with system_session("dispatch", settings=settings) as conn:
            return erasure_id in erasures.due(conn, silent_seconds=seconds)

    assert due(60)
    assert not due(60)
    assert due(0)
    with system_session("erasure", settings=settings) as conn:
        work = erasing.take_up(conn, erasure_id=erasure_id)
        assert work is not None
        erasing.write_down(conn, work)
    assert not due(60)
    for statement in ("delete from erasures", "update erasures set state = 'finished'"):
        with (
            pytest.raises(StorageRefused, match="access"),
            system_session("dispatch", settings=settings) as conn,
        ):
            conn.execute(text(statement))


def test_nothing_is_put_away_of_a_tenant_that_is_being_erased(settings, tenant, stranger):
    def visited():
        with system_session("maintenance", settings=settings) as conn:
            found, page = set(), retention.every_tenant(conn)
            while page:
                found |= set(page)
                page = retention.every_tenant(conn, after=page[-1])
            return found

    assert {tenant, stranger} <= visited()
    with system_session("administration", settings=settings) as conn:
        erasures.request(conn, tenant_id=tenant)
    assert {tenant, stranger} & visited() == {stranger}


def test_an_operator_enters_one_tenant_within_its_transaction(settings, tenant, stranger):
    with system_session("administration", settings=settings) as conn:
        audit.record(in_tenant(conn, tenant), actor=audit.Actor("operator", None), action="try")
    foreign = text(
        "insert into audit_events (tenant_id, event_id, actor_kind, action, outcome)"
        " values (:other, :other, 'operator', 'x', 'succeeded')"
    )
    with (
        pytest.raises(StorageRefused, match="access"),
        system_session("administration", settings=settings) as conn,
    ):
        in_tenant(conn, tenant).execute(foreign, {"other": stranger})
    # The next transaction of the same connection is in no tenant.
    one = settings.model_copy(update={"database_pool_size": 1})
    with system_session("administration", settings=one) as conn:
        in_tenant(conn, tenant)
    with system_session("administration", settings=one) as conn:
        setting = text("select coalesce(current_setting('app.tenant_id', true), '')")
        assert conn.execute(setting).scalar_one() == ""


def test_evidence_is_what_was_stored_of_it():
    evidence = (
        Evidence()
        .and_rows("jobs", 2)
        .and_rows("nodes", 0)
        .and_rows("jobs", 3)
        .and_objects([("facts", 10), ("audit", 1), ("facts", 5)])
        .and_redis_keys(4)
    )
    assert evidence.rows == {"jobs": 5}
    assert evidence.objects == {"facts": Removed(2, 15), "audit": Removed(1, 1)}
    assert Evidence.read(evidence.stored()) == evidence
    assert Evidence.read({}) == Evidence()
