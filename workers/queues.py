"""The queues, as data. Each has workers of its own, so that one kind of work cannot starve another.

A task names its queue here; one that is not in the table cannot be sent, because Celery refuses
queues that it was not told of.
"""

from dataclasses import dataclass

from graph.model import names
from graph.model.jobs import INGEST, PURGE
from graph.model.jobs import PARSE as PARSE_SHARD


@dataclass(frozen=True, slots=True)
class Queue:
    """One row: a name, and what waits there."""

    name: str
    meaning: str


GIT = Queue("git", "Asking remotes what they have: mostly waiting.")
PARSE = Queue("parse", "Ingestions: fetching, parsing, resolving, loading.")
EMBED = Queue("embed", "Work for a graphics processor; its workers run one task at a time.")
MAINTENANCE = Queue("maintenance", "Sweeps and other housekeeping, never urgent.")

QUEUES = (GIT, PARSE, EMBED, MAINTENANCE)

INGEST_TASK = "workers.tasks.parse_and_index_repository"
SHARD_TASK = "workers.tasks.parse_shard"
PURGE_TASK = "workers.tasks.purge_repository"
PERIODIC_TASK = "workers.tasks.run_periodic"
ERASE_TASK = "workers.tasks.erase_tenant"

# Which queue a task waits in.
ROUTES: dict[str, Queue] = {
    INGEST_TASK: PARSE,
    SHARD_TASK: PARSE,
    PURGE_TASK: MAINTENANCE,
    PERIODIC_TASK: MAINTENANCE,
    ERASE_TASK: MAINTENANCE,
}

# Which task runs a job of a kind.
JOB_TASKS: dict[str, str] = {
    INGEST.name: INGEST_TASK,
    PARSE_SHARD.name: SHARD_TASK,
    PURGE.name: PURGE_TASK,
}

# Held by the dispatcher that leads.
LEADER_LOCK = names.shared_lock("dispatcher")
