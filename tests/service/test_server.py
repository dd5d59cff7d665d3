"""The server as a process: how it stops, how many there are, whom it believes and takes."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from graph.settings import Settings
from graph.storage.session import tenant_session
from tests.service.conftest import make_tenant
from tests.service.embedded.conftest import alive, eventually, live
from tests.service.serving import ROOT, Server, request, serving

EXTENDED = "tests.service.serving"


def children(server: Server) -> set[int]:
    """The processes that the server has started."""
    found = set()
    for pid in live():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        # Besides them, Python starts one that keeps count of what processes share.
        if int(fields[1]) == server.process.pid and b"spawn_main" in command:
            found.add(pid)
    return found


def refused(server: Server) -> bool:
    """Whether nobody listens any more."""
    try:
        server.connect().socket.close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stop_answers_what_is_under_way_and_takes_nothing_more(
    server_settings: Settings, tmp_path: Path
) -> None:
    with (
        serving(server_settings, tmp_path, module=EXTENDED) as server,
        server.connect() as idle,
        server.connect() as asking,
        server.connect() as reading,
    ):
        idle.send(request("GET", "/healthz"))
        assert idle.answer().status == 200
        asking.send(request("GET", "/test/wait?seconds=2"))
        reading.send(request("GET", "/test/block?seconds=2"))
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: refused(server), 10)
        assert idle.ends()
        for connection in (asking, reading):
            answer = connection.answer()
            assert (answer.status, answer["connection"]) == (200, "close")
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log()


def test_a_stop_waits_no_longer_than_it_may(server_settings: Settings, tmp_path: Path) -> None:
    with (
        serving(server_settings, tmp_path, module=EXTENDED, shutdown_grace_seconds=1) as server,
        server.connect() as asking,
        server.connect() as listening,
    ):
        asking.send(request("GET", "/test/wait?seconds=600"))
        listening.send(request("GET", "/test/endless"))
        assert listening.socket.recv(100)
        assert server.stop() == 0
        answer = asking.answer()
        assert (answer.status, answer.code) == (503, "server_stopping")
        assert int(str(answer["retry-after"])) > 0
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_every_signal_to_stop_ends_it_in_good_order(
    number: signal.Signals, server_settings: Settings, tmp_path: Path
) -> None:
    with serving(server_settings, tmp_path) as server:
        server.process.send_signal(number)
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log()


def test_a_port_that_is_taken_ends_it_with_an_error(
    server_settings: Settings, tmp_path: Path
) -> None:
    with serving(server_settings, tmp_path) as server:
        from service.embedded import services

        taken = {"codeloom_host": "127.0.0.1", "codeloom_port": server.port}
        environment = services.environment(server_settings.model_copy(update=taken))
        command = [sys.executable, "-m", "service.server"]
        second = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False
        )
        assert second.returncode == 3
        assert b"address already in use" in second.stderr
        assert b"Traceback" not in second.stderr
        assert server.healthy()


def test_several_processes_share_the_port_and_end_together(
    server_settings: Settings, tmp_path: Path
) -> None:
    with serving(
        server_settings, tmp_path, module=EXTENDED, api_processes=2, shutdown_grace_seconds=5
    ) as server:
        assert eventually(lambda: len(children(server)) == 2, 30)
        before = children(server)
        os.kill(min(before), signal.SIGKILL)
        assert eventually(lambda: len(children(server) - before) == 1, 30)
        assert eventually(lambda: server.get("/healthz").status == 200, 10)
        workers = children(server)
        with server.connect() as asking:
            asking.send(request("GET", "/test/wait?seconds=1"))
            time.sleep(0.3)
            assert server.stop() == 0
            assert asking.answer().status == 200
        assert eventually(lambda: not workers & set(live()), 10)
        assert "Traceback" not in server.log()


def test_processes_do_not_outlive_the_one_that_started_them(
    server_settings: Settings, tmp_path: Path
) -> None:
    with serving(server_settings, tmp_path, api_processes=2, shutdown_grace_seconds=1) as server:
        assert eventually(lambda: len(children(server)) == 2, 30)
        workers = children(server)
        server.process.kill()
        server.process.wait()
        assert eventually(lambda: not any(map(alive, workers)), 20)
        assert refused(server)


def test_it_says_nothing_of_itself_and_one_date(server_settings: Settings, tmp_path: Path) -> None:
    with serving(server_settings, tmp_path) as server:
        for path in ("/healthz", "/nothing", "/v1/tenant"):
            answer = server.get(path)
            assert answer["server"] is None
            assert str(answer["date"]).endswith(" GMT")
            assert answer["strict-transport-security"] is None
        # Our line for a request, and nobody else's.
        assert eventually(lambda: "status=401" in server.log(), 10)
        assert server.log().count("status=401") == 1
        assert "/nothing" not in server.log()


FORWARDED = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")


def test_what_a_client_says_of_itself_is_not_believed(
    server_settings: Settings, tmp_path: Path
) -> None:
    environment = {"FORWARDED_ALLOW_IPS": "*", "WEB_CONCURRENCY": "3"}  # uvicorn's own
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with serving(server_settings, tmp_path, module=EXTENDED) as server:
            answer = server.get("/test/client", *FORWARDED)
            assert answer.body == b'{"host":"127.0.0.1","scheme":"http"}'
            assert answer["strict-transport-security"] is None
            assert children(server) == set()


def test_what_a_trusted_proxy_says_of_a_client_is_believed(
    server_settings: Settings, tmp_path: Path
) -> None:
    with serving(
        server_settings, tmp_path, module=EXTENDED, trusted_proxies="10.0.0.0/8, 127.0.0.1"
    ) as server:
        answer = server.get("/test/client", *FORWARDED)
        assert answer.body == b'{"host":"203.0.113.7","scheme":"https"}'
        # What came before our proxies may be anybody's invention.
        chain = "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.1.2.3"
        assert b'"host":"203.0.113.7"' in server.get("/test/client", chain).body
        nonsense = ("X-Forwarded-For: ,,[::,\xff", "X-Forwarded-Proto: gopher")
        assert server.get("/test/client", *nonsense).status == 200
        answers = {
            "200": server.get("/healthz", *FORWARDED),
            "400": server.ask(request("GET", "/", *FORWARDED, "Host: b")),
            "401": server.get("/v1/tenant", *FORWARDED),
            "404": server.get("/nothing", *FORWARDED),
            "405": server.ask(request("PUT", "/healthz", *FORWARDED)),
            "413": server.ask(
                request("POST", "/test/body", *FORWARDED, "Content-Length: 99999999")
            ),
            "415": server.ask(request("POST", "/test/body", *FORWARDED, "Content-Length: 1")),
            "422": server.get("/healthz?x=1", *FORWARDED),
            "431": server.get("/", *FORWARDED, "X: " + "a" * 100_000),
            "500": server.get("/test/fault", *FORWARDED),
        }
        for status, answer in answers.items():
            assert answer.status == int(status)
            assert answer["strict-transport-security"] == "max-age=31536000", status
            assert answer["x-content-type-options"] == "nosniff", status
            assert answer["referrer-policy"] == "no-referrer", status
            assert "default-src 'none'" in str(answer["content-security-policy"]), status
            assert answer["cache-control"] == "no-store", status
            assert answer["server"] is None, status
            if status != "200":
                answer.problem()


def test_one_connection_too_many_is_told_so_and_many_too_many_are_cut_off(
    server_settings: Settings, tmp_path: Path
) -> None:
    with (
        serving(server_settings, tmp_path, max_connections=5) as server,
        ExitStack() as stack,
    ):
        held = [stack.enter_context(server.connect()) for _ in range(5)]
        for connection in held:
            connection.send(request("GET", "/healthz"))
            assert connection.answer().status == 200
        answer = server.get("/healthz")
        assert (answer.status, answer.code) == (503, "server_busy")
        assert (answer["connection"], answer["retry-after"]) == ("close", "1")
        # Those that were there first are served.
        held[0].send(request("GET", "/healthz"))
        assert held[0].answer().status == 200
        many = [stack.enter_context(server.connect()) for _ in range(150)]
        assert many[-1].ends()
        for connection in [*held, *many]:
            connection.socket.close()
        assert eventually(lambda: server.get("/healthz").status == 200, 20)
        assert server.healthy(), server.log()


def test_there_are_no_more_connections_than_files_that_may_be_open() -> None:
    program = (
        "from graph.settings import Settings; from service.server import configuration;"
        "import resource; print(configuration(Settings()).limits.connections,"
        " resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    for shell, expected in (("ulimit -n 700", "188 700"), ("ulimit -Sn 256", "1000 1512")):
        command = ["bash", "-c", f'{shell}; exec "$0" -c "$1"', sys.executable, program]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert run.stdout.strip() == expected


def test_a_client_that_reads_slowly_holds_no_connection_to_the_database(
    server_settings: Settings, tmp_path: Path
) -> None:
    member = make_tenant(server_settings, "slow")
    events = """
        insert into audit_events
          (tenant_id, event_id, actor_kind, action, target_kind, target_id, outcome)
        select :tenant, gen_random_uuid(), 'system', 'test', 'text', repeat('x', 1000), 'succeeded'
        from generate_series(1, 10000)
    """
    with tenant_session(member.tenant_id, settings=server_settings) as connection:
        connection.execute(text(events), {"tenant": member.tenant_id})
    key = f"Authorization: Bearer {member.admin}"
    with serving(server_settings, tmp_path, database_pool_size=1) as server, ExitStack() as stack:
        slow = [stack.enter_context(server.connect(receive_buffer=4096)) for _ in range(4)]
        for client in slow:
            client.send(request("GET", "/v1/audit-events/export", key))
            assert client.socket.recv(1)
        time.sleep(0.5)
        for _ in range(5):
            assert server.get("/v1/tenant", key).status == 200
        query = """
            select count(*) from pg_stat_activity
            where datname = current_database() and state like 'idle in transaction%'
        """
        with psycopg.connect(str(server_settings.database_url)) as watching:
            assert watching.execute(query).fetchone() == (0,)
        # They had not been given everything: what they were waiting for was to be read.
        assert "/v1/audit-events/export" not in server.log()
        whole = server.get("/v1/audit-events/export", key)
        assert whole.body.count(b"\n") == 10_000


def test_the_container_starts_it_on_every_address(
    server_settings: Settings, tmp_path: Path
) -> None:
    from service.embedded import services
    from tests.service.serving import free_port, until_ready

    port = free_port()
    environment = services.environment(server_settings) | {
        "CODELOOM_PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("CODELOOM_HOST", None)
    log_file = tmp_path / "container.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            ["sh", ROOT / "deploy/entrypoint.sh"],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        server = Server(process, port, log_file)
        until_ready(server)
        with socket.create_connection(("127.0.0.2", port)):
            pass
        assert server.stop() == 0
    finally:
        process.kill()
        process.wait()
