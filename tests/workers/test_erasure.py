"""A tenant is erased: all of it, nothing of others, and what was removed is counted once."""

import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from graph.errors import (
    StorageError,
    StorageRefused,
    TenantErasing,
    TenantNotFound,
    TenantSuspended,
)
from graph.model import names
from graph.model.ids import DocumentId, ErasureId, RepositoryNumber, TenantId
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import (
    artifacts,
    audit,
    erasures,
    jobs,
    keys,
    load,
    locks,
    operator_events,
    periodic,
    tenants,
)
from graph.storage.copying import Numbered, store_documents
from graph.storage.erasures import Erasure
from graph.storage.locks import SessionLock
from graph.storage.session import system_session, tenant_session
from tests import seeding
from tests.graph.storage.samples import document
from tests.servers import Servers
from tests.workers.estate import Estates
from tests.workers.stand import Stand
from workers import erasure
from workers.schedule import BY_NAME
from workers.tasks import erase_tenant
from workers.tasks import periodic as periodic_tasks

FILES = {"a.py": "def one():\n    return two()\n\ndef two():\n    return 2\n"}
RUN = """
import sys
from uuid import UUID
from graph.settings import get_settings
from workers import erasure
print(erasure.run(get_settings(), UUID(sys.argv[1]), batch_rows=2))
"""


@pytest.fixture
def estates(own_settings: Settings, real_servers: Servers) -> Iterator[Estates]:
    made = Estates(own_settings, real_servers)
    yield made
    made.close()


def request(settings: Settings, tenant_id: TenantId) -> ErasureId:
    with system_session("administration", settings=settings) as conn:
        return erasures.request(conn, tenant_id=tenant_id).id


def state(settings: Settings, erasure_id: ErasureId) -> Erasure:
    with system_session("administration", settings=settings) as conn:
        return erasures.get(conn, erasure_id=erasure_id)


def evidence_of(estates: Estates, tenant_id: TenantId) -> dict[str, Any]:
    """What an erasure from now on has to count."""
    return {
        "rows": estates.counts(tenant_id),
        "objects": {
            kind: {"objects": number, "bytes": size}
            for kind, (number, size) in estates.objects(tenant_id).items()
        },
        "redis_keys": estates.redis_keys(tenant_id),
    }


@pytest.fixture
def doomed(estates: Estates) -> TenantId:
    return estates.make("doomed")


def test_nothing_is_left_of_the_tenant_and_nothing_is_changed_of_others(
    estates: Estates, doomed: TenantId
) -> None:
    settings = estates.settings
    other = estates.make("other")
    expected = evidence_of(estates, doomed)
    assert expected["rows"]["tenants"] == 1
    assert expected["objects"].keys() == {"facts", "audit"}
    assert expected["redis_keys"] == 8
    before = estates.digest(other)
    erasure_id = request(settings, doomed)

    assert erasure.run(settings, erasure_id, batch_rows=3) == "finished"

    assert estates.traces(doomed) == []
    assert estates.digest(other) == before
    done = state(settings, erasure_id)
    assert done.evidence.stored() == expected
    assert (done.state, done.tenant_name) == ("finished", "doomed")
    assert done.finished_at is not None
    # What stays is told to operators.
    with system_session("administration", settings=settings) as conn:
        wanted = operator_events.Filter(tenant_id=doomed)
        (event,) = operator_events.list_page(conn, wanted, limit=9)
        assert (event.action, event.actor.kind) == ("finish_erasure", "system")
        assert dict(event.details) == expected
        # An erased tenant answers like one that never was, and cannot be erased again.
        with pytest.raises(TenantNotFound):
            tenants.get(conn, tenant_id=doomed)
        with pytest.raises(TenantNotFound):
            erasures.request(conn, tenant_id=doomed)
    assert erasure.run(settings, erasure_id) == "finished"
    assert state(settings, erasure_id).evidence.stored() == expected


PLACES = (
    "stopped",
    "jobs",
    "nodes",
    "api_keys",
    "objects-in-hand",
    "objects-removed",
    "redis_keys-in-hand",
    "redis_keys-removed",
    "end",
)


@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_it_is_gone_on_with_and_nothing_counts_twice(
    stand: Stand, estates: Estates, doomed: TenantId, place: str
) -> None:
    expected = evidence_of(estates, doomed)
    erasure_id = request(stand.settings, doomed)
    stand.start(
        "eraser", ["-c", RUN, str(erasure_id)], {"CODELOOM_FAILPOINT": f"erase-{place}:kill"}
    )
    process = stand.processes.pop("eraser")
    assert process.wait(60) == -9, (stand.logs / "eraser.log").read_text()
    assert state(stand.settings, erasure_id).state == "erasing"
    assert estates.traces(doomed) != []

    assert erasure.run(stand.settings, erasure_id, batch_rows=2) == "finished"
    assert estates.traces(doomed) == []
    assert state(stand.settings, erasure_id).evidence.stored() == expected


def test_a_tenant_at_work_is_stopped_and_erased_by_real_processes(
    stand: Stand, estates: Estates
) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker("first", CODELOOM_FAILPOINT="parse:wait")
    running, waiting = stand.request(), stand.request("other")
    stand.until(lambda: stand.job(running).stage == "parse", "the job is parsing")
    # This one takes the message of the erasure, and dies over it.
    stand.start_worker("second", CODELOOM_FAILPOINT="erase-jobs:kill")
    log = stand.logs / "second.log"
    erasure_id = request(stand.settings, stand.tenant_id)
    stand.until(lambda: "SIGKILL" in log.read_text(), "the child is killed")
    stand.kill("second")
    # Stopped before anything was removed: its worker has let go of the job and of its files.
    assert state(stand.settings, erasure_id).state == "erasing"
    stand.until(lambda: not list(stand.settings.scratch.iterdir()), "scratch is empty")
    assert waiting != running

    # The message went with the worker; it is sent again because nobody is at work any more.
    stand.kill("first")
    stand.redis().delete("maintenance", "unacked", "unacked_index")
    stand.start_worker("third")
    stand.until(lambda: state(stand.settings, erasure_id).state == "finished", "it is finished", 60)
    stand.terminate("third")
    assert estates.traces(stand.tenant_id) == []
    assert state(stand.settings, erasure_id).evidence.rows["jobs"] == 2


def test_jobs_are_cancelled_and_their_workers_waited_for(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(CODELOOM_FAILPOINT="parse:wait")
    running = stand.request()
    stand.until(lambda: stand.job(running).stage == "parse", "the job is parsing")
    erasure_id = request(stand.settings, stand.tenant_id)
    settings = stand.settings.model_copy(update={"codeloom_failpoint": "erase-stopped:raise"})
    with pytest.raises(StorageError, match="failpoint"):
        erasure.run(settings, erasure_id)
    assert stand.job(running).state is JobState.CANCELLED
    assert not locks.is_held(settings, names.job_lock(stand.tenant_id, running))


def load_late(settings: Settings, tenant_id: TenantId, repository: RepositoryNumber) -> None:
    with load.open_load(tenant_id, repository=repository, settings=settings) as loader:
        loader.add(document("late.py"))
        loader.finish()


def audit_late(settings: Settings, tenant_id: TenantId, _: RepositoryNumber) -> None:
    with tenant_session(tenant_id, settings=settings) as conn:
        audit.record(conn, actor=audit.Actor("system", None), action="too_late")


def load_into_a_known_one_late(
    settings: Settings, tenant_id: TenantId, repository: RepositoryNumber
) -> None:
    """As one that has taken its numbers before."""
    with tenant_session(tenant_id, role="worker", settings=settings) as conn:
        store_documents(
            conn,
            repository=repository,
            batch=[Numbered(id=DocumentId(9), key=bytes(16), rows=document("late.py"))],
        )


def test_a_frozen_worker_is_not_waited_for_forever_and_can_write_nothing_afterwards(
    stand: Stand, estates: Estates
) -> None:
    settings = stand.settings.model_copy(update={"lease_seconds": 1, "heartbeat_seconds": 1})
    shop = seeding.shop(settings, stand.tenant_id)
    job_id = shop.snapshot.job_id
    erasure_id = request(settings, stand.tenant_id)
    with SessionLock(settings, names.job_lock(stand.tenant_id, job_id)) as lock:
        assert lock.acquire()
        assert erasure.run(settings, erasure_id) == "finished"
    assert estates.traces(stand.tenant_id) == []
    # Everything that may wake up late: a worker that loads, a request that was let in.
    for act, error in (
        (load_late, TenantNotFound),
        (load_into_a_known_one_late, StorageRefused),
        (audit_late, TenantNotFound),
    ):
        with pytest.raises(error):
            act(settings, stand.tenant_id, shop.repository.number)
    assert estates.traces(stand.tenant_id) == []


def test_what_is_written_while_it_is_erased_goes_too(estates: Estates, doomed: TenantId) -> None:
    settings = estates.settings.model_copy(update={"codeloom_failpoint": "erase-end:wait"})
    erasure_id = request(settings, doomed)
    stop = threading.Event()
    outcomes: list[str] = []

    def go() -> None:
        outcomes.append(erasure.run(settings, erasure_id, should_stop=stop.is_set))

    thread = threading.Thread(target=go)
    thread.start()
    deadline = time.monotonic() + 30
    while estates.counts(doomed) != {"tenants": 1} or estates.redis_keys(doomed):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # Requests that were let in before their key was refused.
    repository = seeding.register(estates.settings, doomed, "late")
    with tenant_session(doomed, settings=estates.settings) as conn:
        jobs.request(conn, repository=repository)
    stop.set()
    thread.join()
    assert outcomes == ["stopped"]
    assert state(settings, erasure_id).state == "erasing"
    assert estates.counts(doomed)["repositories"] == 1
    assert erasure.run(estates.settings, erasure_id) == "finished"
    assert estates.traces(doomed) == []


def test_one_at_a_time(estates: Estates, doomed: TenantId) -> None:
    settings = estates.settings.model_copy(update={"codeloom_failpoint": "erase-nodes:wait"})
    erasure_id = request(settings, doomed)
    stop = threading.Event()
    outcomes: list[str] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(erasure.run(settings, erasure_id, should_stop=stop.is_set))
    )
    thread.start()
    deadline = time.monotonic() + 30
    while "nodes" in estates.counts(doomed):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert erasure.run(estates.settings, erasure_id) == "busy"
    stop.set()
    thread.join()
    assert outcomes == ["stopped"]
    assert erasure.run(estates.settings, erasure_id) == "finished"


def test_messages_from_nowhere_do_nothing(own_settings: Settings) -> None:
    assert erase_tenant.run("nonsense") == "malformed"
    assert erasure.run(own_settings, ErasureId(uuid4())) == "unknown"


def test_what_a_late_writer_stored_is_found_later(estates: Estates, doomed: TenantId) -> None:
    settings = estates.settings
    erasure_id = request(settings, doomed)
    assert erasure.run(settings, erasure_id) == "finished"
    known = state(settings, erasure_id)
    store = artifacts.open_store(settings.artifacts)
    store.put_stream(artifacts.artifact_key(doomed, "facts", bytes(32)), [b"late"])
    estates.redis.set(f"codeloom:{{{doomed}}}:late", "1")
    with system_session("maintenance", settings=settings) as conn:
        periodic.ensure(conn, [("check_erasures", BY_NAME["check_erasures"].every)])
        (due,) = periodic.take_due(conn, again_seconds=60)
    assert periodic_tasks.do(due, settings) == "done"
    assert estates.traces(doomed) == []
    found = state(settings, erasure_id)
    assert found.evidence.objects["facts"].objects == known.evidence.objects["facts"].objects + 1
    assert found.evidence.redis_keys == known.evidence.redis_keys + 1
    assert found.checked_at is not None
    assert known.checked_at is not None
    assert found.checked_at > known.checked_at
    assert erasure.check_finished(settings) == 0


def test_a_tenant_that_is_being_erased_is_closed_at_once(
    estates: Estates, doomed: TenantId
) -> None:
    settings = estates.settings
    with tenant_session(doomed, settings=settings) as conn:
        _, secret = keys.create(conn, tenant_id=doomed, scopes=["admin"])
    assert keys.authenticate(settings, secret) is not None
    first = request(settings, doomed)
    assert request(settings, doomed) == first
    with pytest.raises(TenantSuspended, match="being erased"):
        keys.authenticate(settings, secret)
    with system_session("administration", settings=settings) as conn:
        for act in (
            lambda: tenants.resume(conn, tenant_id=doomed),
            lambda: tenants.suspend(conn, tenant_id=doomed, reason="why not"),
            lambda: tenants.change(conn, tenant_id=doomed, name="other"),
        ):
            with pytest.raises(TenantErasing):
                act()
    assert erasure.run(settings, first) == "finished"
    assert keys.authenticate(settings, secret) is None
