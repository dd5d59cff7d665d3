"""Every operation of the API document, asked by one tenant for what is another's.

Three times: as it is; with row-level security switched off, so that the conditions of our own
statements hold alone; and with these made vacuous, so that row-level security holds alone.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.service.isolation import world as worlds
from tests.service.isolation.building import place
from tests.service.isolation.operations import METHODS, Operation
from tests.service.isolation.world import Side, World

# Whatever a test asks for, each statement has to have its own condition.
pytestmark = pytest.mark.usefixtures("conditioned")
PAGES = 12


@pytest.fixture(scope="module", params=["both", "conditions alone", "policies alone"])
def locks(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("who", ["one", "other"])
def test_every_text_of_a_tenant_bears_its_mark(world: World, who: str) -> None:
    """Else the tests below would not notice it elsewhere; see `world.CLOSED` and `building`."""
    assert worlds.unmarked(world.superuser, getattr(world, who)) == []


def test_columns_that_need_no_mark_are_there(world: World) -> None:
    there = {f"{table}.{column}" for table, column, _ in worlds.columns(world.superuser, *_TEXTS)}
    assert there >= worlds.NOT_FREE
    assert there >= worlds.NATURAL


_TEXTS = ("text", "_text", "json", "jsonb", "bytea", "_bytea")


@pytest.mark.parametrize("who", ["one", "other"])
def test_no_byte_of_a_tenant_is_in_what_another_reads(world: World, who: str) -> None:
    side: Side = getattr(world, who)
    read = 0
    for operation in world.operations():
        if operation.method != "get":
            continue
        for ids in (side.twin, side.own):
            reply = world.ask(side, operation, ids)
            assert reply.status == 200, f"{operation}: {reply.text}"
            for query in _searches(world, side, operation):
                world.ask(side, operation, ids, query=query)
            read += len(_pages(world, side, operation, ids))
    assert read > 50
    assert world.positions, "some list was longer than a page"


def _searches(world: World, side: Side, operation: Operation) -> Iterator[dict[str, Any]]:
    """Everything that a list can be narrowed by, with words of both tenants and of ours."""
    for where, name in operation.words():
        if where == "query":
            for each in (side, world.stranger(side)):
                yield {name: _word(each, operation, name)}
    for name, values in operation.choices().items():
        for value in values[:3]:
            # What all marks begin with finds them all, if it is let.
            yield {name: value} | ({"q": "sentinel"} if "q" in operation.query else {})


def _pages(
    world: World, side: Side, operation: Operation, ids: dict[str, str], **query: str
) -> list[str]:
    """The pages of a list, one item on each."""
    bodies: list[str] = []
    cursor: dict[str, str] = {}
    while operation.is_paged and len(bodies) < PAGES:
        reply = world.ask(side, operation, ids, query={"limit": "1", **query, **cursor})
        bodies.append(reply.text)
        following = reply.json()["next_cursor"]
        if following is None:
            break
        cursor = {"cursor": following}
    return bodies


def _word(side: Side, operation: Operation, name: str) -> str:
    assert name in side.words, f"say in building.py what {name} is: {operation}"
    return side.words[name]


def test_ids_of_another_tenant_are_as_ids_of_nobody(world: World) -> None:
    one, other, nobody = world.one, world.other, world.nobody
    before = world.digest(other)
    tried = 0
    for operation in world.operations():
        for name, foreign in _foreign(one, other, operation):
            absent = {**one.twin, name: nobody.own[name]}
            there = world.ask(one, operation, {**one.twin, name: foreign})
            nowhere = world.ask(one, operation, absent)
            assert there.status == 404, f"{operation} {name}: {there.text}"
            assert there.compared() == nowhere.compared(), f"{operation} {name}"
            tried += 1
        if operation.ids:
            assert world.ask(one, operation, other.twin).status == 404, operation
            assert world.ask(one, operation, other.own).status == 404, operation
    assert tried > 40
    assert world.digest(other) == before, "and nothing of the other one was changed"


def _foreign(one: Side, other: Side, operation: Operation) -> Iterator[tuple[str, str]]:
    """Parameters of the path, each with what only the other tenant has."""
    for name in operation.ids:
        for ids in (other.twin, other.own):
            assert name in ids, f"say in building.py what {{{name}}} is: {operation}"
            if ids[name] not in {one.twin[name], one.own[name]}:
                yield name, ids[name]


def test_methods_that_are_not_there_are_so_for_every_id(world: World) -> None:
    known = {(each.path, each.method.upper()) for each in world.operations()}
    key = world.one.keys["admin"]
    tried = 0
    for operation in world.operations():
        for method in METHODS:
            if (operation.path, method) in known:
                continue
            own, there, nowhere = (
                world.wire.ask(method, operation.at(ids), key=key)
                for ids in (world.one.twin, world.other.twin, world.nobody.own)
            )
            assert there.compared() == nowhere.compared(), f"{method} {operation.path}"
            # What can be read has a head as well.
            if method != "HEAD":
                assert own.compared() == there.compared()
                assert own.status == 405
            tried += 1
    assert tried > 100


def test_cursors_of_another_tenant_are_as_garbage(world: World) -> None:
    tried = 0
    for operation in world.operations():
        if not operation.is_paged:
            continue
        limit = {"limit": "1"}
        theirs = world.ask(world.other, operation, world.other.twin, query=limit).json()
        if theirs["next_cursor"] is None:
            continue
        tried += 1
        for ids in (world.one.twin, world.other.twin):
            foreign = {**limit, "cursor": theirs["next_cursor"]}
            garbage = {**limit, "cursor": "A" * len(theirs["next_cursor"])}
            there = world.ask(world.one, operation, ids, query=foreign)
            assert there.status >= 400
            assert (
                there.compared() == world.ask(world.one, operation, ids, query=garbage).compared()
            )
    assert tried > 5


def test_what_a_tenant_does_changes_nothing_of_another(world: World) -> None:
    """Every write, on things of its own, while the other one has things of the same names."""
    one = world.one
    writes = _in_order_of_harm(world.operations())
    # Made before: whoever dispatches here dispatches jobs of all tenants.
    places = [
        place(world.settings, one.tenant_id, f"victim {number}") for number in range(len(writes))
    ]
    before = world.digest(world.other)
    for operation, ids in zip(writes, places, strict=True):
        reply = world.ask(one, operation, ids)
        assert reply.status < 300 or reply.status == 409, f"{operation}: {reply.text}"
    assert world.digest(world.other) == before


def _in_order_of_harm(found: list[Operation]) -> list[Operation]:
    writes = [each for each in found if each.method != "get"]
    return sorted(writes, key=lambda each: each.method == "delete")
