"""Publishing: all of a snapshot or nothing, by its holder only, and heads that move forward."""

from dataclasses import replace

import pytest
from sqlalchemy import select, text

from graph.errors import LeaseLost, SnapshotIncomplete
from graph.model.jobs import ENDED, PURGE, JobState
from graph.storage import documents, jobs, load, publish, refs, snapshots
from graph.storage.jobs.table import jobs as jobs_table
from graph.storage.publish import NewSnapshot
from graph.storage.rows import edges, nodes
from graph.storage.session import system_session
from tests.graph.storage.samples import document
from tests.seeding import PLENTY

FIRST, SECOND = "1" * 40, "2" * 40


class Press:
    """Runs jobs up to where they publish."""

    def __init__(self, settings, session, tenant, repository):
        self.settings, self.session, self.tenant = settings, session, tenant
        self.repository = repository

    def start(self, **asked):
        with self.session() as conn:
            job = jobs.request(conn, repository=self.repository, **asked)
        with system_session("dispatch", settings=self.settings) as conn:
            (chosen,) = jobs.pick(conn, slots=1000)
        assert chosen.job_id == job.id
        with self.session(role="worker") as conn:
            held = {"job_id": job.id, "epoch": chosen.epoch}
            claimed = jobs.claim(conn, **held, owner="worker", lease_seconds=60, wanted=PLENTY)
        assert claimed is not None
        return held

    def load(self, *rows):
        number = self.repository.number
        with load.open_load(self.tenant, repository=number, settings=self.settings) as loader:
            for each in rows or (document(),):
                loader.add(each)
            return loader.finish()

    def new(self, loaded, commit=FIRST, heads=("main",)):
        return NewSnapshot(
            repository=self.repository.number,
            commit=commit,
            tree="f" * 40,
            pipeline="1",
            loaded=loaded,
            ref=heads[0] if heads else None,
            heads=tuple(heads),
            facts_packs=(b"\1" * 32,),
            resolution=b"\2" * 32,
        )

    def publish(self, held, new):
        with self.session(role="worker") as conn:
            return publish.publish(conn, **held, snapshot=new, report={"commit": new.commit})

    def head(self, ref="main"):
        with self.session() as conn:
            found = snapshots.head(conn, repository=self.repository.number, ref=ref)
        return found.commit if found else None

    def job(self, held):
        with self.session() as conn:
            return jobs.get(conn, job_id=held["job_id"])

    def members(self, snapshot):
        with self.session() as conn:
            return {
                each.path.decode(): each.id
                for each in documents.of_snapshot(
                    conn, repository=self.repository.number, snapshot=snapshot.number
                )
            }


@pytest.fixture
def press(settings, session, tenant, repository):
    with system_session("dispatch", settings=settings) as conn:
        conn.execute(
            jobs_table.update()
            .where(jobs_table.c.state.not_in(sorted(ENDED)))
            .values(state="cancelled", finished_at=text("now()"), lease_until=None)
        )
    return Press(settings, session, tenant, repository)


def test_a_published_snapshot_answers_and_its_job_has_succeeded(press, session):
    held = press.start(ref="main")
    loaded = press.load(document("a.py"), document("b.py", nodes=5))
    made = press.publish(held, press.new(loaded))
    assert (made.commit, made.ref, made.number, made.pipeline) == (FIRST, "main", 1, "1")
    assert (made.documents, made.nodes, made.edges) == (2, 8, 4)
    assert (made.facts_packs, made.resolution) == ((b"\1" * 32,), b"\2" * 32)
    assert made.report == {"commit": FIRST}
    job = press.job(held)
    assert (job.state, job.snapshot_id, job.report) == (JobState.SUCCEEDED, made.id, made.report)
    assert (job.stage, job.percent, job.files_done, job.files_total) == ("publish", 100, 2, 2)
    assert (job.nodes, job.edges) == (8, 4)
    with session() as conn:
        place = {"repository": press.repository.number}
        assert snapshots.head(conn, **place, ref="main") == made
        assert snapshots.of_commit(conn, **place, commit=FIRST, pipeline="1") == made
        assert snapshots.of_commit(conn, **place, commit=FIRST, pipeline="2") is None
        assert snapshots.newest(conn, **place) == made
        (ref,) = refs.list_all(conn, **place)
    assert (ref.name, ref.head) == ("main", 1)
    assert press.members(made) == {"a.py": 1, "b.py": 2}


def test_nothing_is_visible_before_the_commit(press):
    held = press.start(ref="main")
    new = press.new(press.load())
    with press.session(role="worker") as conn:
        publish.publish(conn, **held, snapshot=new, report={})
        assert press.head() is None
        assert press.job(held).state is JobState.RUNNING
        conn.rollback()
    assert press.head() is None
    assert press.job(held).state is JobState.RUNNING
    press.publish(held, new)
    assert press.head() == FIRST


def test_a_former_holder_publishes_nothing(press, session):
    held = press.start(ref="main")
    new = press.new(press.load())
    with session() as conn:
        conn.execute(text("update jobs set lease_until = now() - interval '1 second'"))
    with system_session("dispatch", settings=press.settings) as conn:
        jobs.reap(conn)
    with pytest.raises(LeaseLost):
        press.publish(held, new)
    with system_session("dispatch", settings=press.settings) as conn:
        (chosen,) = jobs.pick(conn, slots=1000)
    with pytest.raises(LeaseLost):
        press.publish(held, new)
    assert press.head() is None
    newer = {**held, "epoch": chosen.epoch}
    with session(role="worker") as conn:
        jobs.claim(conn, **newer, owner="other", lease_seconds=60, wanted=PLENTY)
    press.publish(newer, new)
    assert press.head() == FIRST


def test_a_cancelled_job_publishes_nothing(press, session):
    held = press.start(ref="main")
    new = press.new(press.load())
    with session() as conn:
        jobs.cancel(conn, job_id=held["job_id"])
    with pytest.raises(LeaseLost):
        press.publish(held, new)
    assert press.head() is None
    assert press.job(held).state is JobState.CANCELLED


def test_publishing_twice_is_refused(press):
    held = press.start(ref="main")
    new = press.new(press.load())
    press.publish(held, new)
    with pytest.raises(LeaseLost):
        press.publish(held, new)


@pytest.mark.parametrize("lost", ["document", "node", "edge", "told"])
def test_a_snapshot_that_is_not_all_there_is_refused(press, session, lost):
    held = press.start(ref="main")
    loaded = press.load(document("a.py"), document("b.py"))
    with session(role="worker") as conn:
        if lost == "document":
            documents.remove(conn, repository=press.repository.number, documents=[2])
        elif lost == "node":
            conn.execute(nodes.delete().where(nodes.c.document == 2))
        elif lost == "edge":
            conn.execute(edges.delete().where(edges.c.document == 1))
        else:
            loaded = replace(loaded, nodes=loaded.nodes + 1)
    with pytest.raises(SnapshotIncomplete):
        press.publish(held, press.new(loaded))
    assert press.head() is None
    assert press.job(held).state is JobState.RUNNING


def test_the_next_commit_shares_what_did_not_change(press):
    first = press.publish(
        press.start(ref="main"), press.new(press.load(document("a.py"), document("b.py")))
    )
    changed = press.load(document("a.py"), document("b.py", content="2"), document("c.py"))
    second = press.publish(press.start(ref="main"), press.new(changed, SECOND))
    before, after = press.members(first), press.members(second)
    assert before["a.py"] == after["a.py"]
    assert before["b.py"] != after["b.py"]
    assert set(after) == {"a.py", "b.py", "c.py"}
    assert second.number == 2


def test_a_query_sees_the_rows_of_its_snapshot_only(press, session, tenant):
    place = {"tenant_id": tenant, "repository": press.repository.number}
    first = press.publish(
        press.start(ref="main"), press.new(press.load(document("a.py", name="old")))
    )
    second = press.publish(
        press.start(ref="main"),
        press.new(press.load(document("a.py", name="new", content="2")), SECOND),
    )
    for snapshot, name in ((first, "old"), (second, "new")):
        member = nodes.c.document.op("<@")(snapshots.members(**place, snapshot=snapshot.number))
        with session() as conn:
            names = set(conn.execute(select(nodes.c.name).where(member)).scalars())
        assert names == {f"{name}{number}" for number in range(3)}


def test_heads_move_together(press):
    press.publish(press.start(), press.new(press.load(), heads=("main", "HEAD")))
    assert press.head("HEAD") == press.head("main") == FIRST


def test_a_snapshot_of_a_commit_moves_no_head(press):
    made = press.publish(press.start(commit=FIRST), press.new(press.load(), heads=()))
    assert press.head() is None
    assert press.members(made)


def test_a_result_that_was_found_out_earlier_does_not_replace_a_later_one(press, session):
    """Two commits are pushed; the jobs for them run in the other order."""
    with session() as conn:
        older = jobs.request(conn, repository=press.repository, ref="main", commit=FIRST)
        conn.execute(text("update jobs set run_at = now() + interval '1 hour'"))
        conn.execute(text("update jobs set flight = 'elsewhere'"))
    press.publish(press.start(ref="main", commit=SECOND), press.new(press.load(), SECOND))
    with session() as conn:
        conn.execute(text("update jobs set run_at = now(), flight = 'ref:main'"))
    with system_session("dispatch", settings=press.settings) as conn:
        (chosen,) = jobs.pick(conn, slots=1000)
    held = {"job_id": older.id, "epoch": chosen.epoch}
    with session(role="worker") as conn:
        assert jobs.claim(conn, **held, owner="worker", lease_seconds=60, wanted=PLENTY)
    made = press.publish(held, press.new(press.load(), FIRST))
    assert press.head() == SECOND
    assert press.job(held).state is JobState.SUCCEEDED
    assert press.members(made)


def test_a_forced_job_moves_the_head_back(press, session):
    press.publish(press.start(ref="main", commit=SECOND), press.new(press.load(), SECOND))
    held = press.start(ref="main", commit=FIRST, force=True)
    with session() as conn:
        conn.execute(
            jobs_table.update().where(jobs_table.c.job_id == held["job_id"]).values(generation=0)
        )
    press.publish(held, press.new(press.load(), FIRST))
    assert press.head() == FIRST


def test_a_job_that_is_tried_again_looks_anew_and_so_comes_later(press, session):
    """It follows the ref, so what its second try sees is newer than what ran in between."""
    held = press.start(ref="main")
    with session(role="worker") as conn:
        jobs.retry_later(conn, **held, code="x", message="x", delay_seconds=0)
    with system_session("dispatch", settings=press.settings) as conn:
        (chosen,) = jobs.pick(conn, slots=1000)
    with session() as conn:
        first = conn.execute(select(jobs_table.c.generation)).scalar_one()
    with session(role="worker") as conn:
        jobs.claim(
            conn,
            job_id=chosen.job_id,
            epoch=chosen.epoch,
            owner="worker",
            lease_seconds=60,
            wanted=PLENTY,
        )
    with session() as conn:
        assert conn.execute(select(jobs_table.c.generation)).scalar_one() > first


def test_an_unchanged_commit_answers_with_the_snapshot_there_is(press, session):
    made = press.publish(press.start(ref="main"), press.new(press.load()))
    held = press.start(ref="release")
    with session(role="worker") as conn:
        publish.publish_again(
            conn, **held, snapshot=made, heads=("release",), report={"notes": ["unchanged"]}
        )
    assert press.head("release") == FIRST
    job = press.job(held)
    assert (job.state, job.snapshot_id) == (JobState.SUCCEEDED, made.id)
    with session() as conn:
        assert len(conn.execute(select(snapshots.snapshots)).all()) == 1
    with session(role="worker") as conn, pytest.raises(LeaseLost):
        publish.publish_again(conn, **held, snapshot=made, heads=(), report={})


def test_publishing_waits_for_the_disk_whatever_loading_did(press):
    held = press.start(ref="main")
    new = press.new(press.load())
    with press.session(role="worker") as conn:
        conn.execute(text("set local synchronous_commit = off"))
        publish.publish(conn, **held, snapshot=new, report={})
        assert conn.execute(text("show synchronous_commit")).scalar_one() == "on"


@pytest.mark.parametrize(
    ("numbers", "printed"),
    [
        ([], "{}"),
        ([1], "{[1,1]}"),
        ([3, 1, 2], "{[1,3]}"),
        ([1, 2, 4, 9, 10], "{[1,2],[4,4],[9,10]}"),
        ([5, 5, 6], "{[5,6]}"),
    ],
)
def test_numbers_are_told_as_ranges(numbers, printed):
    assert snapshots.ranges(numbers) == printed


def test_what_a_job_asks_for_is_made_with_its_snapshot_and_not_without(press, session):
    held = press.start(ref="main")
    new = press.new(press.load())
    then = [jobs.Wanted(PURGE)]
    late = {**held, "epoch": held["epoch"] - 1}
    with pytest.raises(LeaseLost), session(role="worker") as conn:
        publish.publish(conn, **late, snapshot=new, report={}, then=then)
    with session(role="worker") as conn:
        made = publish.publish(conn, **held, snapshot=new, report={}, then=then)
        (first,) = jobs.list_page(conn, parent=held["job_id"], limit=9)
        assert (first.kind, first.state) == ("purge", JobState.QUEUED)
        jobs.cancel(conn, job_id=first.id)
    again = press.start(ref="main")
    with session(role="worker") as conn:
        publish.publish_again(conn, **again, snapshot=made, heads=(), report={}, then=then)
    with session() as conn:
        assert len(jobs.list_page(conn, parent=again["job_id"], limit=9)) == 1
