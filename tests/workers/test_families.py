"""A job that waits for its children, whatever happens meanwhile: processes die, tenants go."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from graph.model.ids import JobId
from graph.model.jobs import INGEST, MAX_RESETS, JobState
from graph.settings import Settings
from graph.storage import jobs
from graph.storage.jobs import FollowUp, Group, Wanted
from graph.storage.session import system_session, tenant_session
from tests.servers import Servers
from tests.workers.digest import graph
from tests.workers.estate import Estates
from tests.workers.stand import Stand
from tests.workers.test_erasure import request as request_erasure
from tests.workers.test_erasure import state as state_of_erasure
from tests.workers.test_lease import dispatch
from tests.workers.test_suspension import of_another_tenant_is_dispatched, resume, suspend
from tests.workers.test_wide import (
    FILES,
    children,
    is_the_narrow_graph,
    objects,
    run_queued,
    shards_stored,
    states,
)
from workers import budget, erasure


@pytest.fixture
def own_settings(own_settings: Settings) -> Settings:
    few = {"wide_parse_bytes": 500, "wide_shard_bytes": 300, "dispatch_lease_seconds": 2}
    return own_settings.model_copy(update=few)


@pytest.fixture
def estates(own_settings: Settings, real_servers: Servers) -> Iterator[Estates]:
    made = Estates(own_settings, real_servers)
    yield made
    made.close()


def test_a_worker_dies_as_its_shard_ends_and_the_dispatcher_before_the_last_one(
    stand: Stand, tmp_path: Path
) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    run_queued(stand)
    stand.start_dispatcher()
    count = len(children(stand, job_id))
    stand.until(lambda: stand.redis().llen("parse") == count, "all are on their way")
    stand.kill("dispatcher")
    failpoint = tmp_path / "failpoint"
    failpoint.write_text("joined:kill")
    stand.start_worker(CODELOOM_FAILPOINT=f"@{failpoint}")
    log = stand.logs / "worker.log"
    stand.until(lambda: "SIGKILL" in log.read_text(), "the child is killed")
    failpoint.write_text("none")
    # Nobody is there to see it: the last child itself has its parent queued.
    stand.in_state(job_id, JobState.QUEUED)
    assert states(stand, job_id) == {JobState.SUCCEEDED}
    stand.start_dispatcher("second")
    job = stand.ended(job_id)
    assert (job.state, job.attempt, job.resets) == (JobState.SUCCEEDED, 1, 0)
    stand.until(lambda: not shards_stored(stand), "the shards are removed")
    is_the_narrow_graph(stand)


def test_a_shard_whose_workers_die_fails_its_job_until_that_is_tried_again(stand: Stand) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    run_queued(stand, wide_shard_bytes=100_000)
    stand.start_dispatcher()
    for _ in range(MAX_RESETS):
        stand.start_worker(CODELOOM_FAILPOINT="shard:wait")
        stand.until(lambda: states(stand, job_id) == {JobState.RUNNING}, "the shard is parsed")
        stand.kill("worker")
        # At once, instead of after some seconds of silence.
        with system_session("dispatch", settings=stand.settings) as conn:
            lost = jobs.silent(conn, lease_seconds=0, seconds=-stand.settings.lease_seconds)
            assert len(jobs.reap(conn, lost=lost)) == 1
    job = stand.job(job_id)
    (dead,) = children(stand, job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, "child_failed")
    assert f"{dead.id} is dead (worker_lost)" in str(job.error_message)
    assert graph(stand)["documents"] == []

    stand.start_worker("fresh")
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        jobs.retry(conn, job_id=job_id)
    job = stand.ended(job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
    # What is tried again when nobody waits for it any more does no harm, and no good.
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        jobs.retry(conn, job_id=dead.id)
    assert stand.ended(dead.id).error_code == "artifact_not_found"
    assert stand.job(job_id).state is JobState.SUCCEEDED
    is_the_narrow_graph(stand)


def test_a_shard_that_cannot_be_read_fails_its_job_until_that_is_tried_again(stand: Stand) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    run_queued(stand)
    objects(stand)[0].unlink()
    run_queued(stand)
    job = stand.job(job_id)
    (bad,) = [child for child in children(stand, job_id) if child.state is JobState.FAILED]
    assert (job.state, job.error_code) == (JobState.FAILED, "child_failed")
    assert f"{bad.id} is failed (artifact_not_found)" in str(job.error_message)
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        jobs.retry(conn, job_id=job_id)
    while stand.job(job_id).finished_at is None:
        run_queued(stand)
    assert stand.job(job_id).state is JobState.SUCCEEDED
    assert shards_stored(stand) == []
    is_the_narrow_graph(stand)


def test_a_group_whose_members_are_large_themselves_is_joined_though_processes_die(
    stand: Stand, tmp_path: Path
) -> None:
    stand.repo.commit(FILES)
    stand.repo.git("branch", "other")
    members = (Wanted(INGEST, ref="main"), Wanted(INGEST, ref="other", force=True))
    first = stand.request("other")
    succeed(stand, first, then=[Group(members, join=Wanted(INGEST, force=True))])
    (join,) = children(stand, first)
    failpoint = tmp_path / "failpoint"
    failpoint.write_text("published:kill")
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT=f"@{failpoint}")
    log = stand.logs / "worker.log"
    stand.until(lambda: "SIGKILL" in log.read_text(), "a member has ended with its worker")
    failpoint.write_text("none")
    stand.kill("dispatcher")
    stand.kill("worker")
    stand.start_dispatcher("second")
    stand.start_worker("fresh")
    assert stand.ended(join.id).state is JobState.SUCCEEDED
    ended = children(stand, join.id)
    assert {member.state for member in ended if member.kind == "ingest"} == {JobState.SUCCEEDED}
    large = [member for member in ended if children(stand, member.id)]
    assert large, "a member was parsed in shards"
    is_the_narrow_graph(stand)


def succeed(stand: Stand, job_id: JobId, then: Sequence[FollowUp]) -> None:
    """The job asks for these as it succeeds."""
    epoch = dispatch(stand, job_id)
    with tenant_session(stand.tenant_id, role="worker", settings=stand.settings) as conn:
        most = budget.most(stand.settings)
        jobs.claim(conn, job_id=job_id, epoch=epoch, owner="x", lease_seconds=9, wanted=most)
        jobs.finish(conn, job_id=job_id, epoch=epoch, report={}, then=then)


def test_a_suspended_tenant_waits_for_its_shards_until_it_is_resumed(stand: Stand) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    run_queued(stand)
    suspend(stand)
    stand.start_dispatcher()
    stand.start_worker()
    of_another_tenant_is_dispatched(stand)
    assert states(stand, job_id) == {JobState.QUEUED}
    resume(stand)
    assert stand.ended(job_id).state is JobState.SUCCEEDED
    is_the_narrow_graph(stand)


def test_a_tenant_is_erased_while_its_shards_are_parsed(stand: Stand, estates: Estates) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="shard:wait")
    job_id = stand.request()
    stand.until(lambda: JobState.RUNNING in states(stand, job_id), "a shard is parsed")
    erasure_id = request_erasure(stand.settings, stand.tenant_id)
    assert erasure.run(stand.settings, erasure_id) == "finished"
    evidence = state_of_erasure(stand.settings, erasure_id).evidence
    assert evidence.rows["jobs"] >= 3
    assert estates.traces(stand.tenant_id) == []
