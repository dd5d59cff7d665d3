"""Limits of requests as clients meet them: told with every answer, and bearable without Redis."""

import asyncio
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
import redis
from starlette.testclient import TestClient

from graph.errors import LimitsUnavailable
from graph.model.names import shared_key
from graph.settings import Settings
from service.app import create_app
from service.limiting import UNLIMITED, address_of, cost_of
from service.limits import Gate, headers
from tests.seeding import allow
from tests.service.conftest import Member, bearer
from tests.service.test_auth import operations
from tests.service.test_limits import limit
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYED = re.compile(r'"[a-z]+";r=[0-9]+;t=[0-9]+(, "[a-z]+";r=[0-9]+;t=[0-9]+)*')
POLICY = re.compile(r'"[a-z]+";q=[0-9]+;w=60(, "[a-z]+";q=[0-9]+;w=60)*')
AWAY = "redis://127.0.0.1:1/0"


def get(client: TestClient, member: Member, path: str = "/v1/tenant") -> httpx.Response:
    return client.get(path, headers=bearer(member.read))


def test_what_is_left_is_told_with_every_answer(
    client: TestClient, acme: Member, settings: Settings
) -> None:
    allow(settings, acme.tenant_id, key_requests_per_minute=100, requests_per_minute=1000)
    first, second = get(client, acme), get(client, acme)
    assert first.headers["ratelimit-policy"] == '"key";q=100;w=60, "tenant";q=1000;w=60'
    assert first.headers["ratelimit"] == '"key";r=99;t=1, "tenant";r=999;t=1'
    assert re.match(r'"key";r=9[89];', second.headers["ratelimit"])
    missing = get(client, acme, f"/v1/jobs/{uuid4()}")
    assert missing.status_code == 404
    assert KEYED.fullmatch(missing.headers["ratelimit"])
    assert POLICY.fullmatch(missing.headers["ratelimit-policy"])


def test_above_the_limit_one_waits_as_long_as_is_said(
    client: TestClient, acme: Member, rival: Member, settings: Settings
) -> None:
    for member in (acme, rival):
        allow(settings, member.tenant_id, key_requests_per_minute=60, requests_per_minute=100)
    answers = [get(client, acme) for _ in range(70)]
    counted = Counter(answer.status_code for answer in answers)
    assert 60 <= counted[200] <= 64
    refused = answers[-1]
    assert (refused.status_code, problem(refused)["code"]) == (429, "rate_limited")
    assert '"key";r=0;' in refused.headers["ratelimit"]
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 2
    assert get(client, rival).status_code == 200, "the neighbour notices nothing"
    other_key = client.get("/v1/tenant", headers=bearer(acme.admin))
    assert other_key.status_code == 200
    time.sleep(wait)
    assert get(client, acme).status_code == 200


def test_all_keys_of_a_tenant_share_its_limit(
    client: TestClient, acme: Member, settings: Settings
) -> None:
    allow(settings, acme.tenant_id, key_requests_per_minute=1000, requests_per_minute=20)
    statuses = [
        client.get("/v1/tenant", headers=bearer(key)).status_code
        for key in (acme.read, acme.ingest, acme.admin) * 10
    ]
    assert 20 <= statuses.count(200) <= 22
    refused = client.get("/v1/tenant", headers=bearer(acme.read))
    assert "tenant" in problem(refused)["detail"]


def test_a_tenant_without_limits_is_not_counted(
    client: TestClient, acme: Member, settings: Settings
) -> None:
    from sqlalchemy import text

    from graph.storage.session import system_session

    with system_session("administration", settings=settings) as connection:
        connection.execute(
            text("insert into plans (code, limits) values ('free', '{}') on conflict do nothing")
        )
        connection.execute(
            text("update tenants set plan = 'free' where tenant_id = :id"), {"id": acme.tenant_id}
        )
    answer = get(client, acme)
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers


def test_what_is_refused_writes_nothing(
    client: TestClient, acme: Member, settings: Settings
) -> None:
    allow(settings, acme.tenant_id, key_requests_per_minute=100, requests_per_minute=10)
    url = {"url": "https://example.org/x"}
    answers = [
        client.post("/v1/repositories", json=url, headers=bearer(acme.ingest)) for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [201, 429, 429]
    allow(settings, acme.tenant_id, key_requests_per_minute=10_000, requests_per_minute=10_000)
    with TestClient(create_app(settings)) as later:
        events = later.get("/v1/audit-events", headers=bearer(acme.admin)).json()["items"]
    assert len(events) == 1


def test_an_address_may_not_guess_keys_for_ever_and_a_known_key_goes_on(
    acme: Member, settings: Settings
) -> None:
    few = settings.model_copy(update={"address_requests_per_minute": 10})
    with TestClient(create_app(few), client=("192.0.2.1", 1)) as client:
        assert get(client, acme).status_code == 200
        statuses = Counter(
            client.get("/v1/tenant", headers=bearer("cl_live_" + "a" * 42)).status_code
            for _ in range(30)
        )
        assert 8 <= statuses[401] <= 11
        assert statuses[429] == 30 - statuses[401]
        assert client.get("/problems").status_code == 429
        assert get(client, acme).status_code == 200, "its key is known"
        for path in UNLIMITED:
            assert client.get(path).status_code == 200
    with TestClient(create_app(few), client=("192.0.2.2", 1)) as other:
        assert other.get("/problems").status_code == 200


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3::4", 1), "20010db800010002"),
        (("2001:db8:1:2:ffff::", 1), "20010db800010002"),
        (("fe80::1%eth0", 1), "fe80000000000000"),
        (("testclient", 50000), "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_is_a_name_that_redis_can_have(client: Any, name: str) -> None:
    assert address_of({"type": "http", "client": client}) == name
    assert shared_key("requests", name)


def test_every_operation_has_a_cost_that_somebody_thought_of(client: TestClient) -> None:
    costs: dict[int, set[str]] = {}
    for one in operations(client.get("/openapi.json").json()):
        name = one.description["operationId"]
        costs.setdefault(cost_of(one.method.upper(), one.path), set()).add(name)
    assert costs.keys() == {1, 5, 10, 50}
    assert costs[5] == {"search_symbols", "list_references", "list_callers", "list_callees"}
    assert {"request_ingestion", "request_job", "retry_job", "export_audit_events"} <= costs[50]
    assert {"get_job", "get_tenant", "get_symbol", "get_definition"} <= costs[1]


# --- without Redis ---------------------------------------------------------------------------


def test_without_redis_reading_goes_on_in_its_share_and_writing_waits(
    acme: Member, settings: Settings
) -> None:
    # A quarter of it for this process, and of that a tenth at once.
    allow(settings, acme.tenant_id, key_requests_per_minute=400, requests_per_minute=10_000)
    away = settings.model_copy(update={"redis_url": AWAY, "api_replicas": 4})
    with TestClient(create_app(away)) as client:
        answers = Counter(get(client, acme).status_code for _ in range(20))
        assert 10 <= answers[200] <= 12
        refused = client.post(
            "/v1/repositories", json={"url": "https://example.org/x"}, headers=bearer(acme.ingest)
        )
        assert (refused.status_code, problem(refused)["code"]) == (503, "limits_unavailable")
        assert int(refused.headers["retry-after"]) > 0


@pytest.fixture
def valkey(tmp_path: Path) -> "Iterator[tuple[subprocess.Popen[bytes], str]]":
    """A server of this test, which it may stop and freeze."""
    from service.embedded import binaries

    socket = tmp_path / "v.sock"
    server = subprocess.Popen(
        [binaries.valkey_server(), "--port", "0", "--unixsocket", str(socket), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    url = f"unix://{socket}?db=0"
    deadline = time.monotonic() + 20
    while True:
        try:
            with redis.Redis.from_url(url) as client:
                client.ping()
            break
        except redis.RedisError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield server, url
    server.send_signal(signal.SIGCONT)
    server.kill()
    server.wait()


def test_a_frozen_redis_holds_up_nobody_and_is_found_again(
    valkey: "tuple[subprocess.Popen[bytes], str]",
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server, url = valkey
    mine = settings.model_copy(update={"redis_url": url, "limits_patience_seconds": 0.05})
    wanted = [limit(1000)]

    async def scenario() -> None:
        gate = Gate(mine)
        await gate.charge(wanted, 1, reading=True)
        server.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        await asyncio.gather(*(gate.charge(wanted, 1, reading=True) for _ in range(50)))
        first = time.monotonic() - started
        started = time.monotonic()
        for _ in range(200):
            await gate.charge(wanted, 1, reading=True)
        many = time.monotonic() - started
        with pytest.raises(LimitsUnavailable):
            await gate.charge(wanted, 1, reading=False)
        server.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + 20
        while True:
            try:
                await gate.charge(wanted, 1, reading=False)
                break
            except LimitsUnavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
        await gate.close()
        # Once for all that came at that moment, and then not again and again.
        assert first < 2
        assert many < 2

    asyncio.run(scenario())
    told = capsys.readouterr().err + capsys.readouterr().out
    assert told.count("limits.redis_unavailable") <= 3


def test_headers_are_absent_where_nothing_is_limited() -> None:
    assert headers([]) == {}
