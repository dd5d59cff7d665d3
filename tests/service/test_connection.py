"""One connection to a running server, by clients that are slow, greedy, broken or hostile."""

import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, strategies
from hypothesis import settings as examples

from graph.settings import Settings
from tests.service.embedded.conftest import eventually
from tests.service.serving import Connection, Server, request, serving

MEGABYTE = 1024 * 1024
CHUNKED = ("Content-Type: application/json", "Transfer-Encoding: chunked")


@pytest.fixture(scope="module")
def server(server_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose patience is short; it serves all tests here, and none may have hurt it."""
    with serving(
        server_settings,
        tmp_path_factory.mktemp("log"),
        module="tests.service.serving",
        header_timeout_seconds=1,
        body_timeout_seconds=1,
        answer_timeout_seconds=1,
        keep_alive_seconds=1,
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def unhurt(server: Server) -> Iterator[None]:
    yield
    assert server.healthy(), server.log()


TOO_MUCH = {
    "a header of a megabyte": (request("GET", "/", "X: " + "a" * MEGABYTE), 431),
    "a header that never ends": (request("GET", "/")[:-2] + b"X: " + b"a" * 4 * MEGABYTE, 431),
    "a name that never ends": (request("GET", "/")[:-2] + b"a" * 4 * MEGABYTE, 431),
    "a million headers": (request("GET", "/", *["A: b"] * 1_000_000), 431),
    "a hundred and thirty headers": (request("GET", "/", *["A: b"] * 130), 431),
    "an address of 40 KB": (request("GET", "/" + "a" * 40_000), 414),
    "an address that never ends": (b"GET /" + b"a" * 4 * MEGABYTE, 414),
    "a query of 40 KB": (request("GET", "/healthz?" + "a" * 40_000), 414),
    "a trailer of a thousand headers": (
        request("POST", "/test/body", *CHUNKED) + b"0\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        431,
    ),
    "a trailer that never ends": (
        request("POST", "/test/body", *CHUNKED) + b"1\r\n1\r\n0\r\nA: " + b"b" * MEGABYTE,
        431,
    ),
    "a chunk extension that never ends": (
        request("POST", "/test/body", *CHUNKED) + b"1;" + b"b" * MEGABYTE,
        431,
    ),
    "a body that declares too much": (
        request("POST", "/test/body", "Content-Length: 99999999999999999999999"),
        400,
    ),
    "a body of nine megabytes": (request("POST", "/test/body", body=b" " * 9 * MEGABYTE), 413),
    "chunks of nine megabytes": (
        request("POST", "/test/body", *CHUNKED)
        + b"900000\r\n"
        + b" " * 0x900000
        + b"\r\n0\r\n\r\n",
        413,
    ),
}
CODES = {
    400: "request_malformed",
    413: "body_too_large",
    414: "url_too_long",
    431: "headers_too_large",
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_what_is_too_much_is_told_so_and_costs_no_memory(kind: str, server: Server) -> None:
    data, status = TOO_MUCH[kind]
    server.ask(data)  # the first time may warm what is kept
    before = server.kilobytes()
    for _ in range(3):
        with server.connect() as connection:
            connection.send(data)
            answer = connection.answer()
            assert (answer.status, answer.code) == (status, CODES[status])
            assert answer["connection"] == "close"
            assert connection.ends()
    assert server.kilobytes() - before < 32 * 1024


def test_what_is_just_not_too_much_is_served(server: Server) -> None:
    assert server.get("/healthz", *["A: b"] * 100).status == 200
    assert server.get("/healthz", "X: " + "a" * 60_000).status == 200
    assert server.get("/" + "a" * 32_000).code == "route_not_found"


MALFORMED = {
    "not HTTP": b"\x16\x03\x01\x00\xf1\x01\x00\x00\xed\x03\x03",
    "no method": b" / HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown method": b"FETCH / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "another version": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": request("GET", "/", "Host: b"),
    "a space before a colon": request("GET", "/", "A : b"),
    "NUL in a header": request("GET", "/", "A: b\x00c"),
    "NUL in a name": request("GET", "/", "A\x00: b"),
    "NUL in the path": b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a carriage return alone": request("GET", "/", "A: b\rC: d"),
    "two lengths": request("POST", "/test/body", "Content-Length: 1", "Content-Length: 2") + b"ab",
    "a list of lengths": request("POST", "/test/body", "Content-Length: 1, 1") + b"a",
    "a length that is no number": request("POST", "/test/body", "Content-Length: +1") + b"a",
    "a length and chunks": request("POST", "/test/body", "Content-Length: 4", *CHUNKED)
    + b"0\r\n\r\n",
    "chunks that are not last": request("POST", "/test/body", "Transfer-Encoding: chunked, gzip")
    + b"0\r\n\r\n",
    "a chunk without a length": request("POST", "/test/body", *CHUNKED) + b"\r\n\r\n",
    "a chunk with a wrong length": request("POST", "/test/body", *CHUNKED) + b"1\r\nabc\r\n",
    "a chunk length beyond numbers": request("POST", "/test/body", *CHUNKED) + b"f" * 20 + b"\r\n",
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tunnel": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path that is an address": b"GET a:b HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_not_http_is_answered_as_a_problem(kind: str, server: Server) -> None:
    with server.connect() as connection:
        connection.send(MALFORMED[kind])
        answer = connection.answer()
        assert (answer.status, answer.code) == (400, "request_malformed")
        assert (answer["connection"], answer["x-content-type-options"]) == ("close", "nosniff")
        assert connection.ends()
    assert eventually(lambda: str(answer["x-request-id"]) in server.log(), 10)


@pytest.mark.parametrize(
    "path",
    [
        "//v1/tenant",
        "/v1//tenant",
        "/v1/../healthz",
        "/v1/%2e%2e/healthz",
        "/v1%2ftenant",
        "/%00",
        "/v1/jobs/%00",
        "/problems/%ff%fe",
        "/problems/%c3%28",
        "/problems/%ed%a0%80",
        "/problems/%",
        "/problems/%zz",
        "/healthz?%00=%ff",
        "/healthz?=&&&=",
        "/" + "a/" * 15_000,
        "/" + "%41" * 10_000,
        "/problems/" + "x" * 30_000,
        "http://elsewhere.example/healthz?x",
        "*",
    ],
)
def test_no_path_is_a_fault(path: str, server: Server) -> None:
    answer = server.get(path)
    assert 400 <= answer.status < 500
    assert answer.code in {
        "route_not_found",
        "api_key_missing",
        "request_invalid",
        "request_malformed",
    }


def test_a_head_that_is_slow_is_answered_408_however_it_drips(server: Server) -> None:
    with server.connect() as connection:
        started = time.monotonic()
        for letter in request("GET", "/healthz", "X: " + "a" * 1000):
            connection.send(bytes([letter]))
            time.sleep(0.02)
            if time.monotonic() - started > 2:
                break
        answer = connection.answer()
        assert (answer.status, answer.code) == (408, "request_timed_out")
        assert connection.ends()


def test_a_connection_that_asks_nothing_is_closed_without_a_word(server: Server) -> None:
    with server.connect() as silent, server.connect() as dripping:
        for _ in range(10):
            dripping.send(b"\r\n")
            time.sleep(0.02)
        assert silent.ends()
        assert dripping.ends()


def test_a_second_head_may_be_no_slower_than_the_first(server: Server) -> None:
    with server.connect() as connection:
        connection.send(request("GET", "/healthz") + b"GET /healthz HT")
        assert connection.answer().status == 200
        assert connection.answer().code == "request_timed_out"
        assert connection.ends()


@pytest.mark.parametrize("framing", [("Content-Length: 1000",), CHUNKED[1:]])
def test_a_body_that_is_slow_is_answered_408_however_it_drips(
    framing: tuple[str, ...], server: Server
) -> None:
    with server.connect() as connection:
        connection.send(request("POST", "/test/body", CHUNKED[0], *framing))
        for _ in range(100):
            connection.send(b"1\r\n1\r\n" if framing == CHUNKED[1:] else b" ")
            time.sleep(0.02)
        answer = connection.answer()
        assert (answer.status, answer.code) == (408, "request_timed_out")
        assert answer["connection"] == "close"
        assert connection.ends()


def test_an_idle_connection_is_closed_and_line_breaks_do_not_keep_it(server: Server) -> None:
    with server.connect() as connection:
        connection.send(request("GET", "/healthz"))
        assert connection.answer()["connection"] is None
        for _ in range(200):
            connection.send(b"\r\n")
            if select.select([connection.socket], [], [], 0.1)[0]:
                break
        assert connection.ends()


def test_the_rest_of_a_body_behind_its_answer_is_awaited_but_not_for_ever(server: Server) -> None:
    head = request("POST", "/v1/repositories", CHUNKED[0], "Content-Length: 10")
    with server.connect() as connection:
        connection.send(head)
        assert connection.answer().code == "api_key_missing"
        connection.send(b" " * 10 + request("GET", "/healthz"))
        assert connection.answer().status == 200
        connection.send(head)
        assert connection.answer().code == "api_key_missing"
        connection.send(b" ")
        assert connection.ends()


def test_an_answer_reaches_a_client_that_is_still_sending(server: Server) -> None:
    with server.connect() as connection:
        connection.send(request("POST", "/test/body", CHUNKED[0], "Content-Length: 2000000"))
        for _ in range(100):
            connection.send(b" " * 20_000)
        assert connection.answer().code == "body_too_large"
        assert connection.ends()


def test_a_long_answer_is_not_cut_by_what_is_behind_its_request(server: Server) -> None:
    size = 60 * MEGABYTE
    taken = 0
    with server.connect() as connection:
        asked = request("GET", f"/test/large?size={size}", "Connection: close")
        connection.send(asked + b"GET /heal")
        while received := connection.socket.recv(2 * MEGABYTE, socket.MSG_WAITALL):
            taken += len(received)
            time.sleep(0.1)  # longer in all than a closed connection lingers
    assert taken > size


def test_a_client_that_takes_nothing_of_a_long_answer_is_disconnected(server: Server) -> None:
    with server.connect(receive_buffer=4096) as connection:
        connection.send(request("GET", f"/test/large?size={50 * MEGABYTE}"))
        connection.socket.recv(1)
        waiting = select.poll()
        waiting.register(connection.socket, 0)  # no event but the end
        assert waiting.poll(20_000)
    assert server.get("/test/large?size=1000000").body == b"x" * 1_000_000


def test_a_client_that_leaves_is_no_fault(server: Server) -> None:
    with server.connect() as connection:
        connection.send(request("POST", "/test/body", CHUNKED[0], "Content-Length: 1000") + b"{")
        time.sleep(0.1)
    with server.connect() as connection:
        connection.send(request("GET", "/test/endless"))
        connection.socket.recv(100)
    with server.connect() as connection:
        connection.send(request("GET", "/test/wait?seconds=0.3"))
    time.sleep(0.5)


def test_requests_may_be_sent_ahead_but_not_without_end(server: Server) -> None:
    with server.connect() as connection:
        connection.send(request("GET", "/healthz") * 10 + b"nonsense\r\n\r\n")
        assert [connection.answer().status for _ in range(10)] == [200] * 10
        assert connection.answer().code == "request_malformed"
        assert connection.ends()
    with server.connect() as connection:
        connection.send(request("GET", "/healthz") * 5000)
        statuses = []
        while not statuses or statuses[-1] == 200:
            statuses.append(connection.answer().status)
        assert statuses[-1] == 400
        assert len(statuses) < 50
        assert connection.ends()


def test_whoever_wishes_for_another_protocol_is_served_in_this_one(server: Server) -> None:
    wish = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQA")
    hidden = request("GET", "/healthz")
    with server.connect() as connection:
        connection.send(request("GET", "/healthz", *wish) + request("GET", "/healthz"))
        assert connection.answer().status == 200
        assert connection.answer().status == 200
        # The body is a body, and not the next request, in one piece as in two.
        data = request("POST", "/test/body", *wish, body=hidden)
        connection.send(data)
        assert connection.answer().code == "body_malformed"
        connection.send(data[: -len(hidden)])
        time.sleep(0.1)
        connection.send(hidden)
        assert connection.answer().code == "body_malformed"
        connection.send(request("POST", "/test/body", *wish, body=b"[1, 2]"))
        assert connection.answer().body == b'{"size":6}'
        connection.send(request("GET", "/problems/x"))
        assert connection.answer().status == 404
    websocket = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    assert server.get("/healthz", *websocket).status == 200


def test_the_head_of_a_stream_without_end_ends(server: Server) -> None:
    with server.connect() as connection:
        connection.send(request("HEAD", "/test/endless", "X-Request-Id: endless-head"))
        assert connection.answer("HEAD").status == 200
        connection.send(request("GET", "/healthz"))
        assert connection.answer().status == 200
    # The line is written when the route has ended.
    assert eventually(lambda: "request_id=endless-head" in server.log(), 10)


def test_a_body_is_asked_for_before_it_is_sent(server: Server) -> None:
    with server.connect() as connection:
        connection.send(request("POST", "/test/body", *CHUNKED, "Expect: 100-continue"))
        assert connection.socket.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(b"2\r\n{}\r\n0\r\n\r\n")
        assert connection.answer().body == b'{"size":2}'
        refused = request("POST", "/v1/jobs", *CHUNKED, "Expect: 100-continue")
        connection.send(refused)
        assert connection.answer().code == "api_key_missing"


def test_a_request_is_one_line_of_the_log_with_its_route(server: Server) -> None:
    name = f"log-{time.monotonic_ns()}"
    for method in ("GET", "HEAD"):
        data = request(method, "/problems/none?x=secret", f"X-Request-Id: {name}-{method}")
        answer = server.ask(data, method)
        assert (answer.status, bool(answer.body)) == (422, method == "GET")
        assert eventually(lambda method=method: f"{name}-{method}" in server.log(), 10)
        lines = [line for line in server.log().splitlines() if f"{name}-{method}" in line]
        assert len(lines) == 1
        assert f"method={method} " in lines[0]
        assert "route=/problems/{code} status=422" in lines[0]
        assert "secret" not in lines[0]


PIECES = strategies.sampled_from(
    [
        b"GET /healthz HTTP/1.1\r\n",
        b"POST /test/body HTTP/1.1\r\n",
        b"HEAD /v1/tenant?limit=1&limit=2 HTTP/1.0\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Connection: keep-alive, Upgrade\r\n",
        b"Connection: close\r\n",
        b"Upgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
        b"Content-Type: application/json\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X-Request-Id: \xff\xfe\r\n",
        b"Authorization: Bearer cl_live_\x80\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\x00",
        b":",
        b" ",
        b"5\r\n[1,2]\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b'{"a": 1}',
        b"%00%ff%2f..//",
    ]
)
PAYLOADS = strategies.lists(PIECES | strategies.binary(max_size=40), max_size=12).map(b"".join)
# A batch at once, because what is incomplete ends only when the server has lost its patience.
BATCHES = strategies.lists(PAYLOADS, min_size=30, max_size=30)


def everything(server: Server, payload: bytes) -> bytes:
    """All that the server says until it closes."""
    said = bytearray()
    with Connection(server.port) as connection:
        connection.send(payload)
        try:
            while received := connection.socket.recv(65_536):
                said += received
        except ConnectionResetError:
            pass
    return bytes(said)


def check_bytes(server: Server, payloads: list[bytes]) -> None:
    with ThreadPoolExecutor(len(payloads)) as pool:
        for payload, said in zip(
            payloads, pool.map(lambda one: everything(server, one), payloads), strict=True
        ):
            assert b"HTTP/1.1 5" not in said, (payload, said)
            assert said.startswith(b"HTTP/1.1 ") or not said, (payload, said)
    assert server.healthy(), server.log()


@given(BATCHES)
@examples(max_examples=3, deadline=None)
def test_no_bytes_hurt(server: Server, payloads: list[bytes]) -> None:
    check_bytes(server, payloads)


@pytest.mark.fuzz
@given(BATCHES)
@examples(max_examples=300, deadline=None)
def test_no_bytes_at_all_hurt(server: Server, payloads: list[bytes]) -> None:
    check_bytes(server, payloads)
