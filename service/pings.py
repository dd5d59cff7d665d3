"""Pings of workers that are under way: one of each queue, however many wait for its answer."""

import asyncio

from anyio import CapacityLimiter, to_thread

from graph.settings import Settings
from workers import facade


class Pings:
    """Asks the workers of a queue in a thread that no other request would have been given."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(len(facade.QUEUE_NAMES))
        self._asking: dict[str, asyncio.Task[facade.Pong | None]] = {}

    async def ask(self, settings: Settings, queue: str) -> facade.Pong | None:
        """As `facade.ping`."""
        asking = self._asking.get(queue)
        if asking is None:
            asking = asyncio.create_task(self._ask(settings, queue))
            self._asking[queue] = asking
        # Whoever hangs up leaves the others waiting.
        return await asyncio.shield(asking)

    async def _ask(self, settings: Settings, queue: str) -> facade.Pong | None:
        try:
            return await to_thread.run_sync(self._blocking, settings, queue, limiter=self._limiter)
        finally:
            del self._asking[queue]

    @staticmethod
    def _blocking(settings: Settings, queue: str) -> facade.Pong | None:
        return facade.ping(settings, queue=queue)
