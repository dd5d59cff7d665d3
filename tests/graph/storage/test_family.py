"""Jobs that jobs ask for: chains, groups with a join, and a job that waits for its children."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update

from graph.errors import JobNotFound, LeaseLost, QuotaExceeded
from graph.model.jobs import ENDED, INGEST, PARSE, PURGE, JobState
from graph.storage import jobs, repositories, usage
from graph.storage.jobs import Group, Wanted
from graph.storage.jobs.table import jobs as table
from graph.storage.session import system_session
from tests.graph.storage.test_jobs import Engine
from tests.seeding import allow

BRANCHES = tuple(Wanted(INGEST, ref=name) for name in ("a", "b", "c"))
QUEUED, WAITING, FAILED = JobState.QUEUED, JobState.WAITING, JobState.FAILED
SUCCEEDED, CANCELLED = JobState.SUCCEEDED, JobState.CANCELLED


class Family(Engine):
    """A job under way, and what becomes of those that it asks for."""

    def request(self, repository, **values):
        with self.session() as conn:
            return jobs.request(conn, repository=repository, **values)

    def children(self, of):
        """Oldest first."""
        with self.session() as conn:
            return jobs.list_page(conn, parent=of.id, limit=100)[::-1]

    def start(self, *, of):
        """The unfinished children of a job, claimed."""
        epochs = {chosen.job_id: chosen.epoch for chosen in self.pick()}
        return [self.claim(child.id, epochs[child.id]) for child in self.children(of)]

    def finish(self, claimed, **values):
        self.act(jobs.finish, claimed, report={}, **values)

    def fail(self, claimed):
        self.act(jobs.fail, claimed, code="x", message="x")

    def cancel(self, job):
        with self.session() as conn:
            return jobs.cancel(conn, job_id=job.id)


def begin(settings, session):
    """A family with nothing to do: what earlier tests left behind is cancelled."""
    with system_session("dispatch", settings=settings) as conn:
        conn.execute(
            update(table)
            .where(table.c.state.not_in(sorted(ENDED)))
            .values(state="cancelled", finished_at=text("now()"), lease_until=None)
        )
    return Family(settings, session)


@pytest.fixture
def family(settings, session):
    return begin(settings, session)


@pytest.fixture
def parent(family, repository):
    """A job that runs."""
    return family.run(family.request(repository))


# --- chains ----------------------------------------------------------------------------------


def test_what_a_job_asks_for_is_queued_when_it_has_succeeded(family, parent, repository):
    family.finish(parent, then=[Wanted(PURGE), Wanted(INGEST, ref="next", force=True)])
    purge, ingest = family.children(parent)
    assert (purge.kind, purge.state, purge.parent_id) == ("purge", QUEUED, parent.id)
    assert (ingest.ref, ingest.force, ingest.repository_id) == ("next", True, repository.id)
    assert family.job(parent).parent_id is None
    assert {chosen.job_id for chosen in family.pick()} == {purge.id, ingest.id}


def test_a_job_whose_end_is_not_committed_has_asked_for_nothing(family, parent):
    def finish_and_fall(conn, **which):
        jobs.finish(conn, report={}, then=[Wanted(PURGE)], **which)
        assert jobs.list_page(conn, parent=parent.id, limit=9)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        family.act(finish_and_fall, parent)
    assert family.children(parent) == []
    assert family.job(parent).state is JobState.RUNNING


def test_who_has_lost_a_job_asks_for_nothing_in_its_name(family, parent):
    family.expire(parent)
    family.reap()
    second = family.run(parent)
    with pytest.raises(LeaseLost):
        family.finish(parent, then=[Wanted(PURGE)])
    with pytest.raises(LeaseLost):
        family.act(jobs.split, parent, children=BRANCHES)
    assert family.children(parent) == []
    family.finish(second, then=[Wanted(PURGE)])
    assert len(family.children(parent)) == 1


def test_a_commit_that_is_asked_for_takes_its_place_among_the_results(family, parent):
    family.finish(parent, then=[Wanted(INGEST, ref="a", commit="a" * 40)])
    (child,) = family.start(of=parent)
    assert child.commit == "a" * 40
    with family.session() as conn:
        generations = conn.execute(
            text("select generation from jobs where job_id = any(:ids) order by job_id"),
            {"ids": [parent.id, child.id]},
        ).scalars()
        first, second = list(generations)
    assert second > first


# --- groups ----------------------------------------------------------------------------------


def test_a_join_is_queued_in_the_transaction_in_which_the_last_member_ends(family, parent):
    family.finish(parent, then=[Group(BRANCHES, join=Wanted(PURGE))])
    (join,) = family.children(parent)
    assert join.state is WAITING
    first, second, third = family.start(of=join)
    family.finish(first)
    family.finish(third)
    assert family.job(join).state is WAITING
    with family.session(role="worker") as conn:
        jobs.finish(conn, job_id=second.id, epoch=second.epoch, report={})
        inside = jobs.get(conn, job_id=join.id)
        assert family.job(join).state is WAITING
    assert (inside.state, family.job(join).state) == (QUEUED, QUEUED)
    family.finish(family.run(join))
    assert family.job(join).state is SUCCEEDED


def test_members_that_end_at_once_queue_their_join_once(family, parent):
    wanted = [Wanted(INGEST, ref=f"r{number}") for number in range(4)]
    family.finish(parent, then=[Group(wanted, join=Wanted(PURGE))])
    (join,) = family.children(parent)
    members = family.start(of=join)
    together = threading.Barrier(len(members))

    def end(member):
        with family.session(role="worker") as conn:
            together.wait(30)
            jobs.finish(conn, job_id=member.id, epoch=member.epoch, report={})

    with ThreadPoolExecutor(len(members)) as pool:
        list(pool.map(end, members))
    assert [chosen.job_id for chosen in family.pick()] == [join.id]


@pytest.mark.parametrize("needs_all", [True, False])
def test_a_member_that_fails_decides_as_declared(family, parent, needs_all):
    family.finish(parent, then=[Group(BRANCHES, join=Wanted(PURGE), needs_all=needs_all)])
    (join,) = family.children(parent)
    first, second, third = family.start(of=join)
    family.fail(first)
    family.cancel(second)
    assert family.job(join).state is WAITING
    family.finish(third)
    decided = family.job(join)
    if needs_all:
        assert (decided.state, decided.error_code) == (FAILED, "child_failed")
        assert "2 of the 3" in decided.error_message
        assert f"; {first.id} is failed (x)." in decided.error_message
        assert decided.finished_at is not None
    else:
        assert (decided.state, decided.error_code) == (QUEUED, None)


def test_a_member_whose_workers_die_is_an_end_as_well(family, parent):
    family.finish(parent, then=[Group(BRANCHES[:1], join=Wanted(PURGE))])
    (join,) = family.children(parent)
    for _ in range(3):
        family.start(of=join)
        family.expire(family.children(join)[0])
        family.reap()
    assert family.children(join)[0].state is JobState.DEAD
    assert (family.job(join).state, family.job(join).error_code) == (FAILED, "child_failed")
    assert "is dead (worker_lost)" in family.job(join).error_message


def test_a_failed_member_that_is_tried_again_in_time_fails_nobody(family, parent):
    family.finish(parent, then=[Group(BRANCHES[:2], join=Wanted(PURGE))])
    (join,) = family.children(parent)
    first, second = family.start(of=join)
    family.fail(first)
    with family.session() as conn:
        jobs.retry(conn, job_id=first.id)
    family.finish(second)
    assert family.job(join).state is WAITING
    (chosen,) = family.pick()
    family.finish(family.claim(first.id, chosen.epoch))
    assert family.job(join).state is QUEUED


@pytest.mark.parametrize("count", [0, 1001])
def test_a_group_is_neither_empty_nor_a_flood(family, parent, count):
    with pytest.raises(ValueError, match="1 to 1000"):
        family.act(jobs.split, parent, children=[Wanted(PURGE)] * count)
    assert family.job(parent).state is JobState.RUNNING


# --- a job that waits itself -----------------------------------------------------------------


def test_a_job_that_waits_holds_no_slot_and_goes_on_in_the_same_try(family, parent, session):
    made = family.act(jobs.split, parent, children=BRANCHES)
    waiting = family.job(parent)
    assert (waiting.state, waiting.attempt) == (WAITING, 0)
    assert [child.id for child in family.children(parent)] == made
    with session() as conn:
        assert usage.standings(conn, ["job_minutes"])[0].reserved == 0
        (attempt,) = jobs.attempts(conn, job_id=parent.id, limit=9)
    assert attempt.outcome is WAITING
    children = family.start(of=parent)
    assert [child.id for child in children] == made
    for child in children:
        family.finish(child)
    again = family.run(parent)
    assert (again.attempt, again.epoch) == (1, 2)


def test_of_two_rounds_only_the_children_of_the_latter_decide(family, parent):
    family.act(jobs.split, parent, children=BRANCHES[:1])
    (child,) = family.start(of=parent)
    family.fail(child)
    assert family.job(parent).state is FAILED
    with family.session() as conn:
        jobs.retry(conn, job_id=parent.id)
    again = family.run(parent)
    family.act(jobs.split, again, children=BRANCHES[1:2])
    (chosen,) = family.pick()
    family.finish(family.claim(chosen.job_id, chosen.epoch))
    assert family.job(parent).state is QUEUED


def test_who_asks_for_what_a_waiting_job_will_do_joins_it(family, parent, repository):
    family.act(jobs.split, parent, children=BRANCHES)
    assert family.request(repository).id == parent.id
    other = family.request(repository, ref="HEAD", commit="b" * 40)
    assert other.id != parent.id
    assert family.job(parent).state is WAITING


# --- cancelling ------------------------------------------------------------------------------


def test_cancelling_a_job_cancels_all_that_it_led_to(family, parent):
    family.act(jobs.split, parent, children=BRANCHES)
    first, second, third = family.start(of=parent)
    family.finish(first, then=[Group(BRANCHES[:1], join=Wanted(PURGE))])
    family.act(jobs.split, second, children=BRANCHES[2:])
    family.cancel(parent)
    assert family.job(parent).state is CANCELLED
    assert [child.state for child in family.children(parent)] == [SUCCEEDED, CANCELLED, CANCELLED]
    (join,) = family.children(first)
    assert join.state is CANCELLED
    assert {each.state for each in family.children(join) + family.children(second)} == {CANCELLED}
    assert family.act(jobs.beat, third, lease_seconds=60) is jobs.Beat.CANCELLED
    assert family.pick() == []


def test_a_job_is_cancelled_while_its_children_end(family, parent):
    """Whoever comes first: nobody waits for ever, and in the end nothing is left to do."""
    wanted = [Wanted(INGEST, ref=f"r{number}") for number in range(4)]
    family.act(jobs.split, parent, children=wanted)
    children = family.start(of=parent)
    together = threading.Barrier(len(children) + 1)

    def end(child):
        together.wait(30)
        try:
            family.finish(child)
        except LeaseLost:
            return "lost"
        return "finished"

    with ThreadPoolExecutor(len(children) + 1) as pool:
        ended = [pool.submit(end, child) for child in children]
        together.wait(30)
        family.cancel(parent)
        assert {each.result(30) for each in ended} <= {"lost", "finished"}
    assert family.job(parent).state is CANCELLED
    assert {child.state for child in family.children(parent)} <= {SUCCEEDED, CANCELLED}


def test_a_removed_repository_ends_families(family, parent, repository, session):
    family.act(jobs.split, parent, children=BRANCHES)
    with session() as conn:
        repositories.delete(conn, repository_id=repository.id)
    assert {each.state for each in [family.job(parent), *family.children(parent)]} == {CANCELLED}


# --- limits and the fence --------------------------------------------------------------------


def test_children_do_not_fill_the_queue_of_requests(family, parent, repository, settings, tenant):
    allow(settings, tenant, queued_jobs=1)
    family.act(jobs.split, parent, children=BRANCHES)
    family.request(repository, ref="own")
    with pytest.raises(QuotaExceeded):
        family.request(repository, ref="second")
    with family.session() as conn:
        used = {each.resource.name: each.used for each in usage.of_tenant(conn).standings}
    assert used["queued_jobs"] == 1


def test_pieces_of_a_large_repository_take_no_slot_for_large_jobs(family, parent, settings):
    with family.session() as conn:
        conn.execute(text("update jobs set large = true where job_id = :id"), {"id": parent.id})
    shards = family.act(jobs.split, parent, children=[Wanted(PARSE)] * 3)
    with system_session("dispatch", settings=settings) as conn:
        chosen = jobs.pick(conn, slots=10, large_slots=0)
    assert {each.job_id for each in chosen} == set(shards)


def test_other_jobs_that_it_asks_for_are_as_large_as_it(family, parent, settings):
    with family.session() as conn:
        conn.execute(text("update jobs set large = true where job_id = :id"), {"id": parent.id})
    family.finish(parent, then=BRANCHES)
    with system_session("dispatch", settings=settings) as conn:
        assert len(jobs.pick(conn, slots=10, large_slots=1)) == 1


def test_a_stranger_sees_neither_parent_nor_children(family, parent, session, stranger):
    (child, *_) = family.act(jobs.split, parent, children=BRANCHES)
    with session(stranger) as conn:
        assert jobs.list_page(conn, parent=parent.id, limit=9) == []
        for job_id in (parent.id, child):
            with pytest.raises(JobNotFound):
                jobs.cancel(conn, job_id=job_id)
    with pytest.raises(LeaseLost), session(stranger, role="worker") as conn:
        jobs.split(conn, job_id=parent.id, epoch=parent.epoch, children=BRANCHES)
    assert {each.state for each in family.children(parent)} == {QUEUED}
