"""What nobody can ask for goes; what anybody can, and what is being made, stays."""

import pytest
from sqlalchemy import text

from graph.storage import artifact_rows, purging, repositories, snapshots
from graph.storage.artifacts import Artifact
from graph.storage.purging import Removed, Retention
from tests import seeding

ROWS = ("documents", "nodes", "edges")


@pytest.fixture
def shop(settings, tenant):
    return seeding.shop(settings, tenant)


@pytest.fixture
def number(shop):
    return shop.repository.number


def counts(session, who=None, **extra):
    with session(*([who] if who else []), role="worker") as conn:
        return {
            table: conn.execute(text(f"select count(*) from {table}")).scalar_one()
            for table in (*ROWS, "snapshots", "refs", "artifacts")
        }


def age(session, tenant, days=60):
    with session(role="owner") as conn:
        by = {"days": days}
        conn.execute(
            text("update snapshots set published_at = published_at - make_interval(days => :days)"),
            by,
        )
        conn.execute(
            text("update documents set loaded_at = loaded_at - make_interval(days => :days)"), by
        )


def everything(session, number):
    with session(role="worker") as conn:
        purging.forget_refs(conn, repository=number)
        purging.remove_snapshots(
            conn, repository=number, retention=Retention(0, 0, all=True), batch=100
        )
        return purging.remove_unheld(conn, repository=number, everything=True, batch=1000)


def test_a_head_stays_however_old(session, tenant, shop, number):
    age(session, tenant)
    before = counts(session)
    with session(role="worker") as conn:
        kept = Retention(keep=0, days=1)
        assert purging.remove_snapshots(conn, repository=number, retention=kept, batch=10) == 0
        unheld = purging.remove_unheld(conn, repository=number, everything=False, batch=10)
        assert unheld == Removed()
    assert counts(session) == before


def test_a_snapshot_that_is_no_head_goes_by_age_and_number(session, tenant, shop, number):
    with session(role="owner") as conn:
        conn.execute(text("delete from refs"))

    def removed(keep, days):
        with session(role="worker") as conn:
            return purging.remove_snapshots(
                conn, repository=number, retention=Retention(keep, days), batch=10
            )

    assert removed(keep=0, days=1) == 0, "it is young"
    age(session, tenant)
    assert removed(keep=1, days=1) == 0, "it is the newest"
    assert removed(keep=0, days=1) == 1
    before = counts(session)
    with session(role="worker") as conn:
        gone = purging.remove_unheld(conn, repository=number, everything=False, batch=1000)
    assert gone == Removed(before["documents"], before["nodes"], before["edges"])
    assert {table: counts(session)[table] for table in ROWS} == dict.fromkeys(ROWS, 0)


def test_what_is_being_made_is_left_alone(session, tenant, shop, number):
    with session(role="owner") as conn:
        conn.execute(text("delete from refs"))
        conn.execute(text("delete from snapshots"))
    with session(role="worker") as conn:
        assert (
            purging.remove_unheld(conn, repository=number, everything=False, batch=10) == Removed()
        )


def test_documents_that_another_snapshot_holds_stay(session, settings, tenant, shop, number):
    with session(role="owner") as conn:
        # As of a later commit without one of the files.
        conn.execute(
            text(
                "insert into snapshots select tenant_id, repository, snapshot + 1,"
                " gen_random_uuid(), repeat('2', 40), tree_sha, pipeline, ref, job_id,"
                " documents - int4multirange(int4range(1, 2)), document_count - 1, node_count,"
                " edge_count, facts_packs, report, published_at, resolution from snapshots"
            )
        )
        conn.execute(text("update refs set head = head + 1"))
    age(session, tenant)
    documents = counts(session)["documents"]
    with session(role="worker") as conn:
        kept = Retention(keep=1, days=1)
        assert purging.remove_snapshots(conn, repository=number, retention=kept, batch=9) == 1
        gone = purging.remove_unheld(conn, repository=number, everything=False, batch=1000)
    assert gone.documents == 1
    assert counts(session)["documents"] == documents - 1
    with session() as conn:
        assert snapshots.head(conn, repository=number, ref="main") is not None


def test_of_a_removed_repository_nothing_is_left_and_the_neighbour_keeps_all(
    session, settings, tenant, stranger, shop, number
):
    other = seeding.shop(settings, tenant, "other")
    twin = seeding.shop(settings, stranger)
    theirs = counts(session, stranger)
    with session() as conn:
        repositories.delete(conn, repository_id=shop.repository.id)
    with session(role="worker") as conn:
        assert purging.to_purge(conn, keep=20) == [shop.repository.id]
    everything(session, number)
    with session(role="worker") as conn:
        artifacts = purging.forget_artifacts(conn, repository=number, everything=True, batch=1000)
        assert purging.to_purge(conn, keep=20) == []
        for table in (*ROWS, "snapshots", "refs"):
            rows = conn.execute(text(f"select distinct repository from {table}")).scalars()
            assert set(rows) == {other.repository.number}
    assert counts(session, stranger) == theirs
    assert twin.repository.number == number
    assert artifacts == []


def test_pieces_are_bounded_and_end(session, tenant, shop, number):
    with session(role="owner") as conn:
        conn.execute(text("delete from refs"))
        conn.execute(text("delete from snapshots"))
    total = counts(session)["documents"]
    pieces = []
    while True:
        with session(role="worker") as conn:
            piece = purging.remove_unheld(conn, repository=number, everything=True, batch=2)
        pieces.append(piece.documents)
        if piece.documents < 2:
            break
    assert sum(pieces) == total
    assert max(pieces) == 2


def test_what_a_large_ingestion_left_is_purged_when_it_is_old(session, shop, number):
    left = Artifact("shards", b"s" * 32, 7)
    with session(role="worker") as conn:
        artifact_rows.record(conn, artifact=left, repository=number)
    with session(role="worker") as conn:
        assert purging.to_purge(conn, keep=20) == []
        forget = {"repository": number, "everything": False, "batch": 10}
        assert purging.forget_artifacts(conn, **forget) == []
    with session(role="owner") as conn:
        conn.execute(text("update artifacts set created_at = created_at - interval '3 hours'"))
    with session(role="worker") as conn:
        assert purging.to_purge(conn, keep=20) == [shop.repository.id]
        assert left in purging.forget_artifacts(conn, **forget)
        assert purging.to_purge(conn, keep=20) == []
