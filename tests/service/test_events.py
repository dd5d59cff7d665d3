"""Jobs as they go on, over a real connection: what there is, what happens, and what was missed."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn

from graph.model import names
from graph.model.ids import JobId
from graph.storage import jobs, keys, repositories
from graph.storage.session import tenant_session
from service import auth, streams, watching
from tests.service.conftest import Member, bearer
from tests.service.test_job_history import Engine
from tests.service.test_problems import problem
from workers.events import EventWriter
from workers.forwarding import Forwarder

if TYPE_CHECKING:
    from fastapi import FastAPI

    from graph.settings import Settings

PATIENCE = 20.0


@dataclass
class Event:
    kind: str
    id: str | None
    data: dict[str, Any]


class Watcher:
    """A client that reads a stream in a thread of its own."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.over = threading.Event()
        self._closing = False
        self._client = httpx.Client(timeout=PATIENCE)
        self._context = self._client.stream("GET", url, headers=headers)
        self.response = self._context.__enter__()
        assert self.response.status_code == 200, self.response.read()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self.response.iter_lines():
                if line.startswith(":"):
                    self.comments.append(line[1:].strip())
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    data = json.loads(fields["data"])
                    self.events.append(Event(fields["event"], fields.get("id"), data))
                    fields = {}
        except (httpx.HTTPError, httpx.StreamError):
            if not self._closing:
                raise
        self.over.set()

    def states(self, job_id: JobId) -> list[str]:
        return [e.data["state"] for e in self.events if e.data.get("id") == str(job_id)]

    def close(self) -> None:
        """Go away, as a client does that was closed: the reading ends at once."""
        self._closing = True
        connection = self.response.extensions["network_stream"].get_extra_info("socket")
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._client.close()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def serve(app: "FastAPI") -> Iterator[str]:
    """The application on a port, in a thread, so that a test can change how long things last."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(
        app, port=port, log_config=None, lifespan="on", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(PATIENCE)


@pytest.fixture
def api(app: "FastAPI") -> Iterator[str]:
    with serve(app) as url:
        yield url


Watch = Callable[..., Watcher]


@pytest.fixture
def watch(api: str) -> Iterator[Watch]:
    opened: list[Watcher] = []

    def watch(path: str, key: str, **headers: str) -> Watcher:
        opened.append(Watcher(api + path, {**bearer(key), **headers}))
        return opened[-1]

    yield watch
    for watcher in opened:
        watcher.close()


@pytest.fixture
def engine(settings: "Settings", acme: Member) -> Engine:
    return Engine(settings, acme)


@pytest.fixture
def forwarded(settings: "Settings") -> Iterator[None]:
    with Forwarder(settings):
        time.sleep(0.5)  # the connection that listens
        yield


@contextmanager
def quick(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.2) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(watching, "LOOK_SECONDS", seconds)
        yield


def test_a_job_is_told_from_what_it_is_to_its_end(
    watch: Watch, acme: Member, engine: Engine, settings: "Settings", forwarded: None
) -> None:
    seen = watch(f"/v1/jobs/{engine.job_id}/events", acme.read)
    assert seen.response.headers["content-type"].startswith("text/event-stream")
    assert seen.response.headers["cache-control"] == "no-cache"
    until(lambda: seen.states(engine.job_id) == ["queued"])
    epoch = engine.start()
    until(lambda: seen.states(engine.job_id)[-1] == "running")
    writer = EventWriter(settings.redis_url)
    position = {"stage": "parse", "percent": 40, "done": 1, "total": 2}
    writer.append(acme.tenant_id, engine.job_id, "progress", position)
    until(lambda: seen.events[-1].kind == "progress")
    assert seen.events[-1].data == {"job_id": str(engine.job_id), **position}
    engine.act(jobs.finish, epoch, report={})
    assert seen.over.wait(PATIENCE), "the stream ends with the job"
    assert seen.states(engine.job_id)[-1] == "succeeded"
    writer.close()


def test_what_was_missed_is_told_after_a_reconnection(
    watch: Watch, acme: Member, engine: Engine, settings: "Settings"
) -> None:
    writer = EventWriter(settings.redis_url)
    path = f"/v1/jobs/{engine.job_id}/events"

    def move(percent: int) -> None:
        data = {"stage": "parse", "percent": percent}
        writer.append(acme.tenant_id, engine.job_id, "progress", data)

    def percents(watcher: Watcher) -> list[int]:
        return [e.data["percent"] for e in watcher.events if e.kind == "progress"]

    move(1)
    first = watch(path, acme.read)
    until(lambda: first.events)
    move(2)
    until(lambda: percents(first) == [2])
    last = first.events[-1].id
    assert last is not None
    first.close()
    for percent in (3, 4, 5):
        move(percent)
    second = watch(path, acme.read, **{"last-event-id": last})
    until(lambda: percents(second) == [3, 4, 5])
    assert second.events[0].kind == "job", "first comes what there is"
    move(6)
    until(lambda: percents(second) == [3, 4, 5, 6])
    writer.close()


def test_without_redis_everything_is_told_by_the_rows(
    settings: "Settings", acme: Member, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.app import create_app

    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with quick(monkeypatch), serve(create_app(away)) as url:
        seen = Watcher(f"{url}/v1/jobs/{engine.job_id}/events", bearer(acme.read))
        epoch = engine.start()
        until(lambda: "running" in seen.states(engine.job_id))
        engine.act(jobs.progress, epoch, stage="load", done=1, total=2, percent=85)
        until(lambda: seen.events[-1].data["progress"]["percent"] == 85)
        engine.act(jobs.finish, epoch, report={})
        assert seen.over.wait(PATIENCE)
        assert seen.states(engine.job_id)[-1] == "succeeded"
        seen.close()


def test_a_redis_that_is_emptied_loses_nothing(
    watch: Watch,
    acme: Member,
    engine: Engine,
    settings: "Settings",
    forwarded: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import redis

    with quick(monkeypatch):
        seen = watch(f"/v1/jobs/{engine.job_id}/events", acme.read)
        until(lambda: seen.events)
        epoch = engine.start()
        with redis.Redis.from_url(str(settings.redis_url)) as client:
            client.delete(names.event_stream(acme.tenant_id))
        engine.act(jobs.finish, epoch, report={})
        assert seen.over.wait(PATIENCE)
        assert seen.states(engine.job_id)[-1] == "succeeded"


def test_a_job_is_looked_at_however_busy_others_are(
    watch: Watch,
    acme: Member,
    engine: Engine,
    settings: "Settings",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Engine(settings, acme, "other")
    writer = EventWriter(settings.redis_url)

    def busy() -> None:
        writer.append(acme.tenant_id, other.job_id, "progress", {"percent": 1})

    with quick(monkeypatch):
        seen = watch(f"/v1/jobs/{engine.job_id}/events", acme.read)
        # Nothing tells of this job but its row.
        until(lambda: busy() or len(seen.comments) > 3)
        engine.act(jobs.finish, engine.start(), report={})
        until(lambda: busy() or seen.over.is_set())
        assert seen.states(engine.job_id)[-1] == "succeeded"
    writer.close()


def test_a_tenant_sees_all_of_its_jobs_and_nobody_elses(
    watch: Watch, acme: Member, rival: Member, settings: "Settings", forwarded: None
) -> None:
    ours, theirs = Engine(settings, acme), Engine(settings, rival)
    seen = watch("/v1/events", acme.read)
    until(lambda: seen.states(ours.job_id) == ["queued"])
    their_epoch = theirs.start()
    theirs.act(jobs.finish, their_epoch, report={})
    with tenant_session(acme.tenant_id, settings=settings) as conn:
        repository = repositories.register(conn, url="https://example.org/2", name="2")
        second = jobs.request(conn, repository=repository).id
    until(lambda: seen.states(second) == ["queued"])
    epoch = ours.start()
    ours.act(jobs.finish, epoch, report={})
    until(lambda: seen.states(ours.job_id)[-1] == "succeeded")
    told = json.dumps([event.data for event in seen.events])
    assert str(theirs.job_id) not in told
    assert {event.data["id"] for event in seen.events} == {str(ours.job_id), str(second)}


def test_a_stream_that_cannot_begin_says_so_with_a_status(
    api: str, acme: Member, rival: Member, engine: Engine, settings: "Settings"
) -> None:
    def ask(path: str, key: str | None, **headers: str) -> httpx.Response:
        return httpx.get(api + path, headers={**(bearer(key) if key else {}), **headers})

    path = f"/v1/jobs/{engine.job_id}/events"
    assert ask(path, None).status_code == 401
    foreign = ask(path, rival.admin)
    assert (foreign.status_code, problem(foreign)["code"]) == (404, "job_not_found")
    assert ask(path, acme.read, **{"last-event-id": "yesterday"}).status_code == 422
    with tenant_session(acme.tenant_id, settings=settings) as conn:
        _, narrow = keys.create(conn, tenant_id=acme.tenant_id, scopes=["read"], repositories=[])
    assert ask(path, narrow).status_code == 404
    assert problem(ask("/v1/events", narrow))["code"] == "permission_missing"


def test_a_tenant_may_not_open_streams_without_end(
    api: str, watch: Watch, acme: Member, rival: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_STREAMS", 2)
    for _ in range(2):
        watch("/v1/events", acme.read)
    refused = httpx.get(f"{api}/v1/events", headers=bearer(acme.read))
    assert (refused.status_code, problem(refused)["code"]) == (429, "streams_exhausted")
    watch("/v1/events", rival.read)


def test_a_stream_ends_with_the_right_to_it(
    watch: Watch,
    acme: Member,
    settings: "Settings",
    app: "FastAPI",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 0.1)
    with tenant_session(acme.tenant_id, settings=settings) as conn:
        key, secret = keys.create(conn, tenant_id=acme.tenant_id, scopes=["read"])
    with quick(monkeypatch):
        seen = watch("/v1/events", secret)
        until(lambda: "alive" in seen.comments)
        with tenant_session(acme.tenant_id, settings=settings) as conn:
            keys.revoke(conn, key_id=key.id)
        assert seen.over.wait(PATIENCE)


def test_a_stream_does_not_live_for_ever(
    watch: Watch, acme: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LIFE_SECONDS", 0.5)
    with quick(monkeypatch):
        assert watch("/v1/events", acme.read).over.wait(PATIENCE)


def test_many_watch_on_few_connections_to_redis(
    watch: Watch, acme: Member, engine: Engine, settings: "Settings"
) -> None:
    import redis

    with redis.Redis.from_url(str(settings.redis_url)) as client:
        # Other tests have connections to the same server, but none to this database.
        database = str(client.connection_pool.connection_kwargs["db"])
        path = f"/v1/jobs/{engine.job_id}/events"
        with ThreadPoolExecutor(10) as pool:
            watchers = list(pool.map(lambda _: watch(path, acme.read), range(20)))
        until(lambda: all(each.events for each in watchers))
        writer = EventWriter(settings.redis_url)
        writer.append(acme.tenant_id, engine.job_id, "progress", {"percent": 7})
        until(lambda: all(each.events[-1].kind == "progress" for each in watchers))
        connections = [
            each
            for each in client.client_list()
            if (each["db"], each["name"]) == (database, streams.CLIENT_NAME)
        ]
        assert 1 <= len(connections) <= streams.CONNECTIONS
        writer.close()
