"""What a request may not do for now, or not again."""

from graph.errors.tree import CodeloomError


class RateLimited(CodeloomError):
    """Too many requests in too short a time."""

    code = "rate_limited"
    kind = "quota"


class LimitsUnavailable(CodeloomError):
    """Requests cannot be counted at this moment, so none that starts work is let through."""

    code = "limits_unavailable"
    kind = "unavailable"
    transient = True


class StreamsExhausted(CodeloomError):
    """The tenant watches with as many streams as it may."""

    code = "streams_exhausted"
    kind = "quota"


class IdempotencyKeyReused(CodeloomError):
    """The idempotency key was used before, for a different request."""

    code = "idempotency_key_reused"
    kind = "conflict"


class RequestUnderWay(CodeloomError):
    """The first request with this idempotency key has not been answered yet."""

    code = "request_under_way"
    kind = "conflict"
    transient = True


class PreconditionFailed(CodeloomError):
    """The resource is no longer as the request expects it."""

    code = "precondition_failed"
    kind = "precondition"


class WorkersSilent(CodeloomError):
    """No worker answered in time."""

    code = "workers_silent"
    kind = "unavailable"
