"""Whether workers take tasks, asked by the way that a job's message takes.

For operators alone, as the figures are: how long a message is under way says how busy others are.
"""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from graph.errors import WorkersSilent
from service.deps import Operating, Shared
from service.schemas import Shape
from workers import facade

router = APIRouter(prefix="/v1/health", tags=["service"])

QueueName = Literal["git", "parse", "embed", "maintenance"]


class Answer(Shape):
    """What a worker of one queue answered."""

    queue: QueueName
    round_trip_ms: int
    worker: str


class WorkerHealth(Shape):
    """Every queue that was asked has a worker that takes tasks."""

    status: Literal["ok"]
    queues: list[Answer]


# Not in the API document: it is for what watches the installation, as `/metrics` is.
@router.get("/worker", include_in_schema=False)
async def check_workers(
    _: Operating,
    backend: Shared,
    queue: Annotated[
        list[QueueName] | None, Query(max_length=4, description="Those that are asked.")
    ] = None,
) -> WorkerHealth:
    """A task goes through the broker to a worker of each queue, and its answer comes back."""
    asked: list[QueueName] = list(dict.fromkeys(queue or ["maintenance"]))
    found = await asyncio.gather(*(backend.pings.ask(backend.settings, name) for name in asked))
    answers = dict(zip(asked, found, strict=True))
    silent = [name for name, pong in answers.items() if pong is None]
    if silent:
        raise WorkersSilent(
            f"No worker answered within {facade.PING_SECONDS} seconds: {', '.join(silent)}."
        )
    return WorkerHealth(
        status="ok",
        queues=[
            Answer(queue=name, round_trip_ms=pong.milliseconds, worker=pong.worker)
            for name, pong in answers.items()
            if pong is not None
        ],
    )
