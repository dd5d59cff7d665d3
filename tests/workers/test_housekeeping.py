"""What is removed by the clock is removed by a run that was killed and another: all, and once."""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from graph.storage import audit, idempotency, retention
from graph.storage.artifacts import open_store
from graph.storage.audit import Actor
from graph.storage.session import tenant_session
from tests.workers.stand import ROOT, Stand
from workers import housekeeping
from workers.schedule import PERIODIC

# In the middle of the second batch of two.
DYING = """
import os, signal
from graph.settings import get_settings
from graph.storage import retention
from workers import housekeeping
housekeeping._BATCH = 2
real, calls = getattr(retention, {name!r}), []
def dying(*given, **named):
    done = real(*given, **named)
    calls.append(done)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
setattr(retention, {name!r}, dying)
housekeeping.{work}(get_settings())
"""


def die(stand: Stand, work: str, name: str) -> None:
    ran = [sys.executable, "-c", DYING.format(work=work, name=name)]
    assert subprocess.run(ran, cwd=ROOT, env=stand.environment(), check=False).returncode == -9


def as_owner(stand: Stand, statement: str) -> None:
    with tenant_session(stand.tenant_id, role="owner", settings=stand.settings) as conn:  # type: ignore[arg-type]
        assert conn.execute(text(statement)).rowcount > 0


def count(stand: Stand, table: str) -> int:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        return int(conn.execute(text(f"select count(*) from {table}")).scalar_one())


def test_expired_records_are_removed_in_two_runs(stand: Stand) -> None:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        for number in range(5):
            idempotency.begin(conn, key=f"key {number}", fingerprint=bytes(32))
    past = "set expires_at = now() - interval '1 second' where idempotency_key <> 'key 4'"
    as_owner(stand, f"update idempotency_records {past}")
    die(stand, "remove_expired", "remove_expired_records")
    assert count(stand, "idempotency_records") == 3
    assert housekeeping.remove_expired(stand.settings) == 2
    assert housekeeping.remove_expired(stand.settings) == 0
    assert count(stand, "idempotency_records") == 1


def test_events_are_archived_in_two_runs_and_each_is_in_one_archive(stand: Stand) -> None:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        for number in range(5):
            audit.record(conn, actor=Actor("system", None), action=f"act_{number}")
    as_owner(stand, "update audit_events set at = now() - interval '1 year'")
    die(stand, "archive_audit_events", "archive_audit_events")
    assert count(stand, "audit_events") == 3
    assert housekeeping.archive_audit_events(stand.settings) == 3
    assert count(stand, "audit_events") == 0
    store = open_store(stand.settings.artifacts)
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        archives = list(conn.execute(retention.audit_archives.select()))
    kept = [
        event["action"]
        for archive in archives
        for event in retention.archived_events(store, stand.tenant_id, archive.sha256)
    ]
    assert sorted(kept) == [f"act_{number}" for number in range(5)]


def test_what_runs_by_the_clock_is_documented() -> None:
    document = (Path(ROOT) / "docs" / "operators.md").read_text()
    for row in PERIODIC:
        assert f"| `{row.name}` |" in document
