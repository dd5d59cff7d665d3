"""How long it takes to be told that something is not there does not tell whether another has it."""

import random
import time
from statistics import median

import pytest

from tests.service.isolation.operations import Operation
from tests.service.isolation.world import World

CALLS = 200
# Of the medians, on a machine that does other things as well. Whoever looked at the other tenant's
# row first and refused then would double what most of these take.
RATIO = 1.5

# For each kind of id an operation that looks it up, and a write for one.
ASKED = {
    "repository_id": "search_symbols",
    "repository_id of a write": "delete_repository",
    "snapshot_id": "get_snapshot",
    "job_id": "get_job",
    "task_id": "get_task",
    "symbol_id": "list_references",
    "path": "get_outline",
    "api_key_id": "get_api_key",
    "credential_id": "get_credential",
}


def found(world: World, name: str) -> Operation:
    (operation,) = [each for each in world.operations() if each.id == name]
    return operation


def test_every_kind_of_id_is_timed(world: World) -> None:
    ids = {name for each in world.operations() for name in each.ids}
    assert ids == {name.partition(" ")[0] for name in ASKED}, "say in ASKED what to time"


@pytest.mark.parametrize("name", ASKED)
def test_foreign_and_absent_take_as_long(world: World, name: str) -> None:
    operation = found(world, ASKED[name])
    parameter = name.partition(" ")[0]
    seconds: dict[str, list[float]] = {"foreign": [], "absent": []}
    both = {"foreign": world.other.own, "absent": world.nobody.own}
    for number in range(CALLS + 10):
        for which in random.sample(sorted(both), 2):
            ids = {**world.one.twin, parameter: both[which][parameter]}
            key, query = world.one.keys["admin"], operation.required_query(ids)
            started = time.perf_counter()
            reply = world.wire.ask(operation.method, operation.at(ids), key=key, query=query)
            taken = time.perf_counter() - started
            assert reply.status == 404
            if number >= 10:  # after what happens only the first few times
                seconds[which].append(taken)
    foreign, absent = median(seconds["foreign"]), median(seconds["absent"])
    assert 1 / RATIO < foreign / absent < RATIO, f"{foreign=} {absent=}"
