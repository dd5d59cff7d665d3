"""The life of a job: asked for, chosen, claimed, kept alive, ended; twice, late and at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update

from graph.errors import (
    JobNotCancellable,
    JobNotFound,
    JobNotRetryable,
    LeaseLost,
    QuotaExceeded,
)
from graph.model import jobs as laws
from graph.model.jobs import ENDED, JobState
from graph.storage import jobs, repositories
from graph.storage.jobs.table import jobs as table
from graph.storage.session import system_session, tenant_session
from graph.storage.signals import Listener
from tests.graph.storage.conftest import new_tenant
from tests.seeding import PLENTY, allow

COMMIT = "a" * 40


class Engine:
    """The other two parties of a job: the dispatcher and a worker."""

    def __init__(self, settings, session):
        self.settings = settings
        self.session = session

    def pick(self, slots=100, lease_seconds=60):
        with system_session("dispatch", settings=self.settings) as conn:
            return jobs.pick(conn, slots=slots, lease_seconds=lease_seconds)

    def reap(self):
        with system_session("dispatch", settings=self.settings) as conn:
            return jobs.reap(conn)

    def claim(self, job_id, epoch, lease_seconds=60, **who):
        with self.session(role="worker", **who) as conn:
            return jobs.claim(
                conn,
                job_id=job_id,
                epoch=epoch,
                owner="worker",
                lease_seconds=lease_seconds,
                wanted=PLENTY,
            )

    def run(self, job, lease_seconds=60):
        """The job, claimed; it has to be the only one that is chosen."""
        (chosen,) = self.pick()
        assert chosen.job_id == job.id
        claimed = self.claim(job.id, chosen.epoch, lease_seconds)
        assert claimed is not None
        return claimed

    def act(self, action, claimed, **values):
        with self.session(role="worker") as conn:
            return action(conn, job_id=claimed.id, epoch=claimed.epoch, **values)

    def job(self, job):
        with self.session() as conn:
            return jobs.get(conn, job_id=job.id)

    def expire(self, job):
        with self.session() as conn:
            conn.execute(
                update(table)
                .where(table.c.job_id == job.id)
                .values(lease_until=text("now() - interval '1 second'"))
            )


@pytest.fixture
def engine(settings, session):
    """Starts with nothing to do: what earlier tests left behind is cancelled."""
    with system_session("dispatch", settings=settings) as conn:
        conn.execute(
            update(table)
            .where(table.c.state.not_in(sorted(ENDED)))
            .values(state="cancelled", finished_at=text("now()"), lease_until=None)
        )
    return Engine(settings, session)


@pytest.fixture
def ask(session, repository):
    def asked(**values):
        with session() as conn:
            return jobs.request(conn, repository=values.pop("repository", repository), **values)

    return asked


# --- asking ----------------------------------------------------------------------------------


def test_a_requested_job_waits(ask, repository):
    job = ask(ref="main", trace_parent="00-trace")
    assert (job.state, job.ref, job.commit, job.epoch) == (JobState.QUEUED, "main", None, 0)
    assert (job.repository_id, job.repository) == (repository.id, repository.number)
    assert (job.attempt, job.max_attempts, job.trace_parent) == (0, 4, "00-trace")


def test_without_a_ref_it_is_the_default_one(ask, session, repository):
    assert ask().ref is None
    with session() as conn:
        changed = repositories.change(conn, repository_id=repository.id, default_ref="trunk")
    assert ask(repository=changed).ref == "trunk"


def test_a_second_request_for_a_waiting_ref_is_the_same_job(ask):
    first = ask(ref="main")
    assert ask(ref="main").id == first.id
    assert ask(ref="main", force=True).force
    assert ask(ref="other").id != first.id
    assert ask(commit=COMMIT).id != first.id


def test_a_newer_commit_supersedes_the_waiting_one(ask, engine):
    first = ask(ref="main", commit=COMMIT, force=True)
    second = ask(ref="main", commit="b" * 40)
    replaced = engine.job(first)
    assert (replaced.state, replaced.superseded_by) == (JobState.SUPERSEDED, second.id)
    assert second.force


def test_a_running_job_does_not_swallow_a_request(ask, engine):
    first = ask(ref="main")
    engine.run(first)
    assert ask(ref="main").id != first.id


def test_a_job_that_waits_for_a_later_try_is_hurried_by_a_request(ask, engine):
    job = ask()
    engine.act(jobs.retry_later, engine.run(job), code="x", message="x", delay_seconds=500)
    assert engine.pick() == []
    assert ask().id == job.id
    assert [chosen.job_id for chosen in engine.pick()] == [job.id]


def test_fifty_requests_at_once_are_one_waiting_job(engine, ask):
    with ThreadPoolExecutor(10) as pool:
        made = set(pool.map(lambda _: ask(ref="main").id, range(50)))
    assert len(made) == 1


def test_the_plan_limits_what_may_wait(ask, settings, tenant):
    allow(settings, tenant, queued_jobs=2)
    ask(ref="a")
    ask(ref="b")
    assert ask(ref="b").state is JobState.QUEUED
    with pytest.raises(QuotaExceeded):
        ask(ref="c")


def test_a_task_id_of_any_dispatch_finds_the_job(ask, session, engine):
    job = ask()
    engine.run(job)
    with session() as conn:
        for task_id in (f"{job.id}.1", f"{job.id}.7", str(job.id)):
            assert jobs.find_by_task(conn, task_id=task_id).id == job.id
        for task_id in ("", "x", f"x.{job.id}", "0" * 32):
            with pytest.raises(JobNotFound):
                jobs.find_by_task(conn, task_id=task_id)
    assert engine.job(job).task_id == f"{job.id}.1"


def test_jobs_are_listed_newest_first_and_filtered(ask, session, engine, repository):
    made = [ask(ref=f"r{number}") for number in range(4)]
    with session() as conn:
        jobs.cancel(conn, job_id=made[1].id)
        first = jobs.list_page(conn, limit=3)
        rest = jobs.list_page(conn, before=first[-1].id, limit=3)
        cancelled = jobs.list_page(conn, states=[JobState.CANCELLED], limit=9)
        here = jobs.list_page(conn, repository=repository.number, kind="ingest", limit=9)
    assert [job.id for job in first + rest] == [job.id for job in reversed(made)]
    assert [job.id for job in cancelled] == [made[1].id]
    assert len(here) == 4


# --- choosing --------------------------------------------------------------------------------


def test_a_chosen_job_is_dispatched_under_a_new_epoch(ask, engine, tenant):
    job = ask()
    (chosen,) = engine.pick()
    assert (chosen.job_id, chosen.tenant_id, chosen.epoch) == (job.id, tenant, 1)
    assert (chosen.kind, chosen.task_id) == ("ingest", f"{job.id}.1")
    assert engine.pick() == []
    assert engine.job(job).state is JobState.DISPATCHED


def test_jobs_are_chosen_oldest_first_but_by_priority(ask, engine):
    first, second = ask(ref="a"), ask(ref="b")
    urgent = ask(ref="c", priority=-1)
    chosen = [engine.pick(slots=number)[0].job_id for number in (1, 2, 3)]
    assert chosen == [urgent.id, first.id, second.id]


def test_the_slots_are_for_all_tenants_together(ask, engine, settings):
    for number in range(3):
        ask(ref=f"r{number}")
    assert len(engine.pick(slots=2)) == 2
    assert engine.pick(slots=2) == []
    assert len(engine.pick(slots=3)) == 1


def test_a_tenant_never_runs_more_than_its_plan_allows(ask, engine):
    for number in range(6):
        ask(ref=f"r{number}")
    assert len(engine.pick()) == 4
    assert engine.pick() == []


def test_tenants_take_turns(ask, engine, settings, session):
    for number in range(4):
        ask(ref=f"r{number}")
    late = new_tenant(settings, "late")
    with session(late) as conn:
        theirs = repositories.register(conn, url="https://example.test/l.git", name="l")
        job = jobs.request(conn, repository=theirs)
    assert job.id in [chosen.job_id for chosen in engine.pick(slots=2)]


def test_jobs_of_a_suspended_tenant_are_not_chosen(ask, engine, settings, tenant):
    ask()
    change = text("update tenants set state = :state where tenant_id = :id")
    with system_session("administration", settings=settings) as conn:
        conn.execute(change, {"state": "suspended", "id": tenant})
    assert engine.pick() == []
    with system_session("administration", settings=settings) as conn:
        conn.execute(change, {"state": "active", "id": tenant})
    assert len(engine.pick()) == 1


def test_two_jobs_of_a_flight_never_run_at_once(ask, engine):
    first = ask(ref="main")
    claimed = engine.run(first)
    second = ask(ref="main")
    assert engine.pick() == []
    engine.act(jobs.finish, claimed, report={})
    assert [chosen.job_id for chosen in engine.pick()] == [second.id]


def test_of_two_waiting_jobs_of_a_flight_one_is_chosen(ask, engine):
    first = ask(ref="main")
    claimed = engine.run(first)
    second = ask(ref="main")
    engine.act(jobs.retry_later, claimed, code="x", message="x", delay_seconds=0)
    assert len(engine.pick()) == 1
    assert engine.pick() == []
    assert {engine.job(job).state for job in (first, second)} == {"queued", "dispatched"}


def test_dispatchers_at_once_choose_each_job_once(ask, engine):
    for number in range(4):
        ask(ref=f"r{number}")
    with ThreadPoolExecutor(8) as pool:
        chosen = [each for batch in pool.map(lambda _: engine.pick(), range(8)) for each in batch]
    assert len(chosen) == len({each.job_id for each in chosen}) == 4


def test_the_depth_counts_what_has_not_ended(ask, engine, settings):
    ask(ref="a")
    engine.run(ask(ref="a"))
    ask(ref="b")
    with system_session("dispatch", settings=settings) as conn:
        assert jobs.depth(conn) == {
            JobState.QUEUED: 1,
            JobState.DISPATCHED: 0,
            JobState.RUNNING: 1,
        }


# --- holding ---------------------------------------------------------------------------------


def test_a_claim_succeeds_once(ask, engine, repository):
    job = ask(ref="main", force=True)
    (chosen,) = engine.pick()
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: engine.claim(job.id, chosen.epoch), range(8)))
    (claimed,) = [each for each in claims if each is not None]
    assert (claimed.repository, claimed.ref, claimed.force) == (repository, "main", True)
    assert (claimed.attempt, claimed.epoch) == (1, 1)
    running = engine.job(job)
    assert running.state is JobState.RUNNING
    assert running.started_at is not None


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_claim_of_another_epoch_is_refused(ask, engine, epoch):
    job = ask()
    engine.pick()
    assert engine.claim(job.id, epoch) is None
    assert engine.job(job).state is JobState.DISPATCHED


def test_a_cancelled_job_cannot_be_claimed(ask, engine, session):
    job = ask()
    engine.pick()
    with session() as conn:
        jobs.cancel(conn, job_id=job.id)
    assert engine.claim(job.id, 1) is None


def test_a_beat_extends_the_lease(ask, engine, session):
    job = ask()
    claimed = engine.run(job, lease_seconds=2)
    assert engine.act(jobs.beat, claimed, lease_seconds=600) is jobs.Beat.HELD
    with session() as conn:
        row = conn.execute(text("select lease_until - now() > interval '9 minutes' from jobs"))
        assert row.scalar_one()
    assert engine.reap() == []


def test_a_beat_tells_whether_the_job_was_lost_or_cancelled(ask, engine, session):
    job = ask()
    claimed = engine.run(job)
    with session() as conn:
        jobs.cancel(conn, job_id=job.id)
    assert engine.act(jobs.beat, claimed, lease_seconds=60) is jobs.Beat.CANCELLED
    other = ask()
    claimed = engine.run(other)
    engine.expire(other)
    engine.reap()
    assert engine.act(jobs.beat, claimed, lease_seconds=60) is jobs.Beat.LOST
    engine.pick()
    assert engine.act(jobs.beat, claimed, lease_seconds=60) is jobs.Beat.LOST


def test_progress_is_seen_and_refused_to_a_former_holder(ask, engine):
    job = ask()
    claimed = engine.run(job)
    step = {"stage": "parse", "done": 3, "total": 9, "percent": 28}
    assert engine.act(jobs.progress, claimed, **step, counts=jobs.Counts(nodes=5, edges=6))
    assert engine.act(jobs.progress, claimed, **step)
    seen = engine.job(job)
    assert (seen.stage, seen.files_done, seen.files_total, seen.percent) == ("parse", 3, 9, 28)
    assert (seen.nodes, seen.edges) == (5, 6)
    engine.expire(job)
    engine.reap()
    assert not engine.act(jobs.progress, claimed, **step)


def test_a_finished_job_keeps_its_report(ask, engine):
    job = ask()
    engine.act(jobs.finish, engine.run(job), report={"commit": COMMIT})
    done = engine.job(job)
    assert (done.state, done.percent, done.report) == (
        JobState.SUCCEEDED,
        100,
        {"commit": COMMIT},
    )
    assert done.finished_at is not None


def test_a_failure_says_why(ask, engine):
    job = ask()
    engine.act(jobs.fail, engine.run(job), code="ref_not_found", message="No\0 such ref.")
    failed = engine.job(job)
    assert (failed.state, failed.error_code) == (JobState.FAILED, "ref_not_found")
    assert failed.error_message == "No such ref."


def test_a_former_holder_can_end_nothing(ask, engine):
    job = ask()
    former = engine.run(job)
    engine.expire(job)
    engine.reap()
    current = engine.run(job)
    assert current.epoch == former.epoch + 1
    for action, values in (
        (jobs.finish, {"report": {}}),
        (jobs.fail, {"code": "x", "message": "x"}),
        (jobs.retry_later, {"code": "x", "message": "x"}),
        (jobs.retry_later, {"code": "x", "message": "x", "delay_seconds": 1}),
    ):
        with pytest.raises(LeaseLost):
            engine.act(action, former, **values)
    assert engine.job(job).state is JobState.RUNNING
    engine.act(jobs.finish, current, report={})


def test_a_job_is_tried_four_times(ask, engine):
    job = ask()
    states = [
        engine.act(jobs.retry_later, engine.run(job), code="host", message="away", delay_seconds=0)
        for _ in range(4)
    ]
    assert states == [JobState.QUEUED] * 3 + [JobState.FAILED]
    failed = engine.job(job)
    assert (failed.attempt, failed.error_code, failed.error_message) == (4, "host", "away")


def test_a_try_that_does_not_count_may_be_repeated_for_ever(ask, engine):
    job = ask()
    for _ in range(6):
        engine.act(
            jobs.retry_later,
            engine.run(job),
            code="busy",
            message="busy",
            delay_seconds=0,
            count_attempt=False,
        )
    assert engine.job(job).attempt == 0


def test_the_policy_waits_before_the_next_try(ask, engine, session):
    job = ask()
    engine.act(jobs.retry_later, engine.run(job), code="x", message="x")
    with session() as conn:
        wait = conn.execute(text("select extract(epoch from run_at - now()) from jobs"))
        assert -1 <= wait.scalar_one() <= 60


@given(st.integers(1, 30))
def test_delays_double_up_to_ten_minutes(attempt):
    delay = laws.longest_delay_seconds(attempt)
    assert delay == min(600, 60 * 2 ** (attempt - 1))


# --- taking back -----------------------------------------------------------------------------


def test_a_dispatched_job_that_nobody_claims_is_chosen_again(ask, engine):
    job = ask()
    engine.pick()
    assert engine.reap() == []
    engine.expire(job)
    (taken,) = engine.reap()
    assert (taken.was, taken.state, taken.resets) == (JobState.DISPATCHED, JobState.QUEUED, 0)
    (again,) = engine.pick()
    assert again.epoch == 2
    assert engine.claim(job.id, 1) is None
    assert engine.claim(job.id, 2) is not None


def test_a_job_that_loses_three_workers_is_dead(ask, engine):
    job = ask()
    seen = []
    for _ in range(3):
        claimed = engine.run(job)
        assert claimed.attempt == 1
        engine.expire(job)
        seen += [(taken.state, taken.resets) for taken in engine.reap()]
    assert seen == [(JobState.QUEUED, 1), (JobState.QUEUED, 2), (JobState.DEAD, 3)]
    dead = engine.job(job)
    assert (dead.state, dead.error_code) == (JobState.DEAD, "worker_lost")
    assert dead.finished_at is not None
    assert engine.pick() == []


def test_a_job_whose_row_is_held_by_its_worker_is_not_taken(ask, engine, session):
    job = ask()
    claimed = engine.run(job)
    engine.expire(job)
    with session(role="worker") as conn:
        assert jobs.beat(conn, job_id=job.id, epoch=claimed.epoch, lease_seconds=60) == "held"
        assert engine.reap() == []
    assert engine.reap() == []


# --- cancelling, trying again ----------------------------------------------------------------


@pytest.mark.parametrize("before", ["queued", "dispatched", "running"])
def test_a_job_that_has_not_ended_can_be_cancelled(ask, engine, session, before):
    job = ask()
    if before == "dispatched":
        engine.pick()
    if before == "running":
        engine.run(job)
    for _ in range(2):
        with session() as conn:
            assert jobs.cancel(conn, job_id=job.id).state is JobState.CANCELLED
    assert engine.pick() == []
    assert engine.reap() == []
    assert ask().id != job.id


def test_a_job_that_has_ended_cannot_be_cancelled(ask, engine, session):
    job = ask()
    engine.act(jobs.finish, engine.run(job), report={})
    with session() as conn, pytest.raises(JobNotCancellable):
        jobs.cancel(conn, job_id=job.id)


def test_a_failed_job_can_be_tried_again_from_the_beginning(ask, engine, session):
    job = ask()
    engine.act(jobs.fail, engine.run(job), code="x", message="x")
    with session() as conn:
        again = jobs.retry(conn, job_id=job.id)
    assert (again.state, again.attempt, again.resets, again.error_code) == (
        JobState.QUEUED,
        0,
        0,
        None,
    )
    assert engine.run(job).epoch == 2


def test_only_what_ended_without_success_can_be_tried_again(ask, engine, session):
    job = ask()
    with session() as conn, pytest.raises(JobNotRetryable):
        jobs.retry(conn, job_id=job.id)
    engine.act(jobs.finish, engine.run(job), report={})
    with session() as conn, pytest.raises(JobNotRetryable):
        jobs.retry(conn, job_id=job.id)


def test_removing_a_repository_cancels_its_jobs(ask, engine, session, repository):
    running, waiting = ask(ref="a"), None
    claimed = engine.run(running)
    waiting = ask(ref="b")
    with session() as conn:
        repositories.delete(conn, repository_id=repository.id)
    assert engine.act(jobs.beat, claimed, lease_seconds=60) is jobs.Beat.CANCELLED
    assert engine.job(waiting).state is JobState.CANCELLED


# --- waking, laws ----------------------------------------------------------------------------


def test_whatever_makes_a_job_ready_or_a_slot_free_wakes_the_dispatcher(ask, engine, session):
    with Listener(engine.settings) as listener:

        def woken():
            heard = listener.wait(2)
            while listener.wait(0):
                pass
            return heard

        job = ask()
        assert woken()
        claimed = engine.run(job)
        assert not listener.wait(0.05)
        engine.act(jobs.retry_later, claimed, code="x", message="x", delay_seconds=0)
        assert woken()
        engine.act(jobs.finish, engine.run(job), report={})
        assert woken()
        with session() as conn:
            jobs.cancel(conn, job_id=ask(ref="b").id)
        assert woken()


def test_a_request_that_is_rolled_back_wakes_nobody(session, engine, repository):
    with Listener(engine.settings) as listener:
        with session() as conn:
            jobs.request(conn, repository=repository)
            conn.rollback()
        assert not listener.wait(0.05)


def test_the_database_knows_the_same_states(session):
    with session() as conn:
        allowed = conn.execute(
            text(
                "select pg_get_constraintdef(oid) from pg_constraint"
                " where conrelid = 'jobs'::regclass and conname = 'jobs_state_check'"
            )
        ).scalar_one()
    assert {state for state in JobState if f"'{state}'" in allowed} == set(JobState)


def test_the_laws_of_states_are_closed():
    assert set(laws.TRANSITIONS) == set(JobState)
    assert set().union(*laws.TRANSITIONS.values()) == set(JobState)
    assert {JobState.FAILED, JobState.CANCELLED, JobState.DEAD} == laws.RETRYABLE


def test_the_percentage_rises_through_the_stages():
    scale = [
        laws.percent(stage.name, done=done, total=4) for stage in laws.STAGES for done in range(5)
    ]
    assert scale == sorted(scale)
    assert (scale[0], scale[-1]) == (0, 100)
    assert laws.percent("parse", done=9, total=0) == 12
    with pytest.raises(ValueError, match="unknown stage"):
        laws.percent("lunch", done=0, total=1)


def test_a_tenant_session_of_the_settings_is_needed(settings, tenant):
    with tenant_session(tenant, settings=settings) as conn, pytest.raises(JobNotFound):
        jobs.find_by_task(conn, task_id="none")
