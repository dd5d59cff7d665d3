"""A database that is away for a moment is not a worker that died with its job."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from graph.errors import StorageError
from graph.model import names
from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.storage import jobs
from graph.storage.locks import SessionLock
from graph.storage.session import system_session, tenant_session
from tests.workers.stand import Stand
from tests.workers.test_lease import dispatch, wait, working
from workers import lease
from workers.tasks import jobs as tasks


class Door:
    """Whether the database takes new connections, and an end to those there are."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._name = connection.info.dbname

    def shut(self) -> None:
        self._connection.execute(f'alter database "{self._name}" connection limit 0')

    def open(self) -> None:
        self._connection.execute(f'alter database "{self._name}" connection limit -1')

    def cut(self) -> None:
        self._connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


@pytest.fixture
def door(stand: Stand) -> Iterator[Door]:
    assert stand.settings.database_url is not None
    with psycopg.connect(stand.settings.database_url, autocommit=True) as connection:
        made = Door(connection)
        yield made
        made.open()


def test_a_job_is_left_where_it_is_without_a_connection_for_its_lock(
    stand: Stand, door: Door
) -> None:
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)
    # Those of the pool are there already; one for a lock is new.
    with tenant_session(stand.tenant_id, role="worker", settings=stand.settings):
        pass
    door.shut()
    with (
        pytest.raises(StorageError),
        lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "me"),
    ):
        pass
    door.open()
    assert stand.job(job_id).state is JobState.DISPATCHED
    with lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "me") as held:
        assert held is not None


def test_how_a_job_ended_is_said_when_the_database_is_back(
    stand: Stand, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)

    def fail(*_: object) -> None:
        door.shut()
        door.cut()
        threading.Timer(1.5, door.open).start()
        raise StorageError

    monkeypatch.setitem(tasks.WORK, "ingest", fail)
    assert tasks.run(stand.tenant_id, job_id, epoch, stand.settings) == "queued"
    job = stand.job(job_id)
    assert (job.attempt, job.resets, job.error_code) == (1, 0, "storage_unavailable")


def test_who_cannot_have_the_lock_back_goes_on_while_the_row_is_its(stand: Stand) -> None:
    """The server may take the session that was cut for a living one for a while."""
    with working(stand) as held:
        name = names.job_lock(stand.tenant_id, held.job.id)
        with SessionLock(stand.settings, name) as former:
            cut(stand, former.acquire)
            time.sleep(3)
            held.check()
        wait(lambda: not taken(stand, held.job.id), 15)
        held.check()


def cut(stand: Stand, acquire: Callable[[], bool]) -> None:
    """End the session that holds the lock of the job, and have another take it at once."""
    assert stand.settings.database_url is not None
    with psycopg.connect(stand.settings.database_url, autocommit=True) as connection:
        while not acquire():
            connection.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
                " and granted and database ="
                " (select oid from pg_database where datname = current_database())"
            )


def taken(stand: Stand, job_id: JobId) -> bool:
    """Whether the reaper would take the lock for free."""
    with SessionLock(stand.settings, names.job_lock(stand.tenant_id, job_id)) as other:
        return other.acquire()


def test_who_could_not_beat_while_the_database_was_away_is_not_taken_for_dead(
    stand: Stand, door: Door
) -> None:
    stand.settings = stand.settings.model_copy(update={"lease_seconds": 8})
    stand.start_dispatcher()
    with ExitStack() as working:
        held = []
        for ref in ("main", "next", "last"):
            job = stand.in_state(stand.request(ref), JobState.DISPATCHED)
            mine = lease.hold(stand.settings, stand.tenant_id, job.id, job.epoch, "me")
            held.append(working.enter_context(mine))
        door.shut()
        door.cut()
        time.sleep(6)  # longer than whoever beats is silent, and not as long as a lease
        door.open()
        # Looked at again, and again when the calm after the outage is over.
        time.sleep(8)
        for each in held:
            assert each is not None
            each.check()
            assert stand.job(each.job.id).resets == 0


def test_a_worker_that_is_frozen_for_good_does_not_keep_its_job(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_FROZEN_LEASES", 1)
    with working(stand) as frozen:
        time.sleep(stand.settings.lease_seconds + 1)
        assert not taken(stand, frozen.job.id), "it says something now and then"
        # From now on it says nothing, and its session lives.
        frozen.stop()
        wait(lambda: taken(stand, frozen.job.id), 30)


def test_who_waits_for_a_former_worker_may_find_the_job_cancelled(stand: Stand) -> None:
    job_id = stand.request("main")
    epoch = dispatch(stand, job_id)
    with system_session("dispatch", settings=stand.settings) as conn:
        assert jobs.reap(conn) == []
    with lease.hold(stand.settings, stand.tenant_id, job_id, epoch, "me") as held:
        assert held is not None
        stand.cancel(job_id)
        lease._give_back(stand.settings, held.job)
    assert stand.job(job_id).state is JobState.CANCELLED


def test_a_broker_that_is_away_takes_nobodys_lead(stand: Stand) -> None:
    """To find out takes seconds: who leads goes on meanwhile with what needs no broker."""
    away = {"redis_url": "redis://127.0.0.1:1/0", "dispatch_lease_seconds": 2}
    stand.settings = stand.settings.model_copy(update=away)
    stand.start_dispatcher()
    job_id = stand.request("main")
    # Each is taken back in its time, though the message of none has been sent.
    stand.until(lambda: stand.job(job_id).epoch >= 4, "the job is dispatched again and again")
    log = (stand.logs / "dispatcher.log").read_text()
    # On a machine that is too busy it may be taken for frozen once; not each time it tells.
    assert log.count("dispatcher.leads") <= 2
