"""Whoever listens to the events of a tenant hears nothing of another's.

That nothing of the other one is in an answer is looked at for every answer, in `World.ask`.
"""

import threading
from uuid import UUID

from graph.model.ids import JobId
from tests.service.isolation.operations import Operation
from tests.service.isolation.world import Side, World
from workers.events import EventWriter

# How often it is listened until what has to be heard was heard.
TRIES = 20


def listening(world: World) -> Operation:
    (operation,) = [each for each in world.operations() if each.id == "watch_tenant"]
    return operation


def tell(world: World, *sides: Side) -> None:
    """Something happens to jobs of these tenants."""
    writer = EventWriter(world.settings.redis_url)
    for side in sides:
        for ids in (side.twin, side.own):
            job_id = JobId(UUID(ids["job_id"]))
            told = {"stage": "parse", "percent": 7, "note": side.mark}
            writer.append(side.tenant_id, job_id, "progress", told)
            writer.append(side.tenant_id, job_id, "state", {"state": side.mark})
    writer.close()


def test_of_what_happens_to_both_each_hears_its_own(world: World) -> None:
    over = threading.Event()

    def keep_telling() -> None:
        while not over.wait(0.02):
            tell(world, world.one, world.other)

    thread = threading.Thread(target=keep_telling)
    thread.start()
    try:
        heard = [
            any(
                side.own["job_id"] in world.ask(side, listening(world), {}).text
                for _ in range(TRIES)
            )
            for side in (world.one, world.other)
        ]
    finally:
        over.set()
        thread.join()
    assert heard == [True, True]


def test_whoever_comes_back_hears_its_own_past(world: World) -> None:
    tell(world, world.other, world.one, world.other)
    last = {"last-event-id": "0-1"}
    reply = world.ask(world.one, listening(world), {}, headers=last)
    assert reply.status == 200
    assert world.one.own["job_id"] in reply.text
