"""Creating, naming and filtering with what is another tenant's tells nothing about it."""

import json
import re
from typing import Any

import pytest

from tests.service.isolation.building import SPARE_KEYS, TWIN_KEY, TWIN_REQUEST, guest, place
from tests.service.isolation.operations import Operation
from tests.service.isolation.wire import Reply
from tests.service.isolation.world import Side, World

pytestmark = pytest.mark.usefixtures("conditioned")
# What is new in every answer to a request that makes something.
_NEW = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?:\.\d+)?"  # ids
    r"|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)?"  # times
    r"|cl_live_[0-9A-Za-z]+"
)


@pytest.fixture(scope="module", params=["both", "conditions alone", "policies alone"])
def locks(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def told(reply: Reply, *sides: Side) -> tuple[int, list[bytes], Any]:
    """An answer without what is new in it and without the words it was asked with."""
    text = reply.body.decode()
    words = {word for side in sides for word in (side.mark, *side.words.values())}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "<word>")
    body = json.loads(_NEW.sub("<new>", text)) if text else None
    if isinstance(body, dict):
        body.pop("last_characters", None)
        body.pop("request_id", None)
    names = sorted(name for name, _ in reply.headers)
    return reply.status, names, body


def test_filters_by_words_of_another_find_as_little_as_words_of_nobody(world: World) -> None:
    tried = set()
    for operation in world.operations():
        for where, name in operation.words():
            if where != "query":
                continue
            tried.add(name)
            for ids in (world.one.twin, world.one.own):
                there, nowhere = (
                    world.ask(world.one, operation, ids, query={name: side.words[name]})
                    for side in (world.other, world.nobody)
                )
                assert there.compared() == nowhere.compared(), f"{operation} {name}"
    assert tried >= {"path", "q", "ref", "commit", "snapshot", "repository_id", "url", "actor_id"}


def test_words_of_another_make_the_same_as_words_of_nobody(world: World) -> None:
    asking = guest(world)
    before = world.digest(world.other)
    tried = set()
    for operation in world.operations():
        for where, name in operation.words():
            if where != "body":
                continue
            tried.add(name)
            there, nowhere = (
                told(_written(world, asking, operation, name, side), world.other, world.nobody)
                for side in (world.other, world.nobody)
            )
            assert there == nowhere, f"{operation} {name}"
    assert tried >= {"url", "name", "ref", "commit", "default_ref", "repositories", "host"}
    assert world.digest(world.other) == before


def _written(world: World, asking: Side, operation: Operation, name: str, side: Side) -> Reply:
    around, _, inner = name.rpartition(".")
    assert inner in side.words, f"say in building.py what {inner} is: {operation}"
    word = side.words[inner]
    body = operation.sample_body(asking.twin)
    if around:
        body[around][inner] = word
    else:
        schema = operation.resolved(operation.body[name])
        body[name] = [word] if schema.get("type") == "array" else word
    if "url" in body and name != "url":
        body["url"] = f"https://example.org/{name}-of-{side.mark}"
    return world.ask(asking, operation, asking.twin, json=body, repeats=True)


def test_idempotency_keys_of_another_are_as_new_ones(world: World) -> None:
    asking = guest(world)
    tried = 0
    for number, operation in enumerate(world.operations(), 1):
        if not operation.takes_idempotency_key:
            continue
        assert number <= SPARE_KEYS
        tried += 1
        answers = []
        for side in (world.other, world.nobody):
            ids = place(world.settings, asking.tenant_id, f"{side.mark} {number}")
            body = operation.sample_body(ids)
            if isinstance(body, dict) and "url" in body:
                body["url"] = f"https://example.org/{side.mark}-{number}"
            headers = {"idempotency-key": side.idempotency_key(number)}
            reply = world.ask(asking, operation, ids, json=body, headers=headers, repeats=True)
            assert reply.header("idempotency-replayed") is None
            assert reply.status < 500
            answers.append(told(reply, side))
        assert answers[0] == answers[1], operation
    assert tried > 5


def test_the_same_request_under_the_same_key_is_two_requests_of_two_tenants(world: World) -> None:
    """Both have done it when the world was made: each is told again what it was told then."""
    (register,) = [each for each in world.operations() if each.id == "register_repository"]
    headers = {"idempotency-key": TWIN_KEY}
    replies = [
        world.ask(side, register, {}, json=TWIN_REQUEST, headers=headers)
        for side in (world.one, world.other)
    ]
    assert [each.header("idempotency-replayed") for each in replies] == ["true", "true"]
    assert replies[0].json()["id"] != replies[1].json()["id"]


def test_entity_tags_of_another_fit_nothing(world: World) -> None:
    conditions = {"get": "if-none-match", "patch": "if-match", "delete": "if-match"}
    known = {each.path: each for each in world.operations() if each.method == "get"}
    tried = 0
    for operation in world.operations():
        if operation.path not in known or operation.method not in conditions:
            continue
        tag = world.ask(world.other, known[operation.path], world.other.twin).header("etag")
        if tag is None:
            continue
        tried += 1
        there, nowhere = (
            world.ask(
                world.one, operation, world.one.twin, headers={conditions[operation.method]: each}
            )
            for each in (tag, '"0123456789abcdef"')
        )
        assert there.compared() == nowhere.compared(), operation
        assert there.status in {200, 412}, operation
    assert tried > 10


def test_a_repository_that_another_has_can_be_registered(world: World) -> None:
    """Said once by itself, because it is what a unique index over all tenants would tell."""
    (register,) = [each for each in world.operations() if each.id == "register_repository"]
    asking = guest(world)
    body = {"url": f"https://example.org/{world.other.mark}-kept"}
    for status in (201, 409):
        assert world.ask(asking, register, {}, json=body, repeats=True).status == status
