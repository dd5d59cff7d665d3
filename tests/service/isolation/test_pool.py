"""One connection for the requests of two tenants, and everything that can go wrong in between."""

import concurrent.futures
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from graph.storage.engine import engine
from tests.service.isolation.operations import Operation
from tests.service.isolation.wire import Reply
from tests.service.isolation.world import TENANT_TABLES, Side, World

if TYPE_CHECKING:
    from graph.settings import Settings

# Whatever else a request was answered: that it cannot be answered at this moment.
ANSWERED = {200, 503}


@pytest.fixture(scope="module")
def module_settings(module_settings: "Settings") -> "Settings":
    """One connection, and not one more."""
    alone = module_settings.model_copy(update={"database_pool_size": 1})
    engine(alone, "app").pool._max_overflow = 0
    return alone


@pytest.fixture
def reads(world: World) -> list[Operation]:
    """What is asked: lists and single things, out of tables and out of a snapshot."""
    named = {
        "list_repositories",
        "list_jobs",
        "list_api_keys",
        "get_job",
        "search_symbols",
        "get_outline",
        "export_audit_events",
    }
    found = [each for each in world.operations() if each.id in named]
    assert len(found) == len(named)
    return found


def asked(world: World, side: Side, operation: Operation, **how: object) -> Reply:
    """An answer, which must not be about the other one whatever else it is."""
    query = operation.required_query(side.own)
    path, key = operation.at(side.own), side.keys["admin"]
    reply = world.wire.ask(operation.method, path, key=key, query=query, **how)
    assert world.leaks(side, reply.text) == set()
    return reply


def left_behind(world: World) -> set[object]:
    """Whose rows a session sees that has no tenant."""
    found = set()
    with engine(world.settings, "app").connect() as connection:
        for table in TENANT_TABLES:
            privilege = text("select has_table_privilege(:table, 'select')")
            if connection.execute(privilege, {"table": table}).scalar_one():
                found |= set(connection.execute(text(f"select tenant_id from {table}")).scalars())
    return found


def test_requests_that_are_given_up_leave_nothing_behind(
    world: World, reads: list[Operation]
) -> None:
    given_up = 0
    for number, operation in enumerate(reads * 6):
        side = (world.one, world.other)[number % 2]
        try:
            asked(world, side, operation, cancelled_after=random.uniform(0, 0.004))
        except concurrent.futures.CancelledError:
            given_up += 1
        assert left_behind(world) == set()
        assert asked(world, world.stranger(side), operation).status == 200
    assert given_up > 3


def test_clients_that_hang_up_leave_nothing_behind(world: World, reads: list[Operation]) -> None:
    for number, operation in enumerate(reads * 3):
        side = (world.one, world.other)[number % 2]
        asked(world, side, operation, leaves=True)
        assert left_behind(world) == set()
        assert asked(world, world.stranger(side), operation).status == 200


def test_connections_that_are_cut_off_leave_nothing_behind(
    world: World, reads: list[Operation]
) -> None:
    """All the time, while both ask at once: whoever is answered is answered with its own."""
    over = threading.Event()

    def cut() -> None:
        while not over.wait(0.05):
            for function in ("pg_terminate_backend", "pg_cancel_backend"):
                world.superuser.execute(
                    f"select {function}(pid) from pg_stat_activity"
                    " where datname = current_database() and application_name = 'codeloom app'"
                    " and random() < 0.5".encode()
                )

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            tasks = [
                pool.submit(asked, world, side, operation)
                for operation in reads * 8
                for side in (world.one, world.other)
            ]
            statuses = [task.result().status for task in tasks]
    finally:
        over.set()
        cutting.join()
    assert set(statuses) <= ANSWERED
    assert statuses.count(200) > len(statuses) / 4
    assert left_behind(world) == set()
    for side in (world.one, world.other):
        assert {asked(world, side, each).status for each in reads} == {200}


def test_statements_that_take_too_long_leave_nothing_behind(
    world: World, reads: list[Operation]
) -> None:
    (listing,) = [each for each in reads if each.id == "list_jobs"]
    with engine(world.settings, "app").connect() as connection:
        # For as long as the connection lives, as the options of the role would.
        connection.execute(text("set lock_timeout = '50ms'"))
        connection.commit()
    with world.superuser.transaction():
        world.superuser.execute("lock table codeloom.jobs in access exclusive mode")
        for side in (world.one, world.other):
            assert asked(world, side, listing).status == 503
    assert left_behind(world) == set()
    for side in (world.one, world.other):
        assert asked(world, side, listing).status == 200


def test_faults_of_our_own_leave_nothing_behind(
    world: World, reads: list[Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    from graph.storage import jobs

    (listing,) = [each for each in reads if each.id == "list_jobs"]
    list_page = jobs.list_page

    def faulty(connection, **given):
        list_page(connection, **given)
        raise ZeroDivisionError

    for side in (world.one, world.other):
        with monkeypatch.context() as patched:
            patched.setattr(jobs, "list_page", faulty)
            assert asked(world, side, listing).status == 500
        assert left_behind(world) == set()
        assert asked(world, world.stranger(side), listing).status == 200
