"""The whole stack on its real parts: started, asked, refused, stopped and killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from graph.settings import Settings
from service.embedded import services, stack
from service.embedded.errors import AddressTaken
from service.embedded.state import RunningServer, StateDirectory
from tests.service.embedded.conftest import Holder, eventually, holders
from workers import readiness

ROOT = Path(__file__).parents[3]
RUNNER = Path(__file__).parent / "runner.py"
STOP_SECONDS = 10
WORKERS = {"worker-parse", "worker-maintenance", "worker-git"}
ALL = {"postgres", "valkey", "api", "dispatcher", "beat", *WORKERS}

Run = Callable[..., Holder]


def spawn(home: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(RUNNER), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "CODELOOM_HOME": str(home),
            "CODELOOM_PORT": "0",
            **environment,
        },
    )


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a stack and wait until it is ready; killed at the end if it still runs."""
    with holders(spawn) as begin:
        yield begin


def found(home: Path) -> RunningServer:
    server = StateDirectory(home).running()
    assert server is not None
    return server


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def pid_of_worker(holder: Holder) -> bytes | None:
    """The process that said last that it takes ingestions."""
    with redis.Redis.from_url(holder.redis_url) as client:
        return client.get(readiness.key_of("parse"))


def test_everything_is_ready_serves_refuses_a_second_and_stops_in_order(
    place: Path, run: Run
) -> None:
    home = place / "home"
    holder = run(home)
    assert set(holder.children) == ALL
    server = found(home)
    assert server.pid == holder.process.pid
    assert httpx.get(f"{server.address}/readyz", trust_env=False).status_code == 200
    with psycopg.connect(server.database_url) as connection:
        query = "select count(*) from pg_tables where tablename = 'jobs'"
        assert connection.execute(query).fetchone() == (1,)

    second = spawn(home)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"process {holder.process.pid}" in said
    assert str(server.address) in said

    begun = time.monotonic()
    assert holder.stop() == 0
    assert time.monotonic() - begun < STOP_SECONDS
    assert holder.session_members() == []
    assert StateDirectory(home).running() is None
    assert not (home / "server.json").exists()


def test_a_killed_supervisor_leaves_no_process_of_any_kind(place: Path, run: Run) -> None:
    holder = run(place / "home")
    assert len(holder.session_members()) > len(ALL)
    os.kill(holder.process.pid, signal.SIGKILL)
    assert eventually(lambda: holder.session_members() == [], 3)


def test_a_command_that_is_done_ends_the_stack_with_its_answer(place: Path, run: Run) -> None:
    holder = run(place / "home", "7")
    assert holder.process.wait(30) == 7
    assert holder.session_members() == []


def test_a_command_that_is_interrupted_has_its_last_words_with_the_api(
    place: Path, run: Run
) -> None:
    holder = run(place / "home", "never")
    holder.process.send_signal(signal.SIGINT)
    last_words, _ = holder.process.communicate(timeout=30)
    assert last_words == "200\n"
    assert holder.process.returncode == 130
    assert holder.session_members() == []


def test_a_process_of_ours_that_dies_is_started_again_a_store_stops_the_stack(
    place: Path, run: Run
) -> None:
    holder = run(place / "home")
    server = found(place / "home")
    workers = pid_of_worker(holder)
    for name in ("api", "worker-parse"):
        os.kill(holder.children[name], signal.SIGKILL)
    assert eventually(lambda: answers(f"{server.address}/readyz"), 30)
    # Ready under its own id means that it takes tasks.
    assert eventually(lambda: pid_of_worker(holder) not in (workers, None), 30)

    os.kill(holder.children["valkey"], signal.SIGKILL)
    _, said = holder.process.communicate(timeout=30)
    assert holder.process.returncode == 1
    assert "api ended unexpectedly with signal SIGKILL, and is started again" in said
    assert "valkey ended unexpectedly with signal SIGKILL.\n" in said
    assert holder.session_members() == []


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6, 0.9])
def test_a_stop_is_heeded_at_every_moment_of_the_start(place: Path, seconds: float) -> None:
    process = spawn(place / "home")
    assert eventually((place / "home" / "server.json").exists, 60)
    time.sleep(seconds)
    process.terminate()
    out, said = process.communicate(timeout=30)
    # It may have been ready by then.
    assert process.returncode == (0 if out else 130), said


def test_parts_with_an_address_are_used_and_not_started(
    place: Path, run: Run, empty_database_url: str, redis_url: str
) -> None:
    home = place / "home"
    holder = run(home, DATABASE_URL=empty_database_url, REDIS_URL=redis_url)
    assert set(holder.children) == ALL - {"postgres", "valkey"}
    assert holder.database_url == empty_database_url
    with redis.Redis.from_url(redis_url) as client:
        assert all(client.exists(readiness.key_of(group)) for group in services.WORKER_GROUPS)
    assert holder.stop() == 0
    assert not (home / "postgres").exists()
    assert not (home / "valkey").exists()


def test_a_taken_port_is_reported_before_anything_starts(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = Settings(codeloom_home=place / "home", codeloom_port=port)
        with pytest.raises(AddressTaken, match=rf":{port}: .*CODELOOM_PORT"):
            stack.up(settings)
    assert not (place / "home").exists()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_the_address_is_one_that_a_client_can_call(host: str, address: str) -> None:
    assert services.address(Settings(codeloom_host=host, codeloom_port=80)) == address


def test_a_command_on_a_database_of_ones_own_starts_and_changes_nothing(
    place: Path, empty_database_url: str
) -> None:
    settings = Settings(codeloom_home=place / "home", database_url=empty_database_url)
    with stack.opened(settings) as opened:
        assert opened == settings
    assert not (place / "home").exists()
    with psycopg.connect(empty_database_url) as connection:
        query = "select count(*) from pg_tables where schemaname = 'codeloom'"
        assert connection.execute(query).fetchone() == (0,)


def test_a_command_opens_the_stores_for_its_own_time(place: Path) -> None:
    settings = Settings(codeloom_home=place / "home")
    said: list[str] = []
    with stack.opened(settings, say=said.append) as opened:
        with psycopg.connect(str(opened.database_url)) as connection:
            query = "select count(*) from pg_tables where tablename = 'jobs'"
            assert connection.execute(query).fetchone() == (1,)
        # A second command, in another process, would find these stores and use them.
        with stack.opened(settings) as again:
            assert again.database_url == opened.database_url
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(str(opened.database_url))
    assert stack.running(settings) is None
