"""What the worker that holds a job may do: stay alive, say how far it is, say how it ended.

Every statement names the epoch and the state `running`; for a worker that was thought dead and
whose job went on elsewhere, it changes nothing. Time is the database's: clocks of workers differ.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from graph.errors import LeaseLost
from graph.model.ids import JobId, SnapshotId
from graph.model.jobs import JobState, longest_delay_seconds
from graph.storage import signals
from graph.storage.jobs import family
from graph.storage.jobs.family import FollowUp
from graph.storage.session import tenant_of

_BEAT = text("""
-- clock_timestamp: the time of the beat, not of the transaction it is in.
update jobs set lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch and state = 'running'
returning (select t.state from tenants t where t.tenant_id = jobs.tenant_id) as of_tenant
""")

_STATE = text("""
select state from jobs
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch
""")

_ATTEMPT = text("""
select attempt from jobs
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch and state = 'running'
""")

_PROGRESS = text("""
update jobs
set stage = :stage, percent = :percent, files_done = :done, files_total = :total,
  nodes = coalesce(:nodes, nodes), edges = coalesce(:edges, edges)
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch and state = 'running'
""")

_END = text("""
update jobs
set state = :state, finished_at = now(), lease_owner = null, lease_until = null,
  percent = case when :state = 'succeeded' then 100 else percent end,
  error_code = :code, error_message = :message,
  report = coalesce(cast(:report as jsonb), report),
  snapshot_id = coalesce(:snapshot_id, snapshot_id)
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch and state = 'running'
returning job_id
""").bindparams(
    bindparam("report", type_=JSONB(none_as_null=True)), bindparam("snapshot_id", type_=Uuid)
)

_AGAIN = text("""
-- Back to the queue, or to the end if this was the last try, or it was put off for too long.
update jobs
set state = case when last then 'failed' else 'queued' end,
  finished_at = case when last then now() end,
  put_off_since = case when :patience is not null then coalesce(put_off_since, now()) end,
  attempt = case when :counts then attempt else greatest(attempt - 1, 0) end,
  run_at = now() + make_interval(secs => :delay_seconds),
  lease_owner = null, lease_until = null, error_code = :code, error_message = :message
from (
  select :counts and attempt >= max_attempts
    or coalesce(now() - put_off_since > make_interval(secs => :patience), false) as last
  from jobs where tenant_id = :tenant_id and job_id = :job_id
) ends
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch and state = 'running'
returning state
""")

_MESSAGE_LENGTH = 2000


class Beat(StrEnum):
    """What a beat found out."""

    HELD = "held"
    LOST = "lost"
    CANCELLED = "cancelled"
    # Still ours, to be given back: its tenant may have nothing done now.
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Counts:
    """What has been loaded so far."""

    nodes: int
    edges: int


def beat(conn: Connection, *, job_id: JobId, epoch: int, lease_seconds: int) -> Beat:
    """Renews the lease; `lost` and `cancelled` mean: stop, and write nothing more.

    `suspended` means: stop, and give the job back.
    """
    held = _held(conn, job_id, epoch)
    ours = conn.execute(_BEAT, {**held, "lease_seconds": lease_seconds}).first()
    if ours is not None:
        return Beat.SUSPENDED if ours.of_tenant == "suspended" else Beat.HELD
    state = conn.execute(_STATE, held).scalar_one_or_none()
    return Beat.CANCELLED if state == JobState.CANCELLED else Beat.LOST


def progress(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    stage: str,
    done: int,
    total: int,
    percent: int,
    counts: Counts | None = None,
) -> bool:
    """Whether the job is still ours; only then is the progress written."""
    values = {
        **_held(conn, job_id, epoch),
        "stage": stage,
        "done": done,
        "total": total,
        "percent": percent,
        "nodes": counts.nodes if counts else None,
        "edges": counts.edges if counts else None,
    }
    return conn.execute(_PROGRESS, values).rowcount == 1


def finish(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    report: dict[str, Any],
    snapshot_id: SnapshotId | None = None,
    then: Sequence[FollowUp] = (),
) -> None:
    """The job has succeeded, and what it asks for is made.

    Raises LeaseLost, and changes nothing, if it is no longer ours.
    """
    if then:
        family.hold(conn)
    _end(
        conn,
        _held(conn, job_id, epoch),
        state=JobState.SUCCEEDED,
        report=report,
        snapshot_id=snapshot_id,
    )
    if then:
        family.follow(conn, job_id=job_id, then=then)


def fail(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    code: str,
    message: str,
    report: dict[str, Any] | None = None,
) -> None:
    """The job has failed for good. Raises LeaseLost if it is no longer ours."""
    held = _held(conn, job_id, epoch)
    _end(conn, held, state=JobState.FAILED, code=code, message=_clean(message), report=report)


def retry_later(
    conn: Connection,
    *,
    job_id: JobId,
    epoch: int,
    code: str,
    message: str,
    delay_seconds: float | None = None,
    count_attempt: bool = True,
    patience_seconds: float | None = None,
) -> JobState:
    """Where the job is now: `queued` again, or `failed` if this was its last try.

    Without a delay, the policy's: up to a minute after the first try, doubling to ten, drawn
    evenly. A try that does not count is for what is nobody's fault yet, such as a busy host; with
    `patience_seconds`, a job that is put off so for longer has failed. Raises LeaseLost if the job
    is no longer ours.
    """
    held = _held(conn, job_id, epoch)
    if delay_seconds is None:
        delay_seconds = random.uniform(0, longest_delay_seconds(_attempt(conn, held)))  # noqa: S311
    values = {
        **held,
        "counts": count_attempt,
        "delay_seconds": delay_seconds,
        "patience": patience_seconds,
        "code": code,
        "message": _clean(message),
    }
    state = conn.execute(_AGAIN, values).scalar_one_or_none()
    if state is None:
        raise LeaseLost
    signals.tell(conn)
    return JobState(state)


def _held(conn: Connection, job_id: JobId, epoch: int) -> dict[str, Any]:
    return {"tenant_id": tenant_of(conn), "job_id": job_id, "epoch": epoch}


def _attempt(conn: Connection, held: dict[str, Any]) -> int:
    attempt: int | None = conn.execute(_ATTEMPT, held).scalar_one_or_none()
    if attempt is None:
        raise LeaseLost
    return attempt


def _end(conn: Connection, held: dict[str, Any], **outcome: Any) -> None:  # noqa: ANN401
    values = {"code": None, "message": None, "report": None, "snapshot_id": None, **outcome}
    if conn.execute(_END, {**held, **values}).first() is None:
        raise LeaseLost
    signals.tell(conn)  # a slot is free


def _clean(message: str) -> str:
    return message.replace("\0", "")[:_MESSAGE_LENGTH]
