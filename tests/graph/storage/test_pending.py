"""What is announced and not made visible is removed, and never what somebody else counts on."""

import hashlib
import threading
import time

import pytest
from sqlalchemy import text

from graph.errors import ArtifactNotFound, LeaseLost
from graph.model.jobs import JobState
from graph.storage import artifact_rows, jobs, pending, purging, retention
from graph.storage.artifacts import Artifact, FileStore, artifact_key
from graph.storage.pending import Pending
from graph.storage.session import system_session
from tests.seeding import PLENTY

BODY = b"facts of something"
FACTS = Artifact("facts", hashlib.sha256(BODY).digest(), len(BODY))


class Desk:
    """Jobs that run, and a store."""

    def __init__(self, settings, session, tenant, repository, folder):
        self.settings, self.session = settings, session
        self.tenant, self.repository = tenant, repository
        self.store = FileStore(folder)
        self.key = artifact_key(tenant, FACTS.kind, FACTS.sha256)

    def start(self, ref):
        """The id and the epoch of a job that runs."""
        with self.session() as conn:
            job = jobs.request(conn, repository=self.repository, ref=ref)
        with system_session("dispatch", settings=self.settings) as conn:
            chosen = {one.job_id: one.epoch for one in jobs.pick(conn, slots=1000)}
        held = {"job_id": job.id, "epoch": chosen[job.id]}
        with self.session(role="worker") as conn:
            assert jobs.claim(conn, **held, owner="w", lease_seconds=60, wanted=PLENTY)
        return held

    def announce(self, held):
        with self.session(role="worker") as conn:
            pending.announce(conn, **held, artifact=FACTS)

    def put(self):
        self.store.put_stream(self.key, [BODY])

    def confirm(self, held):
        number = self.repository.number
        with self.session(role="worker") as conn:
            jobs.finish(conn, **held, report={})
            pending.confirm(conn, **held, artifacts=[FACTS], repository=number)

    def end(self, held, state):
        with self.session(role="worker") as conn:
            match state:
                case JobState.FAILED:
                    jobs.fail(conn, **held, code="x", message="x")
                case JobState.QUEUED:
                    jobs.retry_later(conn, **held, code="x", message="x")
                case JobState.CANCELLED:
                    jobs.cancel(conn, job_id=held["job_id"])

    def left(self):
        with self.session(role="worker") as conn:
            return pending.left(conn, limit=100)

    def settle(self):
        removed = []
        for each in self.left():
            with self.session(role="worker") as conn:
                removed.append(pending.settle(conn, self.store, each))
        return removed

    def there(self):
        return self.store.head(self.key) is not None


@pytest.fixture
def desk(settings, session, tenant, repository, tmp_path):
    return Desk(settings, session, tenant, repository, tmp_path)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.QUEUED, JobState.CANCELLED])
@pytest.mark.parametrize("stored", [True, False])
def test_what_an_attempt_left_is_removed_when_it_is_over_and_not_before(desk, state, stored):
    held = desk.start("main")
    desk.announce(held)
    if stored:
        desk.put()
    assert desk.left() == []
    desk.end(held, state)
    assert desk.left() == [Pending(held["job_id"], held["epoch"], FACTS.kind, FACTS.sha256)]
    assert desk.settle() == [True]
    assert not desk.there()
    assert desk.left() == []


def test_what_was_made_visible_is_not_pending(desk):
    held = desk.start("main")
    desk.announce(held)
    desk.announce(held)
    desk.put()
    desk.confirm(held)
    assert desk.left() == []
    with desk.session() as conn:
        assert artifact_rows.get(conn, kind=FACTS.kind, sha256=FACTS.sha256) == FACTS


@pytest.mark.parametrize("visible", [True, False])
def test_what_another_job_has_or_is_about_to_have_stays(desk, visible):
    gone, other = desk.start("main"), desk.start("other")
    for held in (gone, other):
        desk.announce(held)
    desk.put()
    if visible:
        desk.confirm(other)
    desk.end(gone, JobState.FAILED)
    assert desk.settle() == [False]
    assert desk.there()
    if not visible:
        desk.confirm(other)
    assert desk.left() == []


def test_what_two_left_goes_with_the_last(desk):
    held = [desk.start("main"), desk.start("other")]
    for each in held:
        desk.announce(each)
    desk.put()
    for each in held:
        desk.end(each, JobState.FAILED)
    assert desk.settle() == [True, True]
    assert not desk.there()


def test_a_job_that_is_lost_announces_nothing(desk):
    held = desk.start("main")
    with pytest.raises(LeaseLost):
        desk.announce({**held, "epoch": held["epoch"] + 1})
    desk.end(held, JobState.CANCELLED)
    with pytest.raises(LeaseLost):
        desk.announce(held)
    assert desk.left() == []


def test_what_is_discarded_goes_while_its_job_runs_unless_somebody_announced_it(desk):
    held, other = desk.start("main"), desk.start("other")
    each = Pending(held["job_id"], held["epoch"], FACTS.kind, FACTS.sha256)
    desk.put()
    with desk.session(role="worker") as conn:
        pending.discard(conn, [each])
    desk.announce(other)
    assert desk.settle() == [False]
    assert desk.there()
    with desk.session(role="worker") as conn:
        pending.discard(conn, [each])
    desk.end(other, JobState.FAILED)
    assert desk.settle() == [True, True]


def test_whoever_announces_what_is_being_removed_waits_and_stores_it_again(desk):
    gone, other = desk.start("main"), desk.start("other")
    desk.announce(gone)
    desk.put()
    desk.end(gone, JobState.FAILED)
    (each,) = desk.left()
    announcing = threading.Thread(target=desk.announce, args=(other,))
    with desk.session(role="worker") as conn:
        assert pending.settle(conn, desk.store, each)
        announcing.start()
        deadline = time.monotonic() + 30
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while conn.execute(text(waits)).scalar_one() == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert announcing.is_alive()
        assert not desk.there()
    announcing.join(30)
    desk.put()
    assert desk.settle() == []
    desk.confirm(other)
    assert desk.there()


def test_a_purge_leaves_what_an_attempt_counts_on(desk):
    first, second = desk.start("main"), desk.start("other")
    forget = {"repository": desk.repository.number, "everything": False, "batch": 10}
    desk.announce(first)
    desk.put()
    desk.confirm(first)
    with desk.session(role="owner") as conn:
        conn.execute(text("update artifacts set created_at = created_at - interval '3 hours'"))
    desk.announce(second)
    with desk.session(role="worker") as conn:
        assert purging.forget_artifacts(conn, **forget) == []
    # Stored again, it is young.
    desk.confirm(second)
    with desk.session(role="worker") as conn:
        assert purging.forget_artifacts(conn, **forget) == []
    with desk.session(role="owner") as conn:
        conn.execute(text("update artifacts set created_at = created_at - interval '3 hours'"))
    with desk.session(role="worker") as conn:
        assert purging.forget_artifacts(conn, **forget) == [FACTS]


def test_who_has_something_pending_is_known_over_all_tenants(desk, settings, tenant, stranger):
    held = desk.start("main")
    desk.announce(held)
    with system_session("maintenance", settings=settings) as conn:
        found = retention.tenants_with_pending(conn)
    assert tenant in found
    assert stranger not in found


def test_what_is_lent_stays_until_its_job_has_ended(desk):
    held = desk.start("main")
    desk.announce(held)
    desk.put()
    number = desk.repository.number
    with desk.session(role="worker") as conn:
        pending.confirm(conn, **held, artifacts=[FACTS], repository=number)
        pending.lend(conn, job_id=held["job_id"], artifacts=[FACTS])
    desk.end(held, JobState.QUEUED)
    assert desk.left() == []
    with desk.session(role="worker") as conn:
        jobs.cancel(conn, job_id=held["job_id"])
    (each,) = desk.left()
    # It is asked for again before anybody has settled that.
    with desk.session() as conn:
        jobs.retry(conn, job_id=held["job_id"])
    with desk.session(role="worker") as conn:
        assert not pending.settle(conn, desk.store, each)
    assert desk.there()
    with desk.session(role="worker") as conn:
        jobs.cancel(conn, job_id=held["job_id"])
    assert desk.settle() == [True]
    assert not desk.there()
    with desk.session() as conn, pytest.raises(ArtifactNotFound):
        artifact_rows.get(conn, kind=FACTS.kind, sha256=FACTS.sha256)
