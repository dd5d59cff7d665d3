"""Limits of requests as they are counted: exact, over processes, keys, tenants and clocks."""

import asyncio
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis

from graph.model.names import shared_key
from graph.settings import Settings
from service.limits import Decision, Gate, Limit


def limit(per_minute: int, name: str = "key") -> Limit:
    return Limit(name, shared_key("requests", uuid4().hex), per_minute)


def charge(settings: Settings, wanted: list[Limit], times: int, cost: int = 1) -> int:
    """How many of so many requests at once pass."""

    async def one(gate: Gate) -> bool:
        return not (await gate.charge(wanted, cost, reading=True)).refused

    async def run() -> int:
        gate = Gate(settings)
        passed = await asyncio.gather(*(one(gate) for _ in range(times)))
        await gate.close()
        return sum(passed)

    return asyncio.run(run())


def in_process(settings: Settings, wanted: list[Limit], times: int, out: Any) -> None:
    out.put(charge(settings, wanted, times))


def test_two_processes_let_through_what_one_may_and_not_one_more(settings: Settings) -> None:
    # So slow a flow that none is added while the test runs: a request every 0.6 s, measured.
    wanted = [limit(100)]
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    started = time.monotonic()
    runs = [context.Process(target=in_process, args=(settings, wanted, 150, out)) for _ in range(2)]
    for each in runs:
        each.start()
    passed = [out.get(timeout=60) for _ in runs]
    for each in runs:
        each.join()
    flowed = (time.monotonic() - started) / 0.6
    assert 100 <= sum(passed) <= 100 + flowed + 1
    assert min(passed) < 100


def test_what_has_been_used_flows_back(settings: Settings) -> None:
    wanted = [limit(600)]  # ten a second
    began = time.monotonic()
    passed = charge(settings, wanted, 700)
    assert passed >= 600
    time.sleep(0.5)
    again = charge(settings, wanted, 50)
    assert again >= 3
    assert passed + again <= 601 + 10 * (time.monotonic() - began)


def test_clocks_of_hosts_do_not_matter(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [limit(50)]
    assert charge(settings, wanted, 30) == 30
    now = time.time
    for hours in (-1, 1):
        monkeypatch.setattr(time, "time", lambda hours=hours: now() + hours * 3600)
        assert charge(settings, wanted, 5) == 5
    assert 10 <= charge(settings, wanted, 40) <= 14


def test_cost_counts_and_what_costs_more_than_there_ever_is_passes_when_all_is_there(
    settings: Settings,
) -> None:
    assert charge(settings, [limit(100)], 5, cost=30) == 3
    assert charge(settings, [limit(10)], 2, cost=50) == 1


def test_a_key_that_asks_too_much_takes_nothing_from_its_tenants_other_keys(
    settings: Settings,
) -> None:
    tenant, greedy, modest = limit(100, "tenant"), limit(10), limit(10)
    assert charge(settings, [greedy, tenant], 200) <= 12
    assert charge(settings, [modest, tenant], 10) == 10
    assert 75 <= charge(settings, [tenant], 100) <= 85


@pytest.mark.parametrize("in_redis", [True, False])
def test_what_the_tenants_limit_refuses_is_not_charged_to_the_key(
    settings: Settings, in_redis: bool
) -> None:
    chosen = settings if in_redis else settings.model_copy(update={"redis_url": None})
    tenant, used, fresh = limit(10, "tenant"), limit(100), limit(100)

    async def run() -> list[Decision]:
        gate = Gate(chosen)
        charged = [([used, tenant], 10), ([used, tenant], 7), ([fresh, tenant], 7)]
        told = [await gate.charge(limits, cost, reading=True) for limits, cost in charged]
        told += [await gate.charge([key], 1, reading=True) for key in (used, fresh)]
        await gate.close()
        return told

    passed, *refused, of_used, of_fresh = asyncio.run(run())
    assert not passed.refused
    for one, left in zip(refused, (90, 100), strict=True):
        assert one.refused
        assert [each.limit.name for each in one.standings] == ["key", "tenant"]
        # A minute's worth flows in while the test runs, but it is never more than there was.
        assert left <= one.standings[0].remaining <= min(100, left + 10)
        assert 0 <= one.standings[0].resets_after <= 60 * (100 - left) / 100
    assert 89 <= of_used.standings[0].remaining <= 99
    assert of_fresh.standings[0].remaining == 99


@pytest.mark.parametrize("in_redis", [True, False])
def test_a_limit_of_nothing_lets_nothing_through(settings: Settings, in_redis: bool) -> None:
    chosen = settings if in_redis else settings.model_copy(update={"redis_url": None})
    assert charge(chosen, [limit(0)], 3) == 0
    tenant = limit(10, "tenant")
    assert charge(chosen, [tenant, limit(0)], 3) == 0
    assert charge(chosen, [tenant], 1, cost=10) == 1, "and takes nothing of the others"


def test_an_emptied_redis_begins_to_count_anew(settings: Settings) -> None:
    wanted = [limit(10)]
    assert charge(settings, wanted, 20) == 10
    with redis.Redis.from_url(str(settings.redis_url)) as client:
        client.flushdb()
    assert charge(settings, wanted, 20) == 10


def test_many_at_once_need_no_more_connections_than_there_are(settings: Settings) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(charge, settings, [limit(100_000)], 2000).result() == 2000
