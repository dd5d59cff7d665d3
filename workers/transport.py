"""Celery's way to Redis, with a look at everything that comes from there (`workers.intake`)."""

from typing import Any

import redis
import structlog
from celery import current_app
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.redis import Channel, SentinelChannel, SentinelTransport, Transport
from redis.client import PubSub
from typing_extensions import override

from workers import intake
from workers.queues import QUEUES

_NAMES = {queue.name for queue in QUEUES}

_log = structlog.get_logger(__name__)


def install() -> None:
    """From now on, each connection of Celery in this process looks at what it is given.

    By the schemes of addresses: of a Unix socket's, no other name of a transport can be given.
    """
    ours = f"{__name__}:CheckedTransport"
    TRANSPORT_ALIASES.update(redis=ours, rediss=ours)
    TRANSPORT_ALIASES.update(sentinel=f"{__name__}:CheckedSentinelTransport")


def _refuse(place: str, raw: bytes, reason: intake.Refused) -> None:
    _log.warning("message.refused", place=place, reason=str(reason), bytes=len(raw))


class _CheckedPubSub(PubSub):
    """Subscriptions: control commands and events."""

    @override
    def parse_response(self, *args: Any, **kwargs: Any) -> Any:
        """The next answer; None, as if there were none, where it is nothing of ours."""
        answer: Any = super().parse_response(*args, **kwargs)  # type: ignore[no-untyped-call]
        if isinstance(answer, list) and bytes(answer[0]) in {b"message", b"pmessage"}:
            try:
                intake.check_notice(answer[-1])
            except intake.Refused as refused:
                _refuse("notices", answer[-1], refused)
                return None
        return answer


class _CheckedRedis(redis.Redis):
    """A client that takes from the queues what is ours alone."""

    @override
    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        """What Redis answers; None, as if nothing waited, where that is nothing of ours."""
        answer: Any = super().parse_response(  # type: ignore[no-untyped-call]
            connection, command_name, **options
        )
        if command_name != "BRPOP" or not answer:
            return answer
        key, raw = answer
        # Beyond the name: the priority.
        name = bytes(key).decode(errors="replace").partition(Channel.sep)[0]
        try:
            if name in _NAMES:
                intake.check_task(raw, current_app.tasks)
            else:
                intake.check_notice(raw)
        except intake.Refused as refused:
            _refuse(name if name in _NAMES else "answers", raw, refused)
            return None
        return answer

    @override
    def pubsub(self, **kwargs: Any) -> PubSub:
        """As the client it is; of what it subscribes to, what is ours."""
        return _CheckedPubSub(self.connection_pool, **kwargs)


class _CheckedChannel(Channel):
    """Named by kombu for transports to say what they talk to Redis with."""

    def _get_client(self) -> type[redis.Redis]:
        super()._get_client()  # type: ignore[misc]  # looks at the version; the stubs lack it
        return _CheckedRedis


class _CheckedSentinelChannel(_CheckedChannel, SentinelChannel):
    """The same behind sentinels."""


class CheckedTransport(Transport):
    """Redis at an address."""

    Channel = _CheckedChannel


class CheckedSentinelTransport(SentinelTransport):
    """Redis behind sentinels."""

    Channel = _CheckedSentinelChannel
