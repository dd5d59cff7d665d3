"""What other rooms may ask of the workers; nothing else of this room is theirs to import.

Functions that take a connection work inside the caller's `tenant_session` and become true when it
commits. The dispatcher is woken by that commit, so only `revoke_task` has to talk to Celery.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog

from graph.errors import QuotaExceeded
from graph.model.ids import ApiKeyId, ErasureId, JobId, RepositoryId
from graph.model.jobs import PURGE, JobState
from graph.settings import Settings
from graph.storage import jobs, locks, repositories
from graph.storage.jobs import Job
from graph.storage.session import Connection
from workers import erasure, kinds, pinging, readiness
from workers.git import remotes, targets
from workers.git.remotes import Remote
from workers.queues import LEADER_LOCK, QUEUES

QUEUE_NAMES = tuple(queue.name for queue in QUEUES)
PING_SECONDS = pinging.PATIENCE_SECONDS
Pong = pinging.Pong

_log = structlog.get_logger(__name__)


class TaskStatus(StrEnum):
    """How a Celery task stands, in the words that clients of Celery poll for."""

    PENDING = "pending"  # waits, or a message about it is under way
    STARTED = "started"
    PROGRESS = "progress"  # running, and something has been done
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A job, seen as the Celery task that runs it."""

    task_id: str
    status: TaskStatus
    job: Job


def parse_remote(address: str, *, settings: Settings) -> Remote:
    """The remote that an address means, to be registered by its `url` and `name`.

    Raises RemoteNotAllowed with a sentence for whoever wrote the address.
    """
    return remotes.parse(address, allow_local=settings.allow_local_repositories)


def request_ingestion(
    conn: Connection,
    *,
    repository_id: RepositoryId,
    ref: str | None = None,
    commit: str | None = None,
    force: bool = False,
    created_by: ApiKeyId | None = None,
) -> Job:
    """The job that will bring a ref, or one commit, of a repository into the graph.

    `ref` may also be a commit id, as people type it. `force` ingests a commit that is published
    already. Raises RepositoryNotFound, RefNotFound for what cannot name a ref, QuotaExceeded.
    """
    repository = repositories.get(conn, repository_id=repository_id)
    for wanted in (ref, commit):
        if wanted is not None:
            targets.check_wanted(wanted)
    if ref is not None and commit is None and targets.is_commit_id(ref):
        ref, commit = None, ref
    return jobs.request(
        conn,
        repository=repository,
        ref=ref,
        commit=commit,
        force=force,
        created_by=created_by,
    )


def request_job(
    conn: Connection,
    *,
    kind: str,
    parameters: Mapping[str, object],
    may_use: Callable[[RepositoryId], None],
    created_by: ApiKeyId | None = None,
) -> Job:
    """A job of any kind, asked for by its parameters; `kinds` says which a kind takes.

    `may_use` raises for a repository that is not the caller's. Raises JobParametersInvalid for an
    unknown kind and for parameters that do not fit, and what the kind's own request raises.
    """
    wanted = kinds.read(kind, parameters)
    may_use(RepositoryId(wanted.repository_id))
    match wanted:
        case kinds.Ingest():
            return request_ingestion(
                conn,
                repository_id=RepositoryId(wanted.repository_id),
                ref=wanted.ref,
                commit=wanted.commit,
                force=wanted.force,
                created_by=created_by,
            )
        case kinds.Purge():
            return request_purge(
                conn, repository_id=RepositoryId(wanted.repository_id), created_by=created_by
            )


def request_purge(
    conn: Connection, *, repository_id: RepositoryId, created_by: ApiKeyId | None = None
) -> Job:
    """The job that removes what nobody can ask a repository for any more, itself removed or not.

    Raises RepositoryNotFound, QuotaExceeded.
    """
    repository = repositories.removed_or_not(conn, repository_id=repository_id)
    return jobs.request(conn, repository=repository, kind=PURGE, created_by=created_by)


def remove_repository(
    conn: Connection, *, repository_id: RepositoryId, created_by: ApiKeyId | None = None
) -> None:
    """The repository is gone for every reader, and a job removes what is left of it.

    Raises RepositoryNotFound.
    """
    repositories.delete(conn, repository_id=repository_id)
    try:
        request_purge(conn, repository_id=repository_id, created_by=created_by)
    except QuotaExceeded:
        # The queue is full. What runs by the clock asks for the purge again.
        _log.info("purge.postponed", repository_id=str(repository_id))


def cancel(conn: Connection, *, job_id: JobId) -> Job:
    """The job, cancelled; a worker that runs it stops within seconds. Raises JobNotFound.

    Raises JobNotCancellable for a job that has ended.
    """
    return jobs.cancel(conn, job_id=job_id)


def retry(conn: Connection, *, job_id: JobId) -> Job:
    """The job, waiting again. Raises JobNotFound, JobNotRetryable, QuotaExceeded."""
    return jobs.retry(conn, job_id=job_id)


def discard(conn: Connection, *, job_id: JobId) -> Job:
    """The dead job, put aside. Raises JobNotFound, JobNotDead."""
    return jobs.discard(conn, job_id=job_id)


def task_info(conn: Connection, *, task_id: str) -> TaskInfo:
    """How the job of a Celery task stands. Raises JobNotFound, also for another tenant's."""
    job = jobs.find_by_task(conn, task_id=task_id)
    return TaskInfo(task_id=task_id, status=_status(job), job=job)


def _status(job: Job) -> TaskStatus:
    match job.state:
        case JobState.QUEUED | JobState.DISPATCHED:
            return TaskStatus.PENDING
        case JobState.RUNNING | JobState.WAITING:
            return TaskStatus.PROGRESS if job.percent else TaskStatus.STARTED
        case JobState.SUCCEEDED:
            return TaskStatus.SUCCESS
        case JobState.CANCELLED | JobState.SUPERSEDED:
            return TaskStatus.CANCELLED
        case JobState.FAILED | JobState.DEAD:
            return TaskStatus.FAILED


def revoke_task(conn: Connection, *, task_id: str, terminate: bool = False) -> Job:
    """The job of a Celery task, cancelled. Raises JobNotFound and JobNotCancellable.

    The row decides; that Celery is told as well only saves a worker the look at it. `terminate`
    ends the worker's child at once, for a job that does not look.
    """
    from workers import messages  # noqa: PLC0415  Celery, which the API has no other use for

    job = cancel(conn, job_id=jobs.find_by_task(conn, task_id=task_id).id)
    if job.task_id is not None:
        try:
            messages.revoke(job.task_id, terminate=terminate)
        except messages.BrokerUnavailable as error:
            _log.warning("task.not_revoked", error=error.code)
    return job


def erase(settings: Settings, *, erasure_id: ErasureId) -> bool:
    """Whether an erasure is finished, after going on with it if nobody else does.

    Raises StorageError when the database, the object store or Redis does not answer.
    """
    return erasure.run(settings, erasure_id) == "finished"


def ping(settings: Settings, *, queue: str) -> Pong | None:
    """What a worker of a queue answers; None when none does within PING_SECONDS.

    Blocks as long. Raises BrokerUnavailable.
    """
    return pinging.ask(settings, queue=queue)


def dispatcher_ready(settings: Settings) -> bool:
    """Whether a dispatcher leads at this moment."""
    return locks.is_held(settings, LEADER_LOCK)


def worker_ready(settings: Settings, *, group: str, pid: int) -> bool:
    """Whether this process of a group of workers takes tasks; asked of one that just started."""
    return readiness.said(settings, name=group, pid=pid)
