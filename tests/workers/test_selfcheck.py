"""A published snapshot is made anew and compared; what differs is told, and nothing is touched."""

import subprocess
import sys

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from graph.storage import jobs, operator_events, sampling
from graph.storage.artifacts import open_store
from graph.storage.operator_events import OperatorEvent
from graph.storage.session import system_session, tenant_session
from tests.workers.digest import digest
from tests.workers.stand import ROOT, Stand
from workers import scratch, selfcheck
from workers.tasks import jobs as tasks

FILES = {
    "a.py": "def a():\n    return 1\n",
    "b.py": "from a import a\n\n\ndef b():\n    return a()\n",
    "README.md": "# a\n",
}
COUNTS = ("missing", "surplus", "incomplete", "altered")


@pytest.fixture
def published(stand: Stand) -> str:
    """The digest of what the ref answers with, after a second, incremental ingestion."""
    for files in (FILES, {"c.py": "from b import b\n\n\ndef c():\n    b()\n"}):
        stand.repo.commit(files)
        job_id = stand.request()
        with system_session("dispatch", settings=stand.settings) as conn:
            (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)
        assert tasks.run(stand.tenant_id, job_id, chosen.epoch, stand.settings) == "succeeded"
    return digest(stand)


def check(stand: Stand) -> tuple[int, list[str], list[str]]:
    """How many differ, what was said of that, and at error level."""
    with capture_logs() as logs:
        differ = selfcheck.check_snapshot(stand.settings)
    said = [each for each in logs if each["event"].startswith("selfcheck.")]
    errors = [each["event"] for each in said if each["log_level"] == "error"]
    return differ, [each["event"] for each in said], errors


def events(stand: Stand) -> list[OperatorEvent]:
    with system_session("administration", settings=stand.settings) as conn:
        wanted = operator_events.Filter(action=sampling.ACTION, tenant_id=stand.tenant_id)
        return operator_events.list_page(conn, wanted, limit=10)


def spoil(stand: Stand, statement: str) -> None:
    with tenant_session(stand.tenant_id, role="owner", settings=stand.settings) as conn:  # type: ignore[arg-type]
        assert conn.execute(text(statement)).rowcount > 0


def test_what_is_right_is_found_right(stand: Stand, published: str) -> None:
    store = open_store(stand.settings.artifacts)
    before = list(store.list(stand.tenant_id))
    assert check(stand) == (0, ["selfcheck.equal"], [])
    assert events(stand) == []
    assert digest(stand) == published
    assert list(store.list(stand.tenant_id)) == before
    assert list(stand.settings.scratch.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "update documents set resolution = decode(repeat('00', 16), 'hex') where path = 'b.py'",
        "delete from edges where kind = (select min(kind) from edges)",
        # As many rows as there should be, and one of them is wrong.
        "update nodes set line = line + 1 where name = 'b'",
        "update edges set certainty = 0 where kind = (select max(kind) from edges)",
    ],
)
def test_what_differs_is_told_and_goes_on_answering(
    stand: Stand, published: str, statement: str
) -> None:
    assert published
    spoil(stand, statement)
    spoilt = digest(stand)
    assert events(stand) == []
    assert check(stand) == (1, ["selfcheck.differs"], ["selfcheck.differs"])
    assert digest(stand) == spoilt
    (event,) = events(stand)
    assert (event.actor.kind, event.outcome, event.code) == ("system", "failed", "snapshot_differs")
    assert event.target is not None
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        heads = conn.execute(text("select snapshot_id from snapshots order by snapshot desc"))
        assert (event.target.kind, event.target.id) == ("snapshot", str(heads.scalars().first()))
    assert event.details["commit"] == stand.repo.git("rev-parse", "HEAD").strip()
    assert sum(event.details[each] for each in COUNTS) > 0


def test_a_remote_that_is_gone_is_no_alarm(stand: Stand, published: str) -> None:
    assert published
    stand.repo.path.rename(stand.repo.path.with_name("gone"))
    assert check(stand) == (0, ["selfcheck.not_made"], [])


def test_a_check_that_is_killed_leaves_only_scratch_and_is_run_again(
    stand: Stand, published: str
) -> None:
    code = (
        "import os, signal\n"
        "from graph.settings import get_settings\n"
        "from workers import selfcheck\n"
        "selfcheck.Resolution = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        "selfcheck.check_snapshot(get_settings())\n"
    )
    ran = [sys.executable, "-c", code]
    died = subprocess.run(ran, cwd=ROOT, env=stand.environment(), check=False)
    assert died.returncode == -9
    assert digest(stand) == published
    assert check(stand) == (0, ["selfcheck.equal"], [])
    assert scratch.sweep(stand.settings.scratch) == 1
