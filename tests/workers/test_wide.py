"""A large ingestion is parsed in shards, by whatever workers there are; the graph is the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from graph.model import names
from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs, repositories
from graph.storage.jobs import Job
from graph.storage.session import system_session, tenant_session
from tests.workers.digest import digest, graph
from tests.workers.stand import Stand
from tests.workers.test_recovery import nothing_is_left
from workers import facade
from workers.git.remotes import LocalRemote
from workers.tasks import jobs as tasks

FILES = {
    f"a/m{number}.py": f"from a.m{number + 1} import f{number + 1}\n\n\ndef f{number}() -> int:\n"
    f"    return f{number + 1}()\n"
    for number in range(12)
} | {
    "a/__init__.py": "",
    "a/copy.py": "def same() -> int:\n    return 1\n",
    "b/copy.py": "def same() -> int:\n    return 1\n",
    "deep.py": "x = " + "(" * 3000 + ")" * 3000 + "\n",
    "binary.py": "\0\0\0",
    "package.json": '{"name": "whole"}',
}


@pytest.fixture
def own_settings(own_settings: Settings) -> Settings:
    few = {"wide_parse_bytes": 500, "wide_shard_bytes": 300, "dispatch_lease_seconds": 2}
    return own_settings.model_copy(update=few)


def children(stand: Stand, job_id: JobId) -> list[Job]:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        return jobs.list_page(conn, parent=job_id, limit=100)[::-1]


def states(stand: Stand, job_id: JobId) -> set[JobState]:
    return {child.state for child in children(stand, job_id)}


def objects(stand: Stand) -> list[Path]:
    """The shards that are stored."""
    folder = Path(str(stand.settings.artifacts_url).removeprefix("file://"))
    return [path for path in folder.rglob("shards/*") if path.is_file()]


def shards_stored(stand: Stand) -> list[object]:
    """Rows and objects of shards."""
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        rows = conn.execute(text("select kind from artifacts where kind = 'shards'")).scalars()
        return [*rows, *objects(stand)]


def run_queued(stand: Stand, most: int = 8, **changed: object) -> None:
    """The jobs that may run now, run in this process."""
    settings = stand.settings.model_copy(update=changed)
    with system_session("dispatch", settings=settings) as conn:
        chosen = jobs.pick(conn, slots=most, lease_seconds=60)
    for each in chosen:
        tasks.run(stand.tenant_id, each.job_id, each.epoch, settings)


def is_the_narrow_graph(stand: Stand) -> None:
    """What the ref answers with is what one worker alone makes of it, as another repository."""
    for name in list(stand.processes):
        stand.kill(name)
    link = stand.repo.path.with_name("same")
    link.symlink_to(stand.repo.path)
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        other = repositories.register(conn, url=LocalRemote(link).url, name="same")
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        alone = facade.request_ingestion(conn, repository_id=other.id).id
    run_queued(stand, wide_parse_bytes=0)
    assert stand.job(alone).state is JobState.SUCCEEDED
    assert digest(stand) == digest(stand, repository=other.number)


def told(stand: Stand, job_id: JobId) -> list[dict[str, Any]]:
    """The progress of the job that those who watch were told of."""
    entries = stand.redis().xrange(names.event_stream(stand.tenant_id))
    return [
        json.loads(fields[b"data"])
        for _, fields in entries
        if (fields[b"job"].decode(), fields[b"kind"]) == (str(job_id), b"progress")
    ]


def test_two_workers_parse_one_repository_to_the_graph_that_one_makes(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker("one")
    stand.start_worker("two")
    job = stand.ended(stand.request())
    assert (job.state, job.attempt, job.epoch) == (JobState.SUCCEEDED, 1, 2)
    shards = children(stand, job.id)
    assert len(shards) >= 3
    assert {(shard.kind, shard.state) for shard in shards} == {("parse", JobState.SUCCEEDED)}
    stand.until(lambda: not shards_stored(stand), "the shards are removed")
    nothing_is_left(stand)
    # The facts of all shards are in one pack: the next time, only the change is parsed.
    stand.repo.commit({"a/copy.py": "def other() -> int:\n    return 2\n"})
    changed = stand.ended(stand.request())
    assert (changed.state, children(stand, changed.id)) == (JobState.SUCCEEDED, [])
    assert changed.report is not None
    assert changed.report["files"]["reused"] >= 13
    is_the_narrow_graph(stand)


@pytest.mark.parametrize("place", ["shard", "split"])
def test_a_worker_that_dies_costs_the_part_that_it_was_at(stand: Stand, place: str) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT=f"{place}:kill")
    job_id = stand.request()
    log = stand.logs / "worker.log"
    stand.until(lambda: "SIGKILL" in log.read_text(), "the child is killed")
    stand.kill("worker")
    stand.start_worker("fresh")
    job = stand.ended(job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
    assert job.resets == 0
    assert states(stand, job_id) == {JobState.SUCCEEDED}
    assert bool(sum(shard.resets for shard in children(stand, job_id))) is (place == "shard")
    stand.until(lambda: not shards_stored(stand), "the shards are removed")
    is_the_narrow_graph(stand)


def test_a_job_is_as_far_as_its_shards_and_never_goes_back(stand: Stand) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    seen = []
    while (job := stand.job(job_id)).finished_at is None:
        seen.append(job)
        run_queued(stand, most=1)
    waited = [job for job in seen if job.state is JobState.WAITING]
    assert [job.stage for job in waited] == ["parse"] * len(waited)
    total = sum(shard.files_total for shard in children(stand, job_id))
    assert {job.files_total for job in waited} == {total}
    done = [job.files_done for job in (*waited, seen[-1])]
    assert (done[0], done[-1]) == (0, total)
    assert done == sorted(set(done)), "each shard that ends brings it on"
    percents = [job.percent for job in (*seen, stand.job(job_id))]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    events = told(stand, job_id)
    assert {each["done"] for each in events} >= set(done[1:])
    percents = [each["percent"] for each in events]
    assert percents == sorted(percents)


def test_shards_that_were_damaged_are_parsed_again(stand: Stand) -> None:
    stand.repo.commit(FILES)
    job_id = stand.request()
    run_queued(stand)
    first = children(stand, job_id)
    run_queued(stand)
    assert states(stand, job_id) == {JobState.SUCCEEDED}
    for path in objects(stand):
        data = path.read_bytes()
        path.write_bytes(data[:8] + bytes(len(data) // 2) + data[8 + len(data) // 2 :])
    while stand.job(job_id).finished_at is None:
        run_queued(stand)
    job = stand.job(job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
    assert len(children(stand, job_id)) == 2 * len(first)
    assert shards_stored(stand) == []
    is_the_narrow_graph(stand)


def test_cancelling_a_large_ingestion_ends_its_shards(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="shard:wait")
    job_id = stand.request()
    stand.in_state(job_id, JobState.WAITING)
    stand.until(lambda: JobState.RUNNING in states(stand, job_id), "a shard is parsed")
    stand.cancel(job_id)
    assert stand.job(job_id).state is JobState.CANCELLED
    assert states(stand, job_id) == {JobState.CANCELLED}
    # Its worker is free again.
    assert stand.ended(stand.request("nowhere")).error_code == "ref_not_found"
    assert graph(stand)["documents"] == []
