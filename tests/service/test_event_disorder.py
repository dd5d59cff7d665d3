"""What is no event of ours harms nobody who watches."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import redis

from graph.model import names
from tests.service.conftest import Member
from tests.service.test_events import Watch, api, engine, until, watch  # noqa: F401  fixtures
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
