"""What routes ask for in their signatures."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant


def asked_for(dependant: "Dependant") -> Iterator["Dependant"]:
    for inner in dependant.dependencies:
        yield inner
        yield from asked_for(inner)


def test_nothing_that_a_route_asks_for_costs_a_thread(app: "FastAPI") -> None:
    seen = set()
    for route in app.state.routes:
        if isinstance(route, APIRoute):
            for one in asked_for(route.dependant):
                call = one.call if inspect.isroutine(one.call) else type(one.call).__call__
                assert inspect.iscoroutinefunction(call), f"make it async: {one.call}"
                seen.add(one.call)
    assert len(seen) > 10
