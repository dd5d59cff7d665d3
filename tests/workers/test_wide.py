"""A large ingestion is parsed in shards, by whatever workers there are; the graph is the same."""

from pathlib import Path

import pytest
from sqlalchemy import text

from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs
from graph.storage.jobs import Job
from graph.storage.session import tenant_session
from tests.workers.digest import digest, graph
from tests.workers.stand import Stand
from tests.workers.test_recovery import clean_digest, nothing_is_left

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
NARROW = {"WIDE_PARSE_BYTES": "0"}


@pytest.fixture
def own_settings(own_settings: Settings) -> Settings:
    return own_settings.model_copy(update={"wide_parse_bytes": 500, "wide_shard_bytes": 300})


def children(stand: Stand, job: Job) -> list[Job]:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        return jobs.list_page(conn, parent=job.id, limit=100)[::-1]


def shards_stored(stand: Stand) -> list[str]:
    """Rows and objects of shards, by kind."""
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        rows = conn.execute(text("select 'row' from artifacts where kind = 'shards'")).scalars()
        found = list(rows)
    folder = Path(str(stand.settings.artifacts_url).removeprefix("file://"))
    return found + ["object" for path in folder.rglob("shards/*") if path.is_file()]


def is_the_narrow_graph(stand: Stand) -> None:
    """What the ref answers with is what one worker alone makes of it."""
    wide = digest(stand)
    for name in list(stand.processes):
        if name != "dispatcher":
            stand.kill(name)
    stand.start_worker("narrow", **NARROW)
    assert clean_digest(stand) == wide


def test_two_workers_parse_one_repository_to_the_graph_that_one_makes(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker("one")
    stand.start_worker("two")
    job = stand.ended(stand.request())
    assert (job.state, job.attempt, job.epoch) == (JobState.SUCCEEDED, 1, 2)
    shards = children(stand, job)
    assert len(shards) >= 3
    assert {(shard.kind, shard.state) for shard in shards} == {("parse", JobState.SUCCEEDED)}
    stand.until(lambda: not shards_stored(stand), "the shards are removed")
    nothing_is_left(stand)
    # The facts of all shards are in one pack: the next time, only the change is parsed.
    stand.repo.commit({"a/copy.py": "def other() -> int:\n    return 2\n"})
    changed = stand.ended(stand.request())
    assert (changed.state, children(stand, changed)) == (JobState.SUCCEEDED, [])
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
    shards = children(stand, job)
    assert {shard.state for shard in shards} == {JobState.SUCCEEDED}
    assert bool(sum(shard.resets for shard in shards)) is (place == "shard")
    stand.until(lambda: not shards_stored(stand), "the shards are removed")
    is_the_narrow_graph(stand)


def test_shards_that_were_damaged_are_parsed_again(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="resolve:kill")
    job_id = stand.request()
    log = stand.logs / "worker.log"
    stand.until(lambda: "SIGKILL" in log.read_text(), "the child is killed")
    stand.kill("worker")
    first = children(stand, stand.job(job_id))
    folder = Path(str(stand.settings.artifacts_url).removeprefix("file://"))
    for path in folder.rglob("shards/*"):
        data = path.read_bytes()
        path.write_bytes(data[:8] + bytes(len(data) // 2) + data[8 + len(data) // 2 :])
    stand.start_worker("fresh")
    job = stand.ended(job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
    assert len(children(stand, job)) == 2 * len(first)
    is_the_narrow_graph(stand)


def test_cancelling_a_large_ingestion_ends_its_shards(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="shard:wait")
    job_id = stand.request()
    stand.in_state(job_id, JobState.WAITING)
    job = stand.job(job_id)
    stand.until(
        lambda: any(each.state is JobState.RUNNING for each in children(stand, job)),
        "a shard is parsed",
    )
    stand.cancel(job_id)
    states = {each.state for each in children(stand, job)}
    assert (stand.job(job_id).state, states) == (JobState.CANCELLED, {JobState.CANCELLED})
    # Its worker is free again.
    assert stand.ended(stand.request("nowhere")).error_code == "ref_not_found"
    assert graph(stand)["documents"] == []
