"""The queues, as data. Each has workers of its own, so that one kind of work cannot starve another.

`python -m workers.group NAME` starts a group of them. A task names its queue here; one that is not
in the table cannot be sent, because Celery refuses queues that it was not told of.
"""

from dataclasses import dataclass

from graph.model import names
from graph.model.jobs import INGEST, PURGE
from graph.model.jobs import PARSE as PARSE_SHARD


@dataclass(frozen=True, slots=True)
class Queue:
    """One row: a name, what waits there, and how its group of workers takes it."""

    name: str
    meaning: str
    # The setting that tells how many tasks a worker of the group runs at once; without one, one.
    concurrency: str | None = None
    # Messages a worker holds for each task it runs. What it holds waits for it alone, so only
    # where tasks are short is more than one worth it.
    prefetch: int = 1
    # As Celery names it: `prefork` runs tasks in children, `solo` one at a time in the worker.
    pool: str = "prefork"


GIT = Queue("git", "Asking remotes what they have: mostly waiting.", "git_concurrency", prefetch=2)
PARSE = Queue("parse", "Ingestions: fetching, parsing, resolving, loading.", "worker_concurrency")
EMBED = Queue(
    "embed",
    "Work for a graphics processor; its workers run one task at a time.",
    pool="solo",
)
MAINTENANCE = Queue(
    "maintenance", "Sweeps and other housekeeping, never urgent.", "maintenance_concurrency"
)

QUEUES = (GIT, PARSE, EMBED, MAINTENANCE)

INGEST_TASK = "workers.tasks.parse_and_index_repository"
SHARD_TASK = "workers.tasks.parse_shard"
PURGE_TASK = "workers.tasks.purge_repository"
PERIODIC_TASK = "workers.tasks.run_periodic"
ERASE_TASK = "workers.tasks.erase_tenant"
PING_TASK = "workers.tasks.ping"

# Which queue a task waits in.
ROUTES: dict[str, Queue] = {
    INGEST_TASK: PARSE,
    SHARD_TASK: PARSE,
    PURGE_TASK: MAINTENANCE,
    PERIODIC_TASK: MAINTENANCE,
    ERASE_TASK: MAINTENANCE,
    # And in every other queue, whose workers are asked.
    PING_TASK: MAINTENANCE,
}

# Which task runs a job of a kind.
JOB_TASKS: dict[str, str] = {
    INGEST.name: INGEST_TASK,
    PARSE_SHARD.name: SHARD_TASK,
    PURGE.name: PURGE_TASK,
}

# Held by the dispatcher that leads.
LEADER_LOCK = names.shared_lock("dispatcher")
