"""What an attempt at a job may use of its tenant's month: promised before it begins.

Whoever claims a job reserves, in the transaction of the claim, the most that the attempt can use;
so what is used and what is reserved together never pass the limit. While the attempt runs, it says
what it has spent. However it ends, a trigger on the job settles: what was spent is charged to the
month in which it was reserved, the rest is free again. Seconds are measured by that trigger.

A settled reservation stays as the record of what the attempt used.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)

from graph.model import names
from graph.model.ids import JobId
from graph.storage import locks, usage
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

reservations = Table(
    "reservations",
    metadata,
    tenant_column(),
    Column("job_id", Uuid, primary_key=True),
    # Of the attempt: every dispatch of a job has a number of its own.
    Column("epoch", Integer, primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("period", Date, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False, server_default="0"),
    moment("settled_at"),
    ForeignKeyConstraint(
        ["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.job_id"], ondelete="CASCADE"
    ),
)
Index(
    "reservations_open",
    reservations.c.tenant_id,
    reservations.c.resource,
    reservations.c.period,
    postgresql_where=reservations.c.settled_at.is_(None),
)

_RESERVE = text("""
insert into reservations (tenant_id, job_id, epoch, resource, period, amount)
values (:tenant_id, :job_id, :epoch, :resource,
  cast(date_trunc('month', now() at time zone 'UTC') as date), :amount)
""")

_SPEND = text("""
-- A reservation is never passed, and what was spent is never taken back.
update reservations set spent = least(amount, greatest(spent, :bytes)),
  amount = case when :over then least(amount, greatest(spent, :bytes)) else amount end
where tenant_id = :tenant_id and job_id = :job_id and epoch = :epoch
  and resource = 'clone_bytes' and settled_at is null
""")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one attempt may use."""

    clone_bytes: int
    job_seconds: int
    # Of what was granted: when the month begins anew.
    resets_at: datetime | None = None


def reserve(
    conn: Connection, *, job_id: JobId, epoch: int, wanted: Allowance, fetches: bool
) -> Allowance | None:
    """What the attempt may use: as much as it wants, or all that is left.

    None while others hold so much in reserve that it cannot have what it wants: they will give most
    of it back, so waiting for them is better than to begin with a rest that may not do. Raises
    QuotaExceeded when the month is used up. Without `fetches`, nothing comes from a host.
    """
    # Claims of one tenant reserve one after the other. Nobody else makes what is used and reserved
    # together more, so nobody else has to wait.
    locks.wait_for(conn, names.lock(tenant_of(conn), "reservations"))
    wants = {"job_minutes": wanted.job_seconds}
    if fetches:
        wants["clone_bytes"] = wanted.clone_bytes
    found = usage.standings(conn, list(wants))
    for standing in found:
        if standing.used_up:
            raise standing.exceeded()
    granted: dict[str, int] = {}
    for standing in found:
        name, left = standing.resource.name, standing.left
        if left is not None and left < wants[name] and standing.reserved:
            return None
        granted[name] = wants[name] if left is None else min(left, wants[name])
    whose = {"tenant_id": tenant_of(conn), "job_id": job_id, "epoch": epoch}
    for name, amount in granted.items():
        conn.execute(_RESERVE, {**whose, "resource": name, "amount": amount})
    return Allowance(
        clone_bytes=granted.get("clone_bytes", wanted.clone_bytes),
        job_seconds=granted["job_minutes"],
        resets_at=found[0].resets_at,
    )


def spend(conn: Connection, *, job_id: JobId, epoch: int, clone_bytes: int, over: bool) -> None:
    """The attempt has fetched so many bytes; when that is over, the rest is free again at once.

    Changes nothing for an attempt that is settled.
    """
    values = {"tenant_id": tenant_of(conn), "job_id": job_id, "epoch": epoch}
    conn.execute(_SPEND, {**values, "bytes": clone_bytes, "over": over})


def check_month(conn: Connection, *, fetches: bool) -> None:
    """Raise QuotaExceeded if a job could not begin in this month any more."""
    names = ["job_minutes", "clone_bytes"] if fetches else ["job_minutes"]
    for standing in usage.standings(conn, names):
        if standing.used_up:
            raise standing.exceeded()
