"""Refs that moved on their remotes are ingested without being asked for: fairly, and once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from graph.model.ids import TenantId
from graph.model.jobs import JobState
from graph.storage import jobs, repositories, tenants
from graph.storage.jobs import Job
from graph.storage.session import system_session, tenant_session
from tests.workers import githost
from tests.workers.stand import ROOT, Stand
from workers import facade, reconciling, scratch
from workers.git.remotes import LocalRemote
from workers.tasks import jobs as tasks

FILES = {"a.py": "def a():\n    return 1\n"}


def ingest(stand: Stand, *refs: str) -> None:
    for ref in refs:
        stand.request(ref)
    finish(stand)


def finish(stand: Stand) -> None:
    """Run everything that waits, here."""
    while True:
        with system_session("dispatch", settings=stand.settings) as conn:
            chosen = jobs.pick(conn, slots=8, lease_seconds=60)
        if not chosen:
            return
        for one in chosen:
            tasks.run(one.tenant_id, one.job_id, one.epoch, stand.settings)


def unfinished(stand: Stand, tenant_id: TenantId | None = None) -> list[Job]:
    with tenant_session(tenant_id or stand.tenant_id, settings=stand.settings) as conn:
        return jobs.unfinished(conn, limit=100)


def branches(stand: Stand, *names: str) -> None:
    stand.repo.commit(FILES)
    for name in names:
        stand.repo.git("branch", name)


def move(stand: Stand, *names: str) -> None:
    stand.repo.commit({"b.py": f"b = {uuid4().hex!r}\n"})
    for name in names:
        stand.repo.git("branch", "--force", name, "HEAD")


def test_a_tracked_ref_that_moved_is_ingested_and_another_is_not(stand: Stand) -> None:
    branches(stand, "moves", "stays", "untracked")
    ingest(stand, "moves", "stays")
    assert reconciling.reconcile_refs(stand.settings) == 0
    move(stand, "moves", "untracked")
    assert reconciling.reconcile_refs(stand.settings) == 1
    (job,) = unfinished(stand)
    assert (job.kind, job.ref, job.created_by) == ("ingest", "moves", None)
    # What waits already is not asked for again.
    assert reconciling.reconcile_refs(stand.settings) == 0
    finish(stand)
    assert stand.job(job.id).state is JobState.SUCCEEDED
    assert reconciling.reconcile_refs(stand.settings) == 0
    assert list(stand.settings.scratch.iterdir()) == []


def test_the_default_branch_is_asked_for_once_by_its_name(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.request()
    finish(stand)
    move(stand)
    assert reconciling.reconcile_refs(stand.settings) == 1
    assert [job.ref for job in unfinished(stand)] == ["main"]
    finish(stand)
    assert reconciling.reconcile_refs(stand.settings) == 0


def test_what_failed_is_left_alone_for_a_day(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    branches(stand, "one")
    ingest(stand, "one")
    move(stand, "one")
    job_id = stand.request("one")
    stand.cancel(job_id)
    assert reconciling.reconcile_refs(stand.settings) == 0
    monkeypatch.setattr("graph.storage.tracking._LEFT_ALONE_HOURS", 0)
    assert reconciling.reconcile_refs(stand.settings) == 1


def test_one_broken_remote_is_in_nobodys_way(stand: Stand) -> None:
    branches(stand, "one")
    ingest(stand, "one")
    broken = stand.repo.path.with_name("broken")
    broken.symlink_to(stand.repo.path)
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        other = repositories.register(conn, url=LocalRemote(broken).url, name="broken")
        facade.request_ingestion(conn, repository_id=other.id)
    finish(stand)
    broken.unlink()
    move(stand, "one")
    assert reconciling.reconcile_refs(stand.settings) == 1


def test_every_ref_gets_its_turn_and_a_full_queue_is_respected(stand: Stand) -> None:
    names = [f"ref-{number}" for number in range(5)]
    branches(stand, *names)
    ingest(stand, *names)
    settings = stand.settings.model_copy(update={"reconciled_refs": 2})
    move(stand, *names)
    folder = stand.settings.scratch / "looks"
    folder.mkdir(parents=True, exist_ok=True)
    with tenant_session(stand.tenant_id, role="worker", settings=settings) as conn:
        windows = [reconciling.tracking.tracked(conn, number=n, most=2) for n in range(7)]
    assert sorted(ref.name for window in windows[:3] for ref in window) == names
    assert windows[3:6] == windows[:3]
    with system_session("administration", settings=settings) as conn:
        tenants.change(conn, tenant_id=stand.tenant_id, limits={"queued_jobs": 1})
    assert reconciling.reconcile_tenant(settings, stand.tenant_id, folder, 0) == 1
    assert reconciling.reconcile_tenant(settings, stand.tenant_id, folder, 1) == 0


def test_nothing_is_asked_for_suspended_tenants_or_when_it_is_off(stand: Stand) -> None:
    branches(stand, "one")
    ingest(stand, "one")
    move(stand, "one")
    off = stand.settings.model_copy(update={"reconciled_refs": 0})
    assert reconciling.reconcile_refs(off) == 0
    with system_session("administration", settings=stand.settings) as conn:
        tenants.suspend(conn, tenant_id=stand.tenant_id, reason="unpaid")
    assert reconciling.reconcile_refs(stand.settings) == 0
    assert unfinished(stand) == []


def test_a_pass_that_is_killed_is_run_again_and_asks_for_nothing_twice(stand: Stand) -> None:
    names = ["one", "two", "three"]
    branches(stand, *names)
    ingest(stand, *names)
    move(stand, *names)
    code = (
        "import os, signal\n"
        "from graph.settings import get_settings\n"
        "from workers import reconciling\n"
        "ask = reconciling._ask\n"
        "def once(*given):\n"
        "    ask(*given)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "reconciling._ask = once\n"
        "reconciling.reconcile_refs(get_settings())\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=stand.environment(), check=False
    )
    assert died.returncode == -9
    assert len(unfinished(stand)) == 1
    assert reconciling.reconcile_refs(stand.settings) == 2
    assert sorted(str(job.ref) for job in unfinished(stand)) == sorted(names)
    assert scratch.sweep(stand.settings.scratch) == 1


@pytest.fixture
def host(stand: Stand, tmp_path: Path) -> Iterator[githost.Host]:
    """Serves the stand's repositories over the network."""
    certificate = githost.make_certificate(tmp_path)
    with githost.serving(tmp_path, certificate) as running:
        yield running


def test_what_is_behind_https_is_looked_at_and_a_host_that_refuses_is_in_nobodys_way(
    stand: Stand, host: githost.Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = stand.settings.model_copy(update={"git_ca_file": tmp_path / "host.pem"})
    monkeypatch.setattr(stand, "settings", trusting)
    branches(stand, "one")
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        url = f"{host.url}/{stand.repo.path.name}/.git"
        remote = repositories.register(conn, url=url, name="remote")
        facade.request_ingestion(conn, repository_id=remote.id, ref="one")
    ingest(stand, "one")
    assert reconciling.reconcile_refs(stand.settings) == 0
    move(stand, "one")
    host.status = 401
    with capture_logs() as logs:
        assert reconciling.reconcile_refs(stand.settings) == 1
    assert [each["error"] for each in logs if each["event"] == "reconcile.not_found_out"] == [
        "authentication_required"
    ]
    host.status = 0
    assert reconciling.reconcile_refs(stand.settings) == 1
    assert {job.repository_id for job in unfinished(stand)} == {remote.id, stand.repository.id}
    finish(stand)
    assert reconciling.reconcile_refs(stand.settings) == 0
