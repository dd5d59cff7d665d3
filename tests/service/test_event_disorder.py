"""What is no event harms nobody who watches, and what is old is not told as if it were new."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import redis
from sqlalchemy import text

from graph.model import names
from graph.storage import jobs
from graph.storage.session import tenant_session
from tests.service.conftest import Member
from tests.service.test_events import (  # noqa: F401  fixtures
    PATIENCE,
    Watch,
    api,
    engine,
    quick,
    until,
    watch,
)
from tests.service.test_job_history import Engine
from workers.events import EventWriter

if TYPE_CHECKING:
    from graph.settings import Settings


@pytest.fixture
def writer(settings: "Settings") -> Iterator[EventWriter]:
    made = EventWriter(settings.redis_url)
    yield made
    made.close()


def test_what_is_no_event_ends_nobodys_stream(
    watch: Watch,  # noqa: F811
    acme: Member,
    rival: Member,
    settings: "Settings",
    writer: EventWriter,
) -> None:
    ours, theirs = Engine(settings, acme), Engine(settings, rival)
    watchers = [
        (watch(f"/v1/jobs/{each.job_id}/events", each.member.read), each) for each in (ours, theirs)
    ]
    until(lambda: all(seen.events for seen, _ in watchers))
    job = str(ours.job_id)
    with redis.Redis.from_url(str(settings.redis_url)) as client:
        for fields in (
            {"nothing": "known"},
            {"job": "no id", "kind": "progress", "data": "{}"},
            {"job": job, "kind": "progress", "data": "{"},
            {"job": job, "kind": "progress", "data": "[1]"},
            {"job": job, "kind": "progress", "data": b"\xff\xfe"},
            {b"\xff": b"\xff"},
        ):
            client.xadd(names.event_stream(acme.tenant_id), fields)  # type: ignore[arg-type]
    for seen, each in watchers:
        position = {"stage": "parse", "percent": 40, "done": 1, "total": 2}
        writer.append(each.member.tenant_id, each.job_id, "progress", position)
        until(lambda seen=seen: seen.events[-1].kind == "progress")
        assert seen.events[-1].data["percent"] == 40


def test_what_is_told_again_does_not_go_back(
    watch: Watch,  # noqa: F811
    acme: Member,
    settings: "Settings",
    writer: EventWriter,
) -> None:
    """Neither behind what the rows say now, nor behind the end of a job."""
    ended, running = Engine(settings, acme, "ended"), Engine(settings, acme, "running")
    with redis.Redis.from_url(str(settings.redis_url)) as client:
        before = client.xadd(names.event_stream(acme.tenant_id), {"the": "beginning"})
    for each in (ended, running):
        epoch = each.start()
        writer.append(acme.tenant_id, each.job_id, "state", {"state": "running"})
        for percent in (10, 50):
            position = {"stage": "parse", "percent": percent, "done": 1, "total": 2}
            writer.append(acme.tenant_id, each.job_id, "progress", position)
        each.act(jobs.progress, epoch, stage="parse", done=1, total=2, percent=50)
    with tenant_session(acme.tenant_id, role="worker", settings=settings) as conn:
        epoch = jobs.get(conn, job_id=ended.job_id).epoch
        jobs.finish(conn, job_id=ended.job_id, epoch=epoch, report={})
    writer.append(acme.tenant_id, ended.job_id, "state", {"state": "succeeded"})
    seen = watch("/v1/events", acme.read, **{"last-event-id": before.decode()})
    last = {"stage": "parse", "percent": 51, "done": 1, "total": 2}
    writer.append(acme.tenant_id, running.job_id, "progress", last)
    until(lambda: any(event.data.get("percent") == 51 for event in seen.events))
    progress = [
        (event.data["job_id"], event.data["percent"])
        for event in seen.events
        if event.kind == "progress"
    ]
    assert progress == [(str(running.job_id), 50), (str(running.job_id), 51)]
    assert seen.states(ended.job_id) == ["succeeded"]


@pytest.mark.parametrize("emptied", [False, True])
def test_a_place_that_the_stream_has_not_reached_is_its_end(
    watch: Watch,  # noqa: F811
    engine: Engine,  # noqa: F811
    writer: EventWriter,
    *,
    emptied: bool,
) -> None:
    """As of a Redis that was replaced by one whose clock is behind."""
    member, position = engine.member, {"stage": "parse", "percent": 40, "done": 1, "total": 2}
    if not emptied:
        writer.append(member.tenant_id, engine.job_id, "progress", {**position, "percent": 30})
    ahead = {"last-event-id": "9999999999999999999-0"}
    seen = watch(f"/v1/jobs/{engine.job_id}/events", member.read, **ahead)
    until(lambda: seen.events)
    writer.append(member.tenant_id, engine.job_id, "progress", position)
    until(lambda: seen.events[-1].kind == "progress")
    assert [event.data.get("percent") for event in seen.events[1:]] == [40]


def test_a_stream_of_a_job_that_is_gone_ends_in_good_order(
    watch: Watch,  # noqa: F811
    acme: Member,
    engine: Engine,  # noqa: F811
    settings: "Settings",
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As when its tenant is being erased: that is no fault of ours that somebody is called for."""
    with quick(monkeypatch):
        seen = watch(f"/v1/jobs/{engine.job_id}/events", acme.read)
        until(lambda: seen.events)
        with tenant_session(acme.tenant_id, role="eraser", settings=settings) as conn:
            conn.execute(text("delete from jobs where job_id = :id"), {"id": engine.job_id})
        assert seen.over.wait(PATIENCE)
    until(lambda: "events.ended" in caplog.text)
    assert "fault" not in caplog.text
