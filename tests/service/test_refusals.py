"""Refusals that are remembered: as exact as those of Redis, and cheap."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import redis

from graph.model.names import shared_key
from service.limits import Gate, Limit
from tests.seeding import allow
from tests.service.conftest import Member, bearer

if TYPE_CHECKING:
    import pytest
    from starlette.testclient import TestClient

    from graph.settings import Settings


def limit(per_minute: int, name: str = "key") -> Limit:
    return Limit(name, shared_key("requests", uuid4().hex), per_minute)


def with_gate(settings: "Settings", case: Callable[[Gate, list[float]], Awaitable[None]]) -> None:
    """Run it with a gate and the hand of its clock."""
    now = [1000.0]

    async def run() -> None:
        gate = Gate(settings, clock=lambda: now[0])
        try:
            await case(gate, now)
        finally:
            await gate.close()

    asyncio.run(run())


def charged_until(settings: "Settings", key: str) -> float:
    """Up to when Redis has charged this key."""
    assert settings.redis_url is not None
    with redis.Redis.from_url(settings.redis_url) as client:
        found = client.get(key)
    assert isinstance(found, bytes)
    return float(found)


def test_what_was_refused_is_refused_without_asking_until_its_time(settings: "Settings") -> None:
    wanted = [limit(2)]  # one in 30 s

    async def case(gate: Gate, now: list[float]) -> None:
        assert not (await gate.charge(wanted, 2, reading=True)).refused
        first = await gate.charge(wanted, 1, reading=True)
        assert (first.refused, first.repeated) == (True, False)
        now[0] += 10
        again = await gate.charge(wanted, 1, reading=True)
        assert (again.refused, again.repeated) == (True, True)
        ago = first.standings[0].retry_after - again.standings[0].retry_after
        assert round(ago, 6) == 10
        assert again.retry_seconds == first.retry_seconds - 10
        assert again.standings[0].resets_after < first.standings[0].resets_after
        now[0] += first.standings[0].retry_after - 10
        # By this clock its time has come: Redis is asked, whose own clock stood still.
        after = await gate.charge(wanted, 1, reading=True)
        assert (after.refused, after.repeated) == (True, False)

    with_gate(settings, case)


def test_remembered_refusals_charge_nothing(settings: "Settings") -> None:
    wanted = [limit(2)]

    async def case(gate: Gate, _now: list[float]) -> None:
        await gate.charge(wanted, 2, reading=True)
        await gate.charge(wanted, 1, reading=True)
        before = charged_until(settings, wanted[0].key)
        for _ in range(100):
            assert (await gate.charge(wanted, 1, reading=True)).repeated
        assert charged_until(settings, wanted[0].key) == before

    with_gate(settings, case)


def test_a_cheaper_request_another_key_and_another_plan_are_asked_anew(
    settings: "Settings",
) -> None:
    key, tenant = limit(100), limit(10, "tenant")

    async def case(gate: Gate, _now: list[float]) -> None:
        assert not (await gate.charge([key, tenant], 8, reading=True)).refused
        for repeated in (False, True):
            dear = await gate.charge([key, tenant], 5, reading=True)
            assert (dear.refused, dear.repeated) == (True, repeated)
            assert [each.limit.name for each in dear.standings] == ["key", "tenant"]
        assert not (await gate.charge([key, tenant], 1, reading=True)).refused
        other = await gate.charge([limit(100), tenant], 5, reading=True)
        assert (other.refused, other.repeated) == (True, False)
        larger = Limit("tenant", tenant.key, 10_000)
        assert not (await gate.charge([key, larger], 5, reading=True)).refused
        assert not (await gate.charge([key], 5, reading=True)).refused

    with_gate(settings, case)


def told(caplog: "pytest.LogCaptureFixture", event: str) -> list[dict[str, Any]]:
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [each for each in found if each["event"] == event]


def test_a_flood_writes_one_line_and_its_number(
    caplog: "pytest.LogCaptureFixture", client: "TestClient", acme: Member, settings: "Settings"
) -> None:
    allow(settings, acme.tenant_id, key_requests_per_minute=2, requests_per_minute=1000)
    answers = [client.get("/v1/tenant", headers=bearer(acme.read)) for _ in range(40)]
    refused = [answer.status_code for answer in answers].count(429)
    assert 36 <= refused <= 38
    assert [each["status"] for each in told(caplog, "http.request")].count(429) == 1
    assert len(told(caplog, "http.request")) == 40 - refused + 1
    last = answers[-1]
    assert last.json()["request_id"] == last.headers["x-request-id"]
    assert '"key";r=0;' in last.headers["ratelimit"]
    # A larger plan is asked about anew, and then the others are told of by their number.
    allow(settings, acme.tenant_id, key_requests_per_minute=1000, requests_per_minute=1000)
    client.app.state.backend.callers._known.clear()  # type: ignore[attr-defined]
    client.get("/v1/tenant", headers=bearer(acme.read))
    (repeated,) = told(caplog, "limits.repeated")
    assert (repeated["limit"], repeated["times"]) == ("key", refused - 1)
    assert repeated["tenant_id"] == str(acme.tenant_id)
