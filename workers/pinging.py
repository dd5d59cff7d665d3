"""Asks the workers of a queue whether they take tasks, and how long a message is under way.

The question is a message like that of any job. The answer is left in Redis for some seconds: there
is no result backend. A queue is asked once at a time, whoever asks and from how many processes: who
asks meanwhile, or within a second of the answer, is given the same answer. So however often they
are asked, pings neither fill a queue nor keep its workers from their work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import redis

from graph.errors import CodeloomError
from graph.model import names
from graph.settings import Settings
from workers.queues import QUEUES

PATIENCE_SECONDS = 5
# How long a question that nobody answers is waited for before there is another: what a queue
# without workers gathers is four small messages a minute.
_OPEN_MS = 15_000
# How long an answer is good for.
_FRESH_MS = 1000
_TIMEOUT_SECONDS = 2

_NAMES = {queue.name for queue in QUEUES}

# Leaves the answer to the question that is open, if this is the one and nobody did. What is told is
# how long that has been open, by the clock of Redis.
_ANSWER = """
if redis.call("GET", KEYS[1]) ~= ARGV[1] or redis.call("EXISTS", KEYS[2]) == 1 then
    return 0
end
local left = redis.call("PTTL", KEYS[1])
redis.call("RPUSH", KEYS[2], (ARGV[3] - left) .. " " .. ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[4])
redis.call("PEXPIRE", KEYS[2], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer of a worker: since the question was asked, and the name of its host."""

    milliseconds: int
    worker: str


def ask(settings: Settings, *, queue: str, patience: float = PATIENCE_SECONDS) -> Pong | None:
    """What a worker of this queue answers; None when none does within these seconds.

    Blocks. Raises BrokerUnavailable.
    """
    from workers import messages  # noqa: PLC0415  Celery: the API has no use for it until then

    try:
        with _client(settings, _TIMEOUT_SECONDS + patience) as client:
            token = _open(client, queue, messages.publish_ping)
            answers = _answers_key(token)
            # Taken and put back in one step, for whoever else waits for it.
            found = client.blmove(answers, answers, patience, "LEFT", "LEFT")
    except redis.RedisError as error:
        raise messages.BrokerUnavailable from error
    if found is None:
        return None
    milliseconds, _, worker = bytes(found).decode().partition(" ")
    return Pong(int(milliseconds), worker)


def answer(settings: Settings, *, queue: str, token: str, worker: str) -> str:
    """Leave the answer of a worker; returns in a word whether anybody waited for it.

    Never fails for a Redis that is away: whoever asked learns that by the silence.
    """
    try:
        keys = [_question_key(queue), _answers_key(token)]
    except (KeyError, ValueError, TypeError):
        return "malformed"
    try:
        with _client(settings, _TIMEOUT_SECONDS) as client:
            told = client.eval(_ANSWER, 2, *keys, token, worker, _OPEN_MS, _FRESH_MS)
    except redis.RedisError:
        return "unheard"
    return "answered" if told else "stale"


def _open(client: redis.Redis, queue: str, publish: Callable[[str, str], None]) -> str:
    """The token of the question that is open; asked now, if there was none."""
    question, mine = _question_key(queue), uuid4().hex
    before = client.set(question, mine, px=_OPEN_MS, nx=True, get=True)
    if before is not None:
        return bytes(before).decode()  # type: ignore[arg-type]
    try:
        publish(queue, mine)
    except CodeloomError:
        client.delete(question)
        raise
    return mine


def _question_key(queue: str) -> str:
    if queue not in _NAMES:
        raise ValueError("There is no such queue.")
    return names.shared_key("ping", queue)


def _answers_key(token: str) -> str:
    return names.shared_key("pong", token)


def _client(settings: Settings, timeout: float) -> redis.Redis:
    return redis.Redis.from_url(
        str(settings.redis_url), socket_connect_timeout=_TIMEOUT_SECONDS, socket_timeout=timeout
    )
