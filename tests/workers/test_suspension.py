"""A tenant is suspended while its jobs wait, are on their way, or run; then it is resumed."""

import pytest

from graph.errors import TenantSuspended
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs, keys, repositories, tenants
from graph.storage.session import system_session, tenant_session
from tests.workers.digest import digest
from tests.workers.stand import Stand
from tests.workers.test_lease import dispatch, wait
from workers import lease
from workers.tasks import jobs as tasks

FILES = {"a.py": "def one():\n    return two()\n\ndef two():\n    return 2\n"}


def suspend(stand: Stand, reason: str = "unpaid") -> None:
    with system_session("administration", settings=stand.settings) as conn:
        tenants.suspend(conn, tenant_id=stand.tenant_id, reason=reason)


def resume(stand: Stand) -> None:
    with system_session("administration", settings=stand.settings) as conn:
        tenants.resume(conn, tenant_id=stand.tenant_id)


def of_another_tenant_is_dispatched(stand: Stand) -> None:
    with system_session("administration", settings=stand.settings) as conn:
        other = tenants.create(conn, name="other").id
    with tenant_session(other, settings=stand.settings) as conn:
        repository = repositories.register(conn, url="https://example.test/a.git", name="a")
        job_id = jobs.request(conn, repository=repository, ref="main").id

    def dispatched() -> bool:
        with tenant_session(other, settings=stand.settings) as conn:
            return jobs.get(conn, job_id=job_id).epoch > 0

    stand.until(dispatched, "the job of another tenant is dispatched")


def test_a_running_job_stops_is_given_back_and_is_finished_after_the_resumption(
    stand: Stand,
) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="parse:wait")
    job_id = stand.request()
    waiting = stand.request("other")
    stand.until(lambda: stand.job(job_id).stage == "parse", "the job is parsing")
    suspend(stand)
    given_back = stand.in_state(job_id, JobState.QUEUED, 10)
    assert (given_back.attempt, given_back.resets) == (0, 0)
    assert given_back.error_code == "tenant_suspended"
    stand.until(lambda: not list(stand.settings.scratch.iterdir()), "scratch is empty")
    stand.until(lambda: stand.job(waiting).state is JobState.QUEUED, "nothing is on its way")
    epochs = [stand.job(each).epoch for each in (job_id, waiting)]
    of_another_tenant_is_dispatched(stand)
    assert [stand.job(each).epoch for each in (job_id, waiting)] == epochs
    stand.kill("worker")

    resume(stand)
    stand.start_worker("fresh")
    done = stand.ended(job_id)
    assert (done.state, done.attempt, done.resets) == (JobState.SUCCEEDED, 1, 0)
    assert done.error_code is None
    assert digest(stand)
    assert stand.ended(waiting).error_code == "ref_not_found"


def test_the_holder_of_a_job_learns_at_its_next_beat(stand: Stand) -> None:
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)
    with lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "me") as held:
        assert held is not None
        suspend(stand)
        wait(held.should_stop)
        with pytest.raises(TenantSuspended):
            held.check()
        assert stand.job(job_id).state is JobState.RUNNING
        reason = held.reason()
        assert reason is not None
        held.stop()
        assert tasks._settle(held, reason, stand.settings) == "queued"
    assert stand.job(job_id).attempt == 0


def test_a_job_that_is_on_its_way_waits_with_its_tenant(stand: Stand) -> None:
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)
    suspend(stand)
    with lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "me") as held:
        assert held is None
    job = stand.job(job_id)
    assert (job.state, job.attempt, job.resets) == (JobState.QUEUED, 0, 0)
    resume(stand)
    again = dispatch(stand, job_id)
    assert again == epoch + 1
    with lease.hold(stand.settings, stand.tenant_id, job_id, again, "me") as held:
        assert held is not None


def test_a_late_message_still_changes_nothing_of_a_suspended_tenant(stand: Stand) -> None:
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)
    stand.cancel(job_id)
    suspend(stand)
    for number in (epoch - 1, epoch, epoch + 1):
        with lease.hold(stand.settings, stand.tenant_id, job_id, number, "me") as held:
            assert held is None
    assert stand.job(job_id).state is JobState.CANCELLED


def test_keys_open_nothing_until_the_tenant_is_resumed(own_settings: Settings) -> None:
    with system_session("administration", settings=own_settings) as conn:
        tenant = tenants.create(conn, name="late payer").id
    with tenant_session(tenant, settings=own_settings) as conn:
        _, secret = keys.create(conn, tenant_id=tenant, scopes=["read"])
    with system_session("administration", settings=own_settings) as conn:
        tenants.suspend(conn, tenant_id=tenant, reason="The invoice of May is open.")
    with pytest.raises(TenantSuspended, match="The invoice of May is open"):
        keys.authenticate(own_settings, secret)
    with system_session("administration", settings=own_settings) as conn:
        assert tenants.resume(conn, tenant_id=tenant).suspended_reason is None
    assert keys.authenticate(own_settings, secret) is not None
