"""Quotas met by real work: what a host sent is counted, and whatever ends a job settles it."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from graph.errors import QuotaExceeded
from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs, repositories, usage
from graph.storage.jobs import Job
from graph.storage.jobs.table import jobs as table
from graph.storage.repositories import Repository
from graph.storage.reservations import reservations
from graph.storage.session import system_session, tenant_session
from tests.seeding import PLENTY, allow
from tests.workers import githost
from tests.workers.gitrepo import Repo
from tests.workers.stand import Stand
from workers import facade, failpoints
from workers.tasks import jobs as tasks

# Bytes that no compression makes fewer.
NOISE = 300_000


class Hosted:
    """A repository behind https, and jobs about it, run in this process."""

    def __init__(self, stand: Stand, host: githost.Host, certificate: Path) -> None:
        self.stand = stand
        self.host = host
        self.settings = stand.settings.model_copy(update={"git_ca_file": certificate})
        self.repo = Repo(host.root / "hosted")
        self.url = f"{host.url}/hosted/.git"
        with tenant_session(stand.tenant_id, settings=self.settings) as conn:
            self.repository = repositories.register(conn, url=self.url, name="hosted")

    def request(self, repository: Repository | None = None) -> JobId:
        wanted = (repository or self.repository).id
        with tenant_session(self.stand.tenant_id, settings=self.settings) as conn:
            return facade.request_ingestion(conn, repository_id=wanted).id

    def run(self, job_id: JobId | None = None) -> Job:
        return run(self.stand, self.settings, job_id or self.request())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return githost.make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def hosted(stand: Stand, tmp_path: Path, certificate: Path) -> Iterator[Hosted]:
    root = tmp_path / "root"
    root.mkdir()
    with githost.serving(root, certificate) as host:
        yield Hosted(stand, host, certificate)


def standing(stand: Stand, name: str) -> usage.Standing:
    """How the tenant stands, and proof that the rows say the same."""
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        assert usage.recompute(conn) == []
        (found,) = usage.standings(conn, [name])
    return found


def used(stand: Stand, name: str) -> int:
    found = standing(stand, name)
    assert found.reserved == 0
    return found.used


def test_what_a_host_sent_is_counted_once(hosted: Hosted) -> None:
    hosted.repo.commit({"noise.txt": os.urandom(NOISE), "a.py": "a = 1\n"})
    assert hosted.run().state is JobState.SUCCEEDED
    fetched = used(hosted.stand, "clone_bytes")
    assert NOISE < fetched < NOISE + 10_000
    assert hosted.run().state is JobState.SUCCEEDED  # unchanged: nothing is fetched
    assert used(hosted.stand, "clone_bytes") == fetched
    assert used(hosted.stand, "job_minutes") >= 2


def shards(hosted: Hosted) -> list[Path]:
    """What is stored of large ingestions."""
    folder = Path(str(hosted.settings.artifacts_url).removeprefix("file://"))
    return list(folder.rglob("shards/*"))


def run_queued(hosted: Hosted) -> None:
    """Every job that may run now, run in this process."""
    with system_session("dispatch", settings=hosted.settings) as conn:
        chosen = jobs.pick(conn, slots=8, lease_seconds=60)
    for each in chosen:
        tasks.run(hosted.stand.tenant_id, each.job_id, each.epoch, hosted.settings)


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_large_ingestion_has_fetched_is_not_fetched_again(
    hosted: Hosted, *, kept: bool
) -> None:
    """Unless what was kept of it is damaged: then that is found out."""
    hosted.settings = hosted.settings.model_copy(update={"wide_parse_bytes": 1})
    hosted.repo.commit({"noise.txt": os.urandom(NOISE), "a.py": "a = 1\n", "b.py": "b = 1\n"})
    job_id = hosted.request()
    run_queued(hosted)
    assert hosted.stand.job(job_id).state is JobState.WAITING
    fetched = used(hosted.stand, "clone_bytes")
    assert NOISE < fetched < NOISE + 10_000
    run_queued(hosted)
    assert hosted.stand.job(job_id).state is JobState.QUEUED
    if not kept:
        (path,) = [each for each in shards(hosted) if each.stat().st_size > NOISE]
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    before = len(hosted.host.requests)
    run_queued(hosted)
    asked = len(hosted.host.requests) - before
    assert hosted.stand.job(job_id).state is JobState.SUCCEEDED
    assert used(hosted.stand, "clone_bytes") == (fetched if kept else 2 * fetched)
    before = len(hosted.host.requests)
    assert hosted.run().state is JobState.SUCCEEDED  # unchanged: asked for its commit alone
    assert (asked == len(hosted.host.requests) - before) is kept
    assert shards(hosted) == []


def test_a_fetch_ends_at_what_was_left_of_the_month(hosted: Hosted) -> None:
    hosted.repo.commit({"noise.txt": os.urandom(NOISE), "a.py": "a = 1\n"})
    allow(hosted.settings, hosted.stand.tenant_id, clone_bytes=100_000)
    job = hosted.run()
    assert (job.state, job.error_code) == (JobState.FAILED, "quota_exceeded")
    assert "100000 bytes" in str(job.error_message)
    assert 0 < used(hosted.stand, "clone_bytes") <= 100_000
    assert used(hosted.stand, "files") == 0


def test_fetches_at_once_stay_within_the_month(hosted: Hosted) -> None:
    """Two jobs at the edge: one has what is left, the other waits, and gets what came back."""
    stand = hosted.stand
    other = Repo(hosted.repo.path.with_name("other"))
    for repo in (hosted.repo, other):
        repo.commit({"noise.txt": os.urandom(NOISE), "a.py": "a = 1\n"})
    with tenant_session(stand.tenant_id, settings=hosted.settings) as conn:
        url = hosted.url.replace("/hosted/", "/other/")
        second = repositories.register(conn, url=url, name="other")
    allow(hosted.settings, stand.tenant_id, clone_bytes=NOISE * 3)
    asked = [hosted.request(), hosted.request(second)]
    with system_session("dispatch", settings=hosted.settings) as conn:
        chosen = jobs.pick(conn, slots=8, lease_seconds=60)
    threads = [
        threading.Thread(
            target=tasks.run, args=(stand.tenant_id, each.job_id, each.epoch, hosted.settings)
        )
        for each in chosen
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found = standing(stand, "clone_bytes")
        assert found.used + found.reserved <= NOISE * 3
        time.sleep(0.01)
    states = sorted(stand.job(job_id).state for job_id in asked)
    assert JobState.SUCCEEDED in states
    assert set(states) <= {JobState.SUCCEEDED, JobState.QUEUED}
    assert used(stand, "clone_bytes") <= NOISE * 3


def test_a_fetch_that_is_cancelled_has_cost_what_it_brought(
    hosted: Hosted,
) -> None:
    """The host sends slowly; the beats of the lease say what has come."""
    stand = hosted.stand
    hosted.repo.commit({"noise.txt": os.urandom(NOISE), "a.py": "a = 1\n"})
    hosted.host.part_bytes, hosted.host.pause_seconds = NOISE // 4, 3.0
    job_id = hosted.request()
    running = threading.Thread(target=hosted.run, args=(job_id,))
    running.start()
    stand.until(lambda: told(stand, job_id) >= NOISE // 8, "a part has come")
    stand.cancel(job_id)
    settled = used(stand, "clone_bytes")
    assert NOISE // 8 <= settled < NOISE
    running.join(30)
    assert stand.job(job_id).state is JobState.CANCELLED
    assert used(stand, "clone_bytes") == settled


def told(stand: Stand, job_id: JobId) -> int:
    """What an attempt has said so far that it fetched."""
    query = select(reservations.c.spent).where(
        reservations.c.job_id == job_id, reservations.c.resource == "clone_bytes"
    )
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        return conn.execute(query).scalar() or 0


def test_a_commit_that_cannot_fit_is_refused_before_it_is_parsed(stand: Stand) -> None:
    """And a limit that is raised counts at once, for a worker that has been running all along."""
    stand.repo.commit({f"{number}.py": "a = 1\n" for number in range(5)})
    allow(stand.settings, stand.tenant_id, files=4)
    stand.start_dispatcher()
    stand.start_worker()
    job = stand.ended(stand.request())
    assert (job.state, job.error_code) == (JobState.FAILED, "quota_exceeded")
    assert "files: 4" in str(job.error_message)
    stand.redis().flushall()
    allow(stand.settings, stand.tenant_id, files=5, lines=4)
    job = stand.ended(stand.request())
    assert "lines: 4" in str(job.error_message)
    allow(stand.settings, stand.tenant_id, files=5, lines=5, nodes=3)
    job = stand.ended(stand.request())
    assert "nodes: 3" in str(job.error_message)
    assert used(stand, "files") == 0
    allow(stand.settings, stand.tenant_id, files=5, lines=5, nodes=100, stored_bytes=10)
    job = stand.ended(stand.request())
    assert "stored_bytes: 10" in str(job.error_message)
    assert used(stand, "stored_bytes") == 0
    allow(stand.settings, stand.tenant_id, files=5, lines=5, nodes=100)
    assert stand.ended(stand.request()).state is JobState.SUCCEEDED
    assert used(stand, "files") == 5
    assert used(stand, "stored_bytes") > 10


def test_a_killed_worker_pays_for_its_time_and_keeps_nothing_in_reserve(stand: Stand) -> None:
    stand.repo.commit({"a.py": "a = 1\n"})
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="parse:kill")
    job_id = stand.request()
    stand.until(lambda: "SIGKILL" in (stand.logs / "worker.log").read_text(), "it is killed")
    stand.kill("worker")
    stand.redis().flushall()
    stand.until(lambda: stand.job(job_id).resets == 1, "the reaper takes the job back")
    lost = used(stand, "job_minutes")
    assert lost >= 1
    stand.start_worker("fresh")
    assert stand.ended(job_id).state is JobState.SUCCEEDED
    assert used(stand, "job_minutes") > lost


def test_a_job_ends_when_the_rest_of_the_month_is_used_up(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.repo.commit({"a.py": "a = 1\n"})
    settings = stand.settings.model_copy(update={"codeloom_failpoint": "parse:wait"})
    monkeypatch.setattr(failpoints, "_WAIT_SECONDS", 4.0)
    allow(settings, stand.tenant_id, job_minutes=1)
    use_up(stand, seconds=57)
    job = run(stand, settings, stand.request())
    assert (job.state, job.error_code) == (JobState.FAILED, "quota_exceeded")
    assert used(stand, "job_minutes") == 60
    with pytest.raises(QuotaExceeded, match="job_minutes: 1 a month"):
        stand.request()


def use_up(stand: Stand, *, seconds: int) -> None:
    """A job has run so long."""
    job_id = stand.request()
    with system_session("dispatch", settings=stand.settings) as conn:
        (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)
    held = {"job_id": job_id, "epoch": chosen.epoch}
    with tenant_session(stand.tenant_id, role="worker", settings=stand.settings) as conn:
        assert jobs.claim(conn, **held, owner="w", lease_seconds=60, wanted=PLENTY)
    with system_session("dispatch", settings=stand.settings) as conn:
        ago = text(f"now() - interval '{seconds - 0.5} seconds'")
        conn.execute(update(table).where(table.c.job_id == job_id).values(started_at=ago))
    with tenant_session(stand.tenant_id, role="worker", settings=stand.settings) as conn:
        jobs.fail(conn, **held, code="x", message="x")


def run(stand: Stand, settings: Settings, job_id: JobId) -> Job:
    """The job, run in this process."""
    with system_session("dispatch", settings=settings) as conn:
        (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)
    tasks.run(stand.tenant_id, job_id, chosen.epoch, settings)
    return stand.job(job_id)
