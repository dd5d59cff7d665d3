"""The dispatcher as a process: it tells workers about jobs, and forgets none."""

import json
import time
from base64 import b64decode

from graph.model.jobs import JobState
from tests.workers.stand import Stand


def messages(stand: Stand) -> list[dict[str, object]]:
    """The bodies that wait in the queue of ingestions."""
    found = []
    for raw in stand.redis().lrange("parse", 0, -1):
        message = json.loads(raw)
        _, kwargs, _ = json.loads(b64decode(message["body"]))
        found.append({**kwargs, "task_id": message["headers"]["id"]})
    return found


def test_a_request_becomes_a_message_that_holds_ids_alone(stand: Stand) -> None:
    stand.start_dispatcher()
    job_id = stand.request("main")
    started = time.monotonic()
    job = stand.in_state(job_id, JobState.DISPATCHED)
    stand.until(lambda: messages(stand), "the message is there")
    assert time.monotonic() - started < 1.0, "the commit wakes the dispatcher"
    assert messages(stand) == [
        {
            "tenant_id": str(stand.tenant_id),
            "job_id": str(job_id),
            "epoch": 1,
            "task_id": f"{job_id}.1",
        }
    ]
    assert job.task_id == f"{job_id}.1"
    (raw,) = stand.redis().lrange("parse", 0, -1)
    assert str(stand.repo.path).encode() not in raw
    headers = json.loads(raw)["headers"]
    assert headers["argsrepr"] == "()"
    assert str(stand.tenant_id) in headers["kwargsrepr"]


def test_two_jobs_of_a_ref_never_run_at_once(stand: Stand) -> None:
    stand.start_dispatcher()
    first = stand.request("main")
    stand.in_state(first, JobState.DISPATCHED)
    second = stand.request("main")
    other = stand.request("next")
    stand.in_state(other, JobState.DISPATCHED)
    assert first != second
    assert stand.job(second).state is JobState.QUEUED
    stand.cancel(first)
    stand.in_state(second, JobState.DISPATCHED)


def test_a_message_that_was_lost_is_sent_again(stand: Stand) -> None:
    stand.start_dispatcher()
    job_id = stand.request("main")
    stand.until(lambda: messages(stand), "the message is there")
    stand.redis().flushall()
    stand.until(lambda: messages(stand), "the message is there again")
    assert messages(stand)[0]["epoch"] == 2
    assert stand.job(job_id).resets == 0
