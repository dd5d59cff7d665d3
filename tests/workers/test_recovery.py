"""Workers die, freeze and are stopped, messages are lost and doubled; no job is.

Each test ends with the graph of a clean run, or with the one that was there before.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graph.model.jobs import JobState
from graph.storage import repositories
from graph.storage.session import tenant_session
from tests.workers.digest import digest, graph
from tests.workers.stand import ROOT, Stand
from workers import facade
from workers.git.remotes import LocalRemote

FILES = {
    "a/__init__.py": "from a.one import One\n",
    "a/one.py": "from a.two import two\n\nclass One:\n    def go(self):\n        return two()\n",
    "a/two.py": "def two() -> int:\n    return 2\n",
    "README.md": "# a\n",
}
BOUNDARIES = ("checkout", "inventory", "parse", "resolve", "load", "publish", "published")


def clean_digest(stand: Stand) -> str:
    """The digest of the same commit, ingested in one go as another repository."""
    link = stand.repo.path.with_name("same")
    link.symlink_to(stand.repo.path)
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        other = repositories.register(conn, url=LocalRemote(link).url, name="same")
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        job_id = facade.request_ingestion(conn, repository_id=other.id).id
    assert stand.ended(job_id).state is JobState.SUCCEEDED
    return digest(stand, repository=other.number)


def children(stand: Stand, name: str = "worker") -> list[int]:
    """The processes that run the tasks of a worker."""
    pid = stand.processes[name].pid
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def nothing_is_left(stand: Stand) -> None:
    stand.until(lambda: not list(stand.settings.scratch.iterdir()), "scratch is empty")
    uploads = Path(str(stand.settings.artifacts_url).removeprefix("file://")) / "uploads"
    assert not uploads.exists() or list(uploads.iterdir()) == []


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_killed_worker_leaves_nothing_visible_and_its_job_is_run_again(
    stand: Stand, boundary: str
) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT=f"{boundary}:kill")
    job_id = stand.request()
    log = stand.logs / "worker.log"
    stand.until(lambda: "SIGKILL" in log.read_text(), "the child is killed")
    stand.kill("worker")
    published = boundary == "published"
    assert bool(graph(stand)["documents"]) is published
    assert (stand.job(job_id).state is JobState.SUCCEEDED) is published

    stand.start_worker("fresh")
    job = stand.ended(job_id)
    assert (job.state, job.attempt, job.resets) == (JobState.SUCCEEDED, 1, 0 if published else 1)
    assert digest(stand) == clean_digest(stand)
    nothing_is_left(stand)


def test_a_job_that_kills_its_worker_again_and_again_is_dead(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="parse:kill")
    job = stand.ended(stand.request(), 60)
    assert (job.state, job.resets, job.error_code) == (JobState.DEAD, 3, "worker_lost")
    assert graph(stand)["documents"] == []


def test_a_passing_failure_is_tried_again_and_counted(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="load:raise")
    job_id = stand.request()
    stand.until(lambda: stand.job(job_id).error_code, "the attempt fails")
    job = stand.job(job_id)
    assert (job.state, job.attempt, job.error_code) == (JobState.QUEUED, 1, "storage_unavailable")


def test_a_cancelled_job_stops_and_frees_its_worker(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="parse:wait")
    first = stand.request()
    stand.until(lambda: stand.job(first).stage == "parse", "the job is parsing")
    stand.cancel(first)
    cancelled = time.monotonic()
    second = stand.request("nowhere")
    job = stand.ended(second)
    assert time.monotonic() - cancelled < 20
    assert job.error_code == "ref_not_found"
    assert stand.job(first).state is JobState.CANCELLED
    nothing_is_left(stand)


def test_a_worker_that_is_asked_to_stop_gives_its_job_back(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="parse:wait")
    job_id = stand.request()
    stand.until(lambda: stand.job(job_id).stage == "parse", "the job is parsing")
    assert stand.terminate("worker") == 0
    stand.start_worker("fresh")
    job = stand.ended(job_id)
    assert (job.state, job.attempt, job.resets) == (JobState.SUCCEEDED, 1, 0)
    nothing_is_left(stand)


def test_a_frozen_worker_that_wakes_finds_its_job_lost_and_never_works_beside_another(
    stand: Stand,
) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="parse:wait")
    job_id = stand.request()
    stand.until(lambda: stand.job(job_id).stage == "parse", "the job is parsing")
    (frozen,) = children(stand)
    os.kill(frozen, signal.SIGSTOP)
    stand.until(lambda: stand.job(job_id).resets == 1, "the job is taken back")
    stand.start_worker("other")
    stand.until(lambda: stand.job(job_id).error_code == "lease_lost", "the other has to wait")
    os.kill(frozen, signal.SIGCONT)
    job = stand.ended(job_id)
    assert (job.state, job.resets) == (JobState.SUCCEEDED, 1)
    nothing_is_left(stand)


def test_jobs_outlive_an_emptied_broker(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    jobs = [stand.request(ref) for ref in ("main", "HEAD", "refs/heads/main")]
    for job_id in jobs:
        stand.in_state(job_id, JobState.DISPATCHED)
    stand.redis().flushall()
    stand.start_worker()
    assert {stand.ended(job_id).state for job_id in jobs} == {JobState.SUCCEEDED}


def test_messages_that_come_twice_late_or_from_nowhere_do_nothing(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker()
    job_id = stand.request()
    job = stand.ended(job_id)
    tenant = str(stand.tenant_id)
    messages = [
        {"tenant_id": tenant, "job_id": str(job_id), "epoch": job.epoch},
        {"tenant_id": tenant, "job_id": str(job_id), "epoch": job.epoch - 1},
        {"tenant_id": tenant, "job_id": str(stand.tenant_id), "epoch": 1},
        {"tenant_id": str(job_id), "job_id": str(job_id), "epoch": job.epoch},
        {"tenant_id": tenant, "job_id": str(job_id), "epoch": "z"},
        {"tenant_id": None, "job_id": [], "epoch": {}},
        {"surprise": True},
    ]
    send(stand, messages)
    log = stand.logs / "worker.log"
    stand.until(lambda: log.read_text().count("outcome=") >= 7, "the messages are refused")
    assert stand.job(job_id) == job
    assert stand.ended(stand.request(force=True)).state is JobState.SUCCEEDED


def send(stand: Stand, messages: list[dict[str, object]]) -> None:
    """Put messages into the queue as somebody else might."""
    code = (
        "import json, sys\nfrom workers.celery_app import app\n"
        "for kwargs in json.loads(sys.argv[1]):\n"
        "    app.send_task('workers.tasks.parse_and_index_repository', kwargs=kwargs)"
    )
    subprocess.run(
        [sys.executable, "-c", code, json.dumps(messages)],
        cwd=ROOT,
        env=stand.environment(),
        check=True,
    )
