"""The laws of jobs: what states there are, which may follow which, and what retrying means.

A job is a row; whatever happens to it is a change of state that names the state it leaves. So a
second attempt at the same change finds nothing to change, and that is how messages that come
twice, late or from the dead stay harmless.
"""

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """Where a job is; `TRANSITIONS` says where it may go."""

    QUEUED = "queued"  # waits for its turn, or for `run_at`
    DISPATCHED = "dispatched"  # chosen, and a message about it is under way
    RUNNING = "running"  # a worker holds it by a lease
    WAITING = "waiting"  # for the last of its children to end; nobody works on it
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # for a reason that trying again would not change, or too often
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"  # a later request made it pointless
    DEAD = "dead"  # its workers died with it too often


LIVE = frozenset({JobState.DISPATCHED, JobState.RUNNING})
ENDED = frozenset(
    {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.SUPERSEDED,
        JobState.DEAD,
    }
)

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.DISPATCHED, JobState.CANCELLED, JobState.SUPERSEDED}),
    # Back to the queue when nobody claimed it.
    JobState.DISPATCHED: frozenset({JobState.RUNNING, JobState.QUEUED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.CANCELLED,
            JobState.QUEUED,
            JobState.WAITING,
            JobState.DEAD,
        }
    ),
    # Failed: for a child that it needs and that did not succeed.
    JobState.WAITING: frozenset({JobState.QUEUED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    # Back to the queue when somebody asks for it.
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.SUPERSEDED: frozenset(),
    # Or to the failed ones, when nobody wants to see it any more.
    JobState.DEAD: frozenset({JobState.QUEUED, JobState.FAILED}),
}

RETRYABLE = frozenset(state for state in ENDED if JobState.QUEUED in TRANSITIONS[state])


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of work: its name and what is true when it has succeeded."""

    name: str
    meaning: str
    # Whether it is about a ref or commit of the repository, and may fetch from its remote.
    reads_remote: bool = False
    # Whether its minutes and bytes are of the tenant's month. Tidying up is nobody's to pay for.
    charged: bool = False
    # Whether it is still wanted for a repository that was removed.
    of_removed: bool = False
    # Whether several of one repository may run at once: bounded pieces of something larger.
    many: bool = False
    # Whether it is tidying up, for which there are workers and slots of its own.
    upkeep: bool = False


INGEST = JobKind(
    "ingest", "The ref answers with a snapshot of its commit.", reads_remote=True, charged=True
)
PURGE = JobKind(
    "purge",
    "What nobody can ask for any more is gone: old snapshots, and what only they held.",
    of_removed=True,
    upkeep=True,
)
# What a large ingestion asks for; nobody else can.
PARSE = JobKind("parse", "The facts of one shard are stored.", charged=True, many=True)

JOB_KINDS: tuple[JobKind, ...] = (INGEST, PURGE, PARSE)
KIND_BY_NAME = {kind.name: kind for kind in JOB_KINDS}


@dataclass(frozen=True, slots=True)
class JobStage:
    """A step of an ingestion and where it begins and ends on the scale of 0 to 100."""

    name: str
    begins: int
    ends: int


# The one in which a large ingestion waits for others.
PARSE_STAGE = JobStage("parse", 12, 60)

# The shares are those of a first ingestion; a later one jumps over most of `parse`. A document is
# resolved when it is loaded: what comes before is what all of them share.
STAGES: tuple[JobStage, ...] = (
    JobStage("checkout", 0, 10),
    JobStage("inventory", 10, 12),
    PARSE_STAGE,
    JobStage("resolve", 60, 66),
    JobStage("load", 66, 97),
    JobStage("publish", 97, 100),
)

# Files from which on a repository is a large one, whose jobs have fewer of the slots.
LARGE_FILES = 20_000

# What one job may ask for: enough for the largest repository, and no flood.
MAX_CHILDREN = 1000

# First try and three more.
MAX_ATTEMPTS = 4
# A job that takes its worker with it this often is not tried again by itself.
MAX_RESETS = 3

_FIRST_DELAY_SECONDS = 60.0
_LONGEST_DELAY_SECONDS = 600.0


def longest_delay_seconds(attempt: int) -> float:
    """Before the try after this one, at most; the actual delay is drawn evenly from 0 to it.

    Spread over the whole range, because the jobs that one outage failed would otherwise come back
    together.
    """
    return min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0 ** (attempt - 1))


def percent(stage: str, *, done: int, total: int) -> int:
    """How far the whole job is when a stage has done so many of so many."""
    for known in STAGES:
        if known.name == stage:
            share = min(1.0, done / total) if total > 0 else 0.0
            return int(known.begins + (known.ends - known.begins) * share)
    raise ValueError(f"unknown stage: {stage}")
