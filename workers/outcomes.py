"""What an error means for its job: the closed list of codes that a job can end with.

*Permanent*: trying again would fail again. *Transient*: something outside failed in a way that
passes; it is tried again up to three times (`graph.model.jobs` says when). *Later*: nothing of the
job was tried, since its host has no time or its worker no room; that costs no attempt, and the job
waits as long as it is told to. What is not in the list is a mistake of ours: an internal error.
"""

import errno
from dataclasses import dataclass
from enum import StrEnum

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from graph.errors import BudgetExceeded, CodeloomError, HostRefused
from parsers.sandbox import ParserDidNotStart
from workers.git.errors import ScratchFull

# What a host may ask us to wait at most: beyond it the answer is no answer.
_LONGEST_WAIT_SECONDS = 24 * 60 * 60.0

_log = structlog.get_logger(__name__)


class Retry(StrEnum):
    """Whether a job is tried again."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    LATER = "later"


# By code, because that is what is stored, shown and documented.
RETRIES: dict[str, Retry] = {
    "artifact_damaged": Retry.PERMANENT,
    "artifact_not_found": Retry.PERMANENT,
    "authentication_required": Retry.PERMANENT,
    "broker_unavailable": Retry.TRANSIENT,
    "budget_exceeded": Retry.PERMANENT,
    "checkout_timed_out": Retry.TRANSIENT,
    "checkout_too_large": Retry.PERMANENT,
    # Of a parent: its children have been tried as often as they may.
    "child_failed": Retry.PERMANENT,
    "commit_not_found": Retry.PERMANENT,
    "credential_host_mismatch": Retry.PERMANENT,
    "credential_not_found": Retry.PERMANENT,
    "git_died": Retry.TRANSIENT,
    "git_failed": Retry.PERMANENT,
    "git_missing": Retry.PERMANENT,
    "host_not_trusted": Retry.PERMANENT,
    "host_refused": Retry.LATER,
    "host_unreachable": Retry.TRANSIENT,
    "internal_error": Retry.PERMANENT,
    # Of a worker that finds that the one before it has not let go.
    "lease_lost": Retry.LATER,
    "not_a_repository": Retry.PERMANENT,
    "parsers_unavailable": Retry.TRANSIENT,
    "quota_exceeded": Retry.PERMANENT,
    "ref_not_found": Retry.PERMANENT,
    "remote_not_allowed": Retry.PERMANENT,
    "repository_damaged": Retry.PERMANENT,
    "repository_empty": Retry.PERMANENT,
    "repository_moved": Retry.PERMANENT,
    "repository_not_found": Retry.PERMANENT,
    "repository_parse_error": Retry.PERMANENT,
    "scratch_full": Retry.LATER,
    "secret_key_missing": Retry.PERMANENT,
    "secret_unreadable": Retry.PERMANENT,
    "setting_missing": Retry.PERMANENT,
    "snapshot_incomplete": Retry.TRANSIENT,
    "storage_refused": Retry.PERMANENT,
    "storage_unavailable": Retry.TRANSIENT,
    "tenant_erasing": Retry.PERMANENT,
    "tenant_invalid": Retry.PERMANENT,
    "tenant_not_found": Retry.PERMANENT,
    # The dispatcher leaves it alone until the tenant is resumed.
    "tenant_suspended": Retry.LATER,
    # Written by the reaper; the job goes on at once, until that has happened too often.
    "worker_lost": Retry.LATER,
    "worker_stops": Retry.LATER,
}

# How long a job waits that is to be tried later, where nobody says. Others wait for no time.
_WAITS_SECONDS: dict[str, float] = {"host_refused": 120, "scratch_full": 120}

# How long a job is put off at most for what should have passed: a host that never has time is one
# that refuses, and what does not fit a worker today will not tomorrow.
_PATIENCE_SECONDS: dict[str, float] = {
    "host_refused": 2 * _LONGEST_WAIT_SECONDS,
    "scratch_full": 6 * 60 * 60,
}


class ParsersUnavailable(CodeloomError):
    """The worker could not start a parser process."""

    code = "parsers_unavailable"
    kind = "unavailable"
    transient = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be written about a job that has not succeeded."""

    retry: Retry
    code: str
    message: str
    # For what is tried later.
    wait_seconds: float | None = None
    patience_seconds: float | None = None


def outcome_of(error: Exception) -> Outcome:
    """What an error means, in words that may be stored and shown."""
    ours = _in_our_words(error)
    retry = RETRIES.get(ours.code)
    if retry is None:
        ours = _internal(error)
        retry = Retry.PERMANENT
    wait = _wait(ours) if retry is Retry.LATER else None
    return Outcome(retry, ours.code, ours.message, wait, _PATIENCE_SECONDS.get(ours.code))


def _wait(error: CodeloomError) -> float:
    if isinstance(error, HostRefused) and error.retry_after_seconds is not None:
        return min(max(error.retry_after_seconds, 1.0), _LONGEST_WAIT_SECONDS)
    return _WAITS_SECONDS.get(error.code, 0.0)


def _in_our_words(error: Exception) -> CodeloomError:
    match error:
        case CodeloomError():
            return error
        case SoftTimeLimitExceeded():
            return BudgetExceeded("The job took longer than a job may.")
        case MemoryError():
            return BudgetExceeded("The repository needs more memory than the worker has.")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return ScratchFull()
        case ParserDidNotStart():
            return ParsersUnavailable()
        case _:
            return _internal(error)


def _internal(error: Exception) -> CodeloomError:
    """A mistake of ours. What it says may hold source text or paths: it is for our log only."""
    _log.error("job.raised", error=type(error).__name__, exc_info=error)
    return CodeloomError("Something unexpected happened; the operator can see what.")
