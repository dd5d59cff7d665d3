"""What attempts may use of a month: promised before they begin, settled however they end."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from graph.errors import QuotaExceeded, StorageRefused
from graph.model.jobs import JobState
from graph.storage import jobs, repositories, reservations, usage
from graph.storage.reservations import Allowance
from graph.storage.session import system_session
from tests.graph.storage.months import ENDS, WANTED, Month, cancel, fail, finish, retry_later
from tests.seeding import allow


@pytest.fixture
def month(settings, session, tenant):
    return Month(settings, session, tenant)


FREE = {"clone_bytes": (0, 0), "job_minutes": (0, 0)}


def test_an_attempt_reserves_what_it_may_use_and_pays_what_it_used(month):
    held = month.running()
    assert month.stands() == {"clone_bytes": (0, 100), "job_minutes": (0, 120)}
    month.act(reservations.spend, held, clone_bytes=30, over=False)
    assert month.stands()["clone_bytes"] == (0, 100)
    month.act(reservations.spend, held, clone_bytes=40, over=True)
    assert month.stands()["clone_bytes"] == (0, 40)
    month.started(held, "61.5 seconds")
    month.act(jobs.finish, held, report={})
    assert month.stands() == {"clone_bytes": (40, 0), "job_minutes": (62, 0)}


@pytest.mark.parametrize("end", ENDS)
def test_however_an_attempt_ends_it_pays_what_it_used_and_returns_the_rest(month, end):
    held = month.running()
    month.act(reservations.spend, held, clone_bytes=7, over=False)
    month.started(held, "9.5 seconds")
    end(month, held)
    assert month.job(held).state is not JobState.RUNNING
    assert month.stands() == {"clone_bytes": (7, 0), "job_minutes": (10, 0)}
    # Whoever held it learns late: nothing changes any more.
    month.act(reservations.spend, held, clone_bytes=90, over=True)
    assert month.stands() == {"clone_bytes": (7, 0), "job_minutes": (10, 0)}


def test_a_job_that_is_cancelled_before_it_runs_pays_nothing(month):
    cancel(month, month.dispatched())
    assert month.stands() == FREE


def test_each_attempt_pays_for_itself(month):
    held = month.running()
    for spent in (10, 20):
        month.act(reservations.spend, held, clone_bytes=spent, over=True)
        retry_later(month, held)
        with month.session() as conn:
            jobs.request(
                conn, repository=repositories.get(conn, repository_id=month.job(held).repository_id)
            )
        held = month.picked(held["job_id"])
        assert month.claim(held) is not None
    cancel(month, held)
    assert month.stands()["clone_bytes"] == (30, 0)


def test_no_attempt_pays_more_than_it_reserved(month):
    held = month.running()
    month.act(reservations.spend, held, clone_bytes=1000, over=False)
    month.started(held, "1 day")
    finish(month, held)
    assert month.stands() == {"clone_bytes": (100, 0), "job_minutes": (120, 0)}


def test_what_was_spent_is_never_taken_back(month):
    held = month.running()
    month.act(reservations.spend, held, clone_bytes=60, over=False)
    month.act(reservations.spend, held, clone_bytes=5, over=True)
    finish(month, held)
    assert month.stands()["clone_bytes"] == (60, 0)


def test_a_repository_of_this_machine_fetches_nothing(month, settings, tenant):
    allow(settings, tenant, clone_bytes=0)
    held = month.dispatched(month.repository("file:///srv/repo"))
    claimed = month.claim(held)
    assert claimed is not None
    assert claimed.allowance.clone_bytes == WANTED.clone_bytes
    assert month.stands()["clone_bytes"] == (0, 0)


# --- the edge --------------------------------------------------------------------------------


def test_what_is_left_is_all_that_the_last_attempt_gets(month, settings, tenant):
    allow(settings, tenant, clone_bytes=150, job_minutes=3)
    first = month.running()
    month.act(reservations.spend, first, clone_bytes=90, over=True)
    month.started(first, "99.5 seconds")
    finish(month, first)
    claimed = month.claim(month.dispatched())
    assert claimed is not None
    assert (claimed.allowance.clone_bytes, claimed.allowance.job_seconds) == (60, 80)
    assert claimed.allowance.resets_at is not None


def test_a_job_waits_for_what_others_have_in_reserve(month, settings, tenant):
    allow(settings, tenant, clone_bytes=150)
    first, second = month.dispatched(), month.dispatched()
    assert month.claim(first) is not None
    assert month.claim(second) is None
    waiting = month.job(second)
    assert (waiting.state, waiting.attempt, waiting.started_at) == (JobState.QUEUED, 0, None)
    assert (waiting.error_code, waiting.run_at > waiting.created_at) == ("quota_exceeded", True)
    # As soon as the fetch is over, its rest is free, while the job goes on.
    month.act(reservations.spend, first, clone_bytes=10, over=True)
    with month.session() as conn:
        place = repositories.get(conn, repository_id=waiting.repository_id)
        jobs.request(conn, repository=place)
    assert month.claim(month.picked(second["job_id"])) is not None
    assert month.stands()["clone_bytes"] == (0, 110)


def test_a_month_that_is_used_up_fails_the_job_and_says_until_when(month, settings, tenant):
    held = month.running()
    month.act(reservations.spend, held, clone_bytes=100, over=True)
    finish(month, held)
    late = month.dispatched()
    allow(settings, tenant, clone_bytes=100)
    assert month.claim(late) is None
    job = month.job(late)
    assert (job.state, job.error_code) == (JobState.FAILED, "quota_exceeded")
    with month.session() as conn:
        ends = usage.of_tenant(conn).ends
    assert job.error_message == (
        f"Limit of clone_bytes: 100 a month, used: 100, until {ends:%Y-%m-%d}T00:00:00Z."
    )
    assert month.stands()["clone_bytes"] == (100, 0)


@pytest.mark.parametrize("resource", ["clone_bytes", "job_minutes"])
def test_a_month_that_is_used_up_accepts_no_request(month, settings, tenant, resource):
    held = month.running(Allowance(clone_bytes=60, job_seconds=60))
    month.act(reservations.spend, held, clone_bytes=60, over=True)
    month.started(held, "60 seconds")
    fail(month, held)
    place = month.repository()
    allow(settings, tenant, **{resource: {"clone_bytes": 60, "job_minutes": 1}[resource]})
    with month.session() as conn:
        ends = usage.of_tenant(conn).ends
    for ask in (
        lambda conn: jobs.request(conn, repository=place),
        lambda conn: jobs.retry(conn, job_id=held["job_id"]),
    ):
        with pytest.raises(QuotaExceeded, match=resource) as raised, month.session() as conn:
            ask(conn)
        assert raised.value.resets_at == ends
    allow(settings, tenant)
    with month.session() as conn:
        jobs.retry(conn, job_id=held["job_id"])


def test_claims_at_once_never_reserve_more_than_there_is(month, settings, tenant):
    allow(settings, tenant, clone_bytes=350, running_jobs=100)
    held = [month.dispatched() for _ in range(12)]
    with ThreadPoolExecutor(8) as pool:
        claimed = [each for each in pool.map(month.claim, held) if each is not None]
    assert len(claimed) == 3
    assert month.stands()["clone_bytes"] == (0, 300)


def test_claims_and_ends_at_once_never_pass_a_limit(month, settings, tenant):
    """Each job takes its turn until it got one; what was used is watched meanwhile."""
    allow(settings, tenant, clone_bytes=1000, running_jobs=100)
    held = [month.dispatched() for _ in range(20)]
    seen = []

    def story(mine):
        for _ in range(60):
            if month.claim(mine, Allowance(clone_bytes=300, job_seconds=60)) is not None:
                month.act(reservations.spend, mine, clone_bytes=70, over=False)
                with month.session() as conn:
                    standing = usage.standings(conn, ["clone_bytes"])[0]
                seen.append(standing.used + standing.reserved)
                finish(month, mine)
                return True
            job = month.job(mine)
            if job.state is JobState.FAILED:
                return False
            month.owner("update jobs set run_at = now() where job_id = %s", mine)
            with system_session("dispatch", settings=settings) as conn:
                conn.execute(
                    text(
                        "update jobs set state = 'dispatched', epoch = epoch + 1,"
                        " lease_until = now() + interval '10 min'"
                        " where job_id = :job and state = 'queued'"
                    ),
                    {"job": mine["job_id"]},
                )
            mine = {**mine, "epoch": month.job(mine).epoch}
        raise AssertionError("it never got its turn")

    with ThreadPoolExecutor(4) as pool:
        ran = sum(pool.map(story, held))
    # Fourteen of 70 are 980: one more gets what is left, and then there is nothing.
    assert ran == 15
    assert max(seen) <= 1000
    assert month.stands()["clone_bytes"] == (1000, 0)


# --- months ----------------------------------------------------------------------------------


def test_a_job_over_the_end_of_a_month_is_settled_where_it_was_reserved(month):
    held = month.running()
    month.owner(
        "update reservations set period = period - interval '1 month' where job_id = %s", held
    )
    assert month.stands() == FREE
    month.act(reservations.spend, held, clone_bytes=50, over=True)
    finish(month, held)
    assert month.stands() == FREE
    with month.session() as conn:
        used = conn.execute(
            text(
                "select used from usage where resource = 'clone_bytes' and period < now()::date"
                " and period > '0001-01-01'"
            )
        )
        assert used.scalars().all() == [50]


def test_what_was_used_last_month_does_not_count_in_this_one(month, settings, tenant):
    held = month.running()
    month.owner(
        "update reservations set period = period - interval '1 month' where job_id = %s", held
    )
    month.act(reservations.spend, held, clone_bytes=100, over=True)
    finish(month, held)
    allow(settings, tenant, clone_bytes=100)
    assert month.claim(month.dispatched()) is not None


# --- odds ------------------------------------------------------------------------------------


def test_a_job_whose_repository_went_while_it_was_asked_for_fails(month):
    held = month.dispatched()
    month.owner(
        "update repositories set deleted_at = now() where number ="
        " (select repository from jobs where job_id = %s)",
        held,
    )
    assert month.claim(held) is None
    assert month.job(held).error_code == "repository_not_found"


def test_a_worker_can_neither_settle_nor_remove_a_reservation(month):
    held = month.running()
    for statement in ("update reservations set settled_at = now()", "delete from reservations"):
        with pytest.raises(StorageRefused, match="access"), month.session(role="worker") as conn:
            conn.execute(text(statement))
    assert month.job(held).state is JobState.RUNNING
