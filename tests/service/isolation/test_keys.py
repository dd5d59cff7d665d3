"""Every operation of the API document with every kind of key: who is let in, and what others hear.

Whoever is not let in hears the same whatever was asked for: nothing tells which routes there are.
"""

import pytest

from tests.service.isolation.operations import METHODS, Operation, operations
from tests.service.isolation.wire import Reply
from tests.service.isolation.world import World

# Of whatever ids: a key that opens nothing is refused before they are looked at.
IDS = {"tenant_id": "00000000-0000-0000-0000-000000000000", "plan": "standard"}
SCOPES = ["read", "ingest", "admin"]


@pytest.fixture
def closed(world: World) -> list[Operation]:
    """What needs a key of either kind."""
    found = operations(world.wire.app.openapi())
    return [each for each in found if not each.is_open]


def asked(world: World, operation: Operation, key: str | None) -> Reply:
    """The operation, well-formed, on things that are the first tenant's own."""
    ids = {**dict.fromkeys(operation.ids, IDS["tenant_id"]), **IDS, **world.one.twin}
    return world.wire.ask(
        operation.method,
        operation.at(ids),
        key=key,
        query=operation.required_query(ids),
        json=operation.sample_body(ids),
    )


STATES = ["none", "garbage", "of nobody", "one character changed", "expired", "revoked"]


def test_the_states_of_keys_are_all_tried(world: World) -> None:
    assert set(world.bad_keys) == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_a_key_that_opens_nothing_opens_nothing_anywhere(
    state: str, world: World, closed: list[Operation]
) -> None:
    key = world.bad_keys[state]
    replies = {asked(world, each, key).compared() for each in closed}
    heads = set()
    for path in ("/v1", "/v1/nothing", "/v1/admin/nothing", "/v1/tenant", "/v1/repositories/x/y"):
        for method in METHODS:
            found = heads if method == "HEAD" else replies
            found.add(world.wire.ask(method, path, key=key).compared())
    (reply,) = replies
    assert {head[0] for head in heads} == {reply[0]}
    assert len(heads) == 1
    status, headers, body = reply
    assert status == 401
    assert dict(headers)[b"www-authenticate"].startswith(b'Bearer realm="codeloom"')
    assert (b"api_key_missing" if key is None else b"api_key_invalid") in body


def test_keys_that_ended_are_as_keys_of_nobody(world: World, closed: list[Operation]) -> None:
    states = [state for state in STATES if state not in {"none", "garbage"}]
    replies = {asked(world, closed[0], world.bad_keys[state]).compared() for state in states}
    assert len(replies) == 1


def test_the_key_of_a_suspended_tenant_is_told_so_everywhere(
    world: World, closed: list[Operation]
) -> None:
    replies = {asked(world, each, world.suspended).compared() for each in closed}
    (reply,) = replies
    assert reply[0] == 403
    assert b"tenant_suspended" in reply[2]


def test_keys_of_operators_open_nothing_of_tenants_and_the_other_way_round(
    world: World, closed: list[Operation]
) -> None:
    for each in closed:
        key = world.one.keys["admin"] if each.is_of_operators else world.operator
        reply = asked(world, each, key)
        code = "operator_key_required" if each.is_of_operators else "tenant_key_required"
        assert (reply.status, reply.json()["code"]) == (403, code), each


def test_a_key_without_the_scope_is_refused_and_told_which_it_needs(
    world: World, closed: list[Operation]
) -> None:
    before = world.digest(world.one)
    tried = 0
    for each in closed:
        if each.is_of_operators:
            continue
        for scope in SCOPES[: SCOPES.index(each.needs)]:
            replies = {
                world.wire.ask(
                    each.method,
                    each.at(ids),
                    key=world.one.keys[scope],
                    query=each.required_query(ids),
                    json=each.sample_body(ids),
                ).compared()
                for ids in (world.one.twin, world.other.twin, world.nobody.own)
            }
            (reply,) = replies
            assert reply[0] == 403, each
            assert b"permission_missing" in reply[2]
            assert f"scope {each.needs}".encode() in reply[2]
            tried += 1
    assert tried > 20
    after = world.digest(world.one)
    # Refused writes are told of, and that the key was used; nothing else has changed.
    assert {table for table in after if after[table] != before[table]} <= {
        "audit_events",
        "api_keys",
    }


def test_a_key_with_the_scope_is_let_in(world: World, closed: list[Operation]) -> None:
    for each in closed:
        if not each.is_of_operators and each.method == "get":
            reply = world.ask(world.one, each, world.one.twin, key=world.one.keys[each.needs])
            assert reply.status == 200, each


def test_operations_that_need_no_key_tell_nothing_of_tenants(world: World) -> None:
    for each in operations(world.wire.app.openapi()):
        if each.is_open:
            text = asked(world, each, None).text
            assert not any(side.mark in text for side in (world.one, world.other))
