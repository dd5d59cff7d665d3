"""The answer to a ping: left once, for the question that is open, and for all who wait for it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from graph.model import names
from graph.settings import Settings
from workers import messages, pinging


@pytest.fixture
def client(own_settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(str(own_settings.redis_url))


def test_all_who_wait_are_given_one_answer(own_settings: Settings, client: redis.Redis) -> None:
    client.set(names.shared_key("ping", "git"), "abc", px=15_000)
    with ThreadPoolExecutor(5) as pool:
        asking = [pool.submit(pinging.ask, own_settings, queue="git", patience=30) for _ in "12345"]
        told = pinging.answer(own_settings, queue="git", token="abc", worker="a host")
        assert told == "answered"
        (pong,) = {one.result() for one in asking}
    assert pong is not None
    assert pong.worker == "a host"
    assert 0 <= pong.milliseconds < 15_000
    # A message that came twice changes nothing.
    again = pinging.answer(own_settings, queue="git", token="abc", worker="another")
    assert again == "stale"
    assert pinging.ask(own_settings, queue="git", patience=1) == pong
    # The next question is another one.
    ttl = client.pttl(names.shared_key("ping", "git"))
    assert 0 < ttl <= 1000


def test_what_nobody_waits_for_leaves_nothing(own_settings: Settings, client: redis.Redis) -> None:
    assert pinging.answer(own_settings, queue="git", token="late", worker="w") == "stale"
    for queue, token in (("nothing", "abc"), ("git", ""), ("git", "a:b"), ("git", "x" * 200)):
        answered = pinging.answer(own_settings, queue=queue, token=token, worker="w")
        assert answered == "malformed"
    assert client.keys() == []


def test_a_worker_without_its_redis_goes_on(own_settings: Settings) -> None:
    away = own_settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    assert pinging.answer(away, queue="git", token="abc", worker="w") == "unheard"
    with pytest.raises(messages.BrokerUnavailable):
        pinging.ask(away, queue="git")
