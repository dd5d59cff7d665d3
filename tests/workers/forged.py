"""Messages that nobody of ours has sent, as somebody with access to Redis could put them there."""

import base64
import json
from typing import Any
from uuid import uuid4

from workers.queues import INGEST_TASK

# Is in everything forged, so that a log that repeats it can be told.
MARK = "hunter2"

ENDS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
KWARGS: dict[str, object] = {"tenant_id": MARK, "job_id": MARK, "epoch": 1}
CALL = [[], KWARGS, ENDS]


def body(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.b64encode(raw).decode()


def message(
    content: object = CALL,
    headers: dict[str, object] | None = None,
    properties: dict[str, object] | None = None,
    **other: object,
) -> bytes:
    """A message in our form, but for what is given."""
    task_id = str(uuid4())
    made: dict[str, Any] = {
        "body": body(content),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": INGEST_TASK,
            "id": task_id,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": task_id,
            "argsrepr": "()",
            "kwargsrepr": MARK,
            **(headers or {}),
        },
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "parse"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
            **(properties or {}),
        },
    }
    return json.dumps(
        made | {name.replace("_", "-"): given for name, given in other.items()}
    ).encode()


def without(name: str) -> bytes:
    made = json.loads(message())
    del made[name]
    return json.dumps(made).encode()


def calling(task: str, *args: object) -> bytes:
    return message([args, {}, ENDS], {"task": task})


# By why it is refused.
TASKS: dict[str, list[bytes]] = {
    "json": [
        b"",
        b"\xff\xfe" + MARK.encode(),
        MARK.encode(),
        message()[:100],
        b"[" * 5_000,
        b'{"body": 1, "body": 1}',
        b'{"body": NaN}',
        b'{"body": "\\ud800"}',
        message().replace(b"()", b"\\udfff"),
        message(MARK.encode() + b"\xff"),
        message(b"[" * 5_000),
        message([[], {**KWARGS, "epoch": float("inf")}, ENDS]),
        message([[], {**KWARGS, "epoch": {"__type__": "datetime", "__value__": MARK}}, ENDS]),
    ],
    "size": [b"[" * 100_000, message([[], {**KWARGS, "job_id": MARK * 1_000_000}, ENDS])],
    "envelope": [
        b"null",
        b"7",
        b"[]",
        b"{}",
        *[without(name) for name in ("body", "headers", "properties", "content-type")],
        message(body=7),
        message().replace(b'"headers": {', b'"headers": "hunter2", "old": {'),
        message(content_type="application/x-python-serialize", content_encoding="binary"),
        message(b"\x80\x04\x8c\x07hunter2.", content_type="pickle"),
        message(content_type=7),
        message(content_type=[MARK]),
        message(content_encoding=MARK),
        message(content_encoding=7),
        message(properties={"body_encoding": "rot13"}),
        message(properties={"delivery_tag": None}),
        message(properties={"delivery_tag": [MARK]}),
        message(properties={"delivery_tag": MARK * 1_000}),
        message(properties={"delivery_info": MARK}),
        message(properties={"delivery_info": {}}),
    ],
    "task": [
        calling(f"workers.tasks.{MARK}"),
        calling("os.system", MARK),
        calling("celery.chain"),
        calling("celery.map", INGEST_TASK, [MARK]),
        calling("celery.chord_unlock", MARK, MARK),
        calling("celery.backend_cleanup"),
        calling("celery.accumulate", MARK),
        message(headers={"task": None}),
        message(headers={"task": [INGEST_TASK]}),
        message(headers={"task": {INGEST_TASK: MARK}}),
    ],
    "id": [message(headers={"id": wrong}) for wrong in (None, 7, [MARK], {"a": MARK}, "", "a b")],
    "headers": [
        message(headers={"eta": MARK}),
        message(headers={"eta": "9999-12-31T23:59:59+00:00"}),
        message(headers={"expires": MARK}),
        message(headers={"expires": "2001-01-01T00:00:00+00:00"}),
        *[message(headers={"timelimit": w}) for w in (MARK, 4, [1], ["a", "b"], [[], {}], {})],
        *[message(headers={"retries": w}) for w in (MARK, None, True)],
        message(headers={"compression": "zlib"}),
        message(headers={"compression": [MARK]}),
        message(headers={"stamps": 7, "stamped_headers": 7}),
        message(headers={"group": MARK}),
        message(headers={"shadow": MARK}),
        message(headers={"argsrepr": [MARK]}),
        message(headers={"args": MARK}),
        message(headers={"clock": MARK}),
    ],
    "body": [
        message(body=MARK + "!"),
        *[message(wrong) for wrong in (None, [], 7, {}, MARK, [[], {}], [1, 2, 3, 4])],
        message([{}, {}, ENDS]),
        message([MARK, {}, ENDS]),
        message([[], [], ENDS]),
        *[message([[], KWARGS, wrong]) for wrong in (7, None, {}, {**ENDS, "chain": MARK})],
        message([[], KWARGS, {**ENDS, "callbacks": [{"task": INGEST_TASK}]}]),
    ],
    "arguments": [
        message([[], {}, ENDS]),
        message([[MARK], {}, ENDS]),
        message([list(range(1_000)), {}, ENDS]),
        message([[], {MARK: 1}, ENDS]),
        message([[], {**KWARGS, "more": 1}, ENDS]),
        message([[MARK], KWARGS, ENDS]),
    ],
}

# What is told to all workers at once: commands, and events of other workers.
NOTICES: list[bytes] = [
    *TASKS["json"][:11],
    *TASKS["envelope"],
    message(body=MARK + "!"),
    message(7),
    message([7]),
    message({"type": [MARK], "hostname": MARK}),
    message({"type": "worker-online"}),
    message({"type": "worker-online", "hostname": MARK, "clock": MARK}),
    message({"method": "ping", "arguments": {}}, {"clock": MARK}),
]
