"""Whether workers take tasks: asked through the broker, answered by real ones."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import redis
from starlette.testclient import TestClient

from service.routes.worker_health import QueueName
from tests.service.conftest import Member, bearer
from tests.service.serving import Server, serving
from tests.service.test_problems import problem
from tests.workers.gitrepo import Repo
from tests.workers.stand import Stand
from workers import facade

if TYPE_CHECKING:
    from graph.settings import Settings

PATH = "/v1/health/worker"


@pytest.fixture
def stand(settings: "Settings", tmp_path: Path) -> Iterator[Stand]:
    with Stand(settings, Repo(tmp_path / "repo")) as running:
        yield running


def waiting(settings: "Settings", queue: str) -> int:
    """Messages that lie in a queue."""
    with redis.Redis.from_url(str(settings.redis_url)) as client:
        found: int = client.llen(queue)
        return found


def test_workers_of_each_queue_answer_and_are_asked_once_at_a_time(
    operator: str, settings: "Settings", stand: Stand, tmp_path: Path
) -> None:
    # A process of its own: in this one, Celery has the settings of nobody.
    with serving(settings, tmp_path) as server:
        _ask_workers(server, operator, settings, stand)


def _ask_workers(server: Server, operator: str, settings: "Settings", stand: Stand) -> None:
    def ask(*queues: str) -> tuple[int, dict[str, Any]]:
        query = "&".join(f"queue={name}" for name in queues)
        answer = server.get(f"{PATH}?{query}", f"Authorization: Bearer {operator}")
        return answer.status, json.loads(answer.body)

    # Nobody takes tasks: other requests are answered meanwhile, and one message waits for all.
    with ThreadPoolExecutor(20) as pool:
        asking = [pool.submit(ask, "parse") for _ in range(20)]
        stand.until(lambda: waiting(settings, "parse"), "a ping lies in the queue")
        assert server.get("/healthz").status == 200
        assert not any(one.done() for one in asking)
        refused = [one.result() for one in asking]
    assert {(status, answer["code"]) for status, answer in refused} == {(503, "workers_silent")}
    assert "parse" in refused[0][1]["detail"]
    assert waiting(settings, "parse") == 1

    stand.start_worker()
    status, answer = ask(*facade.QUEUE_NAMES)
    assert (status, answer.get("status")) == (200, "ok"), answer
    told = answer["queues"]
    assert [one["queue"] for one in told] == list(facade.QUEUE_NAMES)
    assert all(one["round_trip_ms"] >= 0 and one["worker"] for one in told)
    (default,) = ask()[1]["queues"]
    assert default["queue"] == "maintenance"
    assert not any(waiting(settings, queue) for queue in facade.QUEUE_NAMES)

    os.killpg(stand.processes["worker"].pid, signal.SIGSTOP)
    # What was answered is good for a second.
    stand.until(lambda: ask("git")[0] == 503, "a frozen worker is silent")
    os.killpg(stand.processes["worker"].pid, signal.SIGCONT)
    stand.until(lambda: ask("git")[0] == 200, "it answers again")


def test_without_a_broker_it_is_said_which_part_is_away(
    operator: str, settings: "Settings"
) -> None:
    from service.app import create_app

    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(away)) as client:
        answer = client.get(PATH, headers=bearer(operator))
        assert (answer.status_code, problem(answer)["code"]) == (503, "broker_unavailable")
        assert answer.headers["retry-after"]


def test_only_operators_may_ask(client: TestClient, settings: "Settings", acme: Member) -> None:
    assert problem(client.get(PATH))["code"] == "api_key_missing"
    for key in (acme.read, acme.admin):
        refused = client.get(PATH, headers=bearer(key))
        assert (refused.status_code, problem(refused)["code"]) == (403, "operator_key_required")
    assert sum(waiting(settings, queue) for queue in facade.QUEUE_NAMES) == 0


def test_a_queue_that_does_not_exist_is_not_asked(client: TestClient, operator: str) -> None:
    assert get_args(QueueName) == facade.QUEUE_NAMES
    for wrong in ("", "nothing", "parse\x06\x163"):
        answer = client.get(PATH, params={"queue": wrong}, headers=bearer(operator))
        assert (answer.status_code, problem(answer)["code"]) == (422, "request_invalid")
