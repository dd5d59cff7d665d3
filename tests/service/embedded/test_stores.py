"""The real PostgreSQL and the real Valkey, as their runner starts and stops them."""

import asyncio
import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from service.embedded.postgres import PostgresServer, TcpAccess
from service.embedded.supervisor import Supervisor
from tests.service.embedded.conftest import ORDINARY, Holder, eventually, interpreter, spawn

Hold = Callable[..., Holder]


@pytest.fixture
def users() -> list[int | None]:
    """The users to try: the one we are and, when we are root, an ordinary one.

    The ordinary one needs a Python that it may run; without one there is no such user to test.
    """
    return [None, ORDINARY] if os.geteuid() == 0 and interpreter(ORDINARY) else [None]


def remember(holder: Holder) -> None:
    with psycopg.connect(holder.database_url) as connection:
        connection.execute("create table kept (word text)")
        connection.execute("insert into kept values ('remembered')")
    with redis.Redis.from_url(holder.redis_url) as client:
        client.set("kept", "remembered")


def remembers(holder: Holder) -> bool:
    with psycopg.connect(holder.database_url) as connection:
        row = connection.execute("select word from kept").fetchone()
    with redis.Redis.from_url(holder.redis_url) as client:
        return row == ("remembered",) and client.get("kept") == b"remembered"


def test_data_is_kept_from_one_start_to_the_next(
    place: Path, hold: Hold, users: list[int | None]
) -> None:
    for user in users:
        home = place / f"home-{user}"
        home.mkdir(mode=0o711)
        if user is not None:
            os.chown(home, user, user)
        first = hold(home, user=user)
        remember(first)
        assert first.stop() == 0
        assert first.session_members() == []
        assert remembers(hold(home, user=user))


def test_a_killed_supervisor_leaves_no_process_and_its_data(place: Path, hold: Hold) -> None:
    holder = hold(place / "home")
    remember(holder)
    members = holder.session_members()
    assert len(members) >= len(holder.children)
    os.kill(holder.process.pid, signal.SIGKILL)
    assert eventually(lambda: holder.session_members() == [], 3)
    # At once, without a pause: the directory is handed over when the last process has gone.
    assert remembers(hold(place / "home"))


def test_a_second_start_is_refused_and_told_who_is_there(place: Path, hold: Hold) -> None:
    holder = hold(place / "home")
    second = spawn(place / "home")
    _, said = second.communicate(timeout=30)
    assert second.returncode == 1
    assert str(place / "home") in said
    assert f"process {holder.process.pid}" in said
    assert "http://127.0.0.1:1" in said
    with psycopg.connect(holder.database_url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_the_login_is_no_superuser_and_may_make_roles(place: Path, hold: Hold) -> None:
    with psycopg.connect(hold(place / "home").database_url, autocommit=True) as connection:
        row = connection.execute(
            "select rolsuper, rolbypassrls, rolcreaterole from pg_roles"
            " where rolname = current_user"
        ).fetchone()
        assert row == (False, False, True)
        connection.execute("create role made_by_login")
        connection.execute("set role made_by_login")


def test_sockets_are_closed_to_others(place: Path, hold: Hold) -> None:
    hold(place / "home")
    folder = place / "home" / "run" / "postgres"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "home" / "run" / "valkey.sock").stat().st_mode) == 0o700


def test_a_closed_home_stays_closed(place: Path, hold: Hold) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "home"
    first = hold(home)
    remember(first)
    assert first.stop() == 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert remembers(hold(home))
    if os.geteuid() == 0:
        outside = (home / "postgres").resolve()
        assert not outside.is_relative_to(place)
        assert stat.S_IMODE((outside / "data").stat().st_mode) == 0o700


def test_a_long_path_still_has_room_for_its_sockets(place: Path, hold: Hold) -> None:
    home = place / ("long" * 30)
    holder = hold(home)
    remember(holder)
    assert remembers(holder)
    assert str(home) not in holder.database_url


def test_a_path_with_spaces_and_signs_is_only_a_path(place: Path, hold: Hold) -> None:
    holder = hold(place / "a home?with=%20&#signs")
    remember(holder)
    assert remembers(holder)


def test_the_process_number_of_a_crashed_server_may_be_anybodys(place: Path, hold: Hold) -> None:
    home = place / "home"
    first = hold(home)
    remember(first)
    claim = (home / "postgres" / "postmaster.pid").read_text().split("\n", 1)
    assert first.stop() == 0
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{claim[1]}")
    assert remembers(hold(home))


def test_a_first_start_that_was_killed_half_way_leaves_no_half_cluster(
    place: Path, hold: Hold
) -> None:
    half = place / "home" / "postgres.partial"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    (place / "home").chmod(0o711)
    remember(hold(place / "home"))


def test_tcp_asks_for_the_password(place: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    access = TcpAccess(port, "it's a/secret")
    server = PostgresServer(place / "data", place / "run", durable=False, tcp=access)

    async def run() -> None:
        await server.prepare()
        async with Supervisor(place) as supervisor:
            await supervisor.start(server.specification())
            await server.create_login()
            await asyncio.to_thread(connect)

    def connect() -> None:
        for url in (server.url(), server.tcp_url()):
            with psycopg.connect(url) as connection:
                assert connection.execute("select current_user").fetchone() == ("codeloom",)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.tcp_url().replace("secret", "guess"))

    asyncio.run(run())
