"""What may come in from the broker: our own messages, and nothing that only looks like one.

Redis holds whatever anybody put there, and Celery trusts it: a message that is no message ends the
whole worker, comes back with the next one and ends that, and what cannot be decoded is printed into
the log. So everything is looked at before Celery is given it. What is refused is dropped: the row
of a job is what counts, and is told again. Only why is told, never what it said.
"""

import base64
import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

from celery import Task

from workers.queues import ROUTES

# Ours are below two kilobytes; control commands, with their ids, and events are larger.
_MOST_BYTES = 64 * 1024
_ID = re.compile(r"[\x21-\x7e]{1,200}")
# Nothing of ours is delayed, expires, has another name, is packed or belongs to a group.
_EMPTY = {"eta", "expires", "compression", "stamped_headers", "stamps", "shadow", "group"}
# What a task would send off when it has ended: what follows a job is rows.
_FOLLOWED_BY = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


class Refused(ValueError):
    """Why something is not ours, in a word that holds nothing of it."""

    # Nobody is told but our log.
    code = "message_refused"


def check_task(raw: bytes, tasks: Mapping[str, "Task[Any, Any]"]) -> None:
    """Raise Refused unless `raw` asks for one of our `tasks` with arguments that it takes."""
    message = _envelope(raw)
    headers = dict(message["headers"])
    task, id_ = headers.get("task"), headers.get("id")
    if not isinstance(task, str) or task not in ROUTES or task not in tasks:
        raise Refused("task")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        raise Refused("id")
    if not _are_limits(headers.pop("timelimit", None)):
        raise Refused("headers")
    if any(headers.pop(name, None) for name in _EMPTY):
        raise Refused("headers")
    if type(headers.get("retries", 0)) is not int:
        raise Refused("headers")
    if any(isinstance(value, dict | list) for value in headers.values()):
        raise Refused("headers")
    _check_call(tasks[task], message["body"])


def check_notice(raw: bytes) -> None:
    """Raise Refused unless `raw` is a control command, the answer to one, or an event of Celery."""
    body = _envelope(raw)["body"]
    for one in body if isinstance(body, list) else [body]:
        if not isinstance(one, dict):
            raise Refused("body")
        if "method" not in one and "type" in one:
            _check_event(one)


def _check_event(event: Mapping[str, Any]) -> None:
    numbers = [event.get(name, 0) for name in ("clock", "timestamp", "utcoffset", "pid")]
    if not isinstance(event["type"], str) or not isinstance(event.get("hostname"), str):
        raise Refused("event")
    if not all(type(number) in (int, float) for number in numbers):
        raise Refused("event")


def _check_call(task: "Task[Any, Any]", body: object) -> None:
    match body:
        case [list(args), dict(kwargs), dict(followed)] if followed == _FOLLOWED_BY:
            pass
        case _:
            raise Refused("body")
    try:
        inspect.signature(task.run).bind(*args, **kwargs)
    except TypeError:
        raise Refused("arguments") from None


def _are_limits(value: object) -> bool:
    """Whether these are limits of time at all; a worker goes by its own."""
    match value:
        case None | [None | int() | float(), None | int() | float()]:
            return True
        case _:
            return False


def _envelope(raw: bytes) -> dict[str, Any]:
    """What is in a message, and its body decoded. What is left out here, Celery never reads."""
    message = _decoded(raw)
    match message:
        case {
            "body": str(body),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": dict(headers),
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": str(tag),
                "delivery_info": {"exchange": str(), "routing_key": str()},
            },
        } if _ID.fullmatch(tag):
            pass
        case _:
            raise Refused("envelope")
    if type(headers.get("clock", 0)) is not int or "args" in headers:
        raise Refused("headers")
    try:
        content = base64.b64decode(body, validate=True)
    except ValueError:
        raise Refused("body") from None
    return {"headers": headers, "body": _decoded(content)}


def _decoded(raw: bytes) -> object:
    """JSON that reads one way, holds no object of Python and no half characters."""
    if len(raw) > _MOST_BYTES:
        raise Refused("size")
    try:
        value: object = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_number)
        json.dumps(value, ensure_ascii=False).encode()
    except Refused:
        raise
    except (ValueError, RecursionError):
        raise Refused("json") from None
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    # `__type__` is how Celery writes what JSON has no word for; it makes objects of it.
    if len(found) != len(pairs) or "__type__" in found:
        raise Refused("json")
    return found


def _number(_: str) -> object:
    raise Refused("json")
