"""Turns of tenants: one that asks much at once waits for itself, and nobody else does."""

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from service.turns import TenantTurns

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from graph.settings import Settings

PATIENCE_SECONDS = 30


class Work:
    """An application whose requests are under way until they are let go."""

    def __init__(self) -> None:
        self.begun: list[UUID] = []
        self.most = self.now = 0
        self.goes_on = asyncio.Event()
        self.fails = False

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        self.begun.append(scope["state"]["caller"].tenant_id)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.goes_on.wait()
        finally:
            self.now -= 1
        if self.fails:
            raise RuntimeError("as asked for")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Case:
    """Turns around some work, and who asks."""

    def __init__(self, settings: "Settings", at_once: int, seconds: int = PATIENCE_SECONDS) -> None:
        self.work = Work()
        changes = {"tenant_requests_at_once": at_once, "tenant_turn_timeout_seconds": seconds}
        self.turns = TenantTurns(self.work, settings.model_copy(update=changes))

    async def ask(
        self, tenant_id: UUID, path: str = "/v1/tenant", taken: asyncio.Event | None = None
    ) -> list["Message"]:
        """All that is answered; the end of it is taken when `taken` says so."""
        sent: list[Message] = []

        async def send(message: "Message") -> None:
            sent.append(message)
            if taken is not None and message["type"] == "http.response.body":
                await taken.wait()

        async def receive() -> "Message":
            return {"type": "http.request", "body": b""}

        state = {"caller": SimpleNamespace(tenant_id=tenant_id), "request_id": "r"}
        scope: Any = {"type": "http", "method": "GET", "path": path, "state": state, "headers": []}
        await self.turns(scope, receive, send)
        return sent

    def asks(self, tenant_id: UUID, times: int, **more: Any) -> list[asyncio.Task[list["Message"]]]:
        return [asyncio.create_task(self.ask(tenant_id, **more)) for _ in range(times)]

    async def begun(self, tenant_id: UUID, times: int) -> None:
        """Until so many of its requests have begun, and a while more for one too many to begin."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.work.begun.count(tenant_id) < times:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        assert self.work.begun.count(tenant_id) == times


def statuses(answers: list[list["Message"]]) -> list[int]:
    return [answer[0]["status"] for answer in answers]


def test_a_tenant_waits_for_its_own_turns_and_another_does_not(settings: "Settings") -> None:
    async def run() -> None:
        case, busy, quiet = Case(settings, at_once=3), uuid4(), uuid4()
        many = case.asks(busy, 20)
        await case.begun(busy, 3)
        one = case.asks(quiet, 1)
        await case.begun(quiet, 1)
        case.work.goes_on.set()
        assert statuses(await asyncio.gather(*many, *one)) == [200] * 21
        assert case.work.most <= 4
        assert not case.turns._lines, "nothing is kept of tenants that do not ask"

    asyncio.run(run())


def test_who_waits_too_long_is_told_to_send_fewer(settings: "Settings") -> None:
    async def run() -> None:
        case, tenant = Case(settings, at_once=1, seconds=1), uuid4()
        first = case.asks(tenant, 1)
        await case.begun(tenant, 1)
        start, body = await case.ask(tenant)
        assert start["status"] == 429
        assert dict(start["headers"])[b"retry-after"] == b"1"
        problem = json.loads(body["body"])
        assert problem["code"] == "rate_limited"
        assert "1 requests of this tenant are under way" in problem["detail"]
        case.work.goes_on.set()
        assert statuses(await asyncio.gather(*first, case.ask(tenant))) == [200, 200]
        assert not case.turns._lines

    asyncio.run(run())


def test_more_than_may_wait_are_refused_at_once(settings: "Settings") -> None:
    async def run() -> None:
        case, tenant = Case(settings, at_once=2), uuid4()
        many = case.asks(tenant, 2 + 100)
        await case.begun(tenant, 2)
        assert statuses([await case.ask(tenant)]) == [429]
        case.work.goes_on.set()
        assert set(statuses(await asyncio.gather(*many))) == {200}

    asyncio.run(run())


def test_streams_take_no_turn(settings: "Settings") -> None:
    async def run() -> None:
        case, tenant = Case(settings, at_once=1), uuid4()
        streams = case.asks(tenant, 5, path="/v1/events")
        await case.begun(tenant, 5)
        other = case.asks(tenant, 1)
        await case.begun(tenant, 6)
        case.work.goes_on.set()
        assert set(statuses(await asyncio.gather(*streams, *other))) == {200}

    asyncio.run(run())


def test_a_turn_ends_when_the_answer_is_made_however_slowly_it_is_taken(
    settings: "Settings",
) -> None:
    async def run() -> None:
        case, tenant, taken = Case(settings, at_once=1), uuid4(), asyncio.Event()
        case.work.goes_on.set()
        slow = case.asks(tenant, 1, taken=taken)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert statuses([await case.ask(tenant)]) == [200]
        assert not slow[0].done()
        taken.set()
        await slow[0]
        assert not case.turns._lines

    asyncio.run(run())


def test_a_fault_and_a_client_that_leaves_give_their_turns_back(settings: "Settings") -> None:
    async def run() -> None:
        case, tenant = Case(settings, at_once=1), uuid4()
        first, waiting = case.asks(tenant, 2)
        await case.begun(tenant, 1)
        waiting.cancel()
        first.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)
        case.work.fails = True
        case.work.goes_on.set()
        failed = await asyncio.gather(*case.asks(tenant, 1), return_exceptions=True)
        assert isinstance(failed[0], RuntimeError)
        case.work.fails = False
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert statuses([await case.ask(tenant)]) == [200]
        assert not case.turns._lines

    asyncio.run(run())
