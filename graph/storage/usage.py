"""What tenants use of what is limited, kept where it is used: in the same transaction.

Rows of `usage` are written by functions of the database and by nobody else. What a statement adds
to or removes from `repositories`, `api_keys`, `credentials`, `documents` and `artifacts` is charged
by a trigger and posted when its transaction commits; a commit that would leave a tenant above a
limit fails with QuotaExceeded, and nothing of it has happened. Posting locks the row of the
resource until the commit is done, so of two that come at once the second sees the first.

Months are different: what a job will use is not known before it ran, so its attempt reserves first
(see `reservations`). Waiting and running jobs are counted from their rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    Uuid,
    text,
)

from graph.errors import QuotaExceeded
from graph.model import limits
from graph.model.ids import RepositoryNumber
from graph.model.limits import KEPT, Period, Resource
from graph.storage.schema import metadata, tenant_column
from graph.storage.session import tenant_of

usage = Table(
    "usage",
    metadata,
    tenant_column(),
    Column("resource", Text, primary_key=True),
    # The first day of the month, by UTC; for what is counted as a whole, the first of all days.
    Column("period", Date, primary_key=True, server_default="0001-01-01"),
    Column("used", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

# Charges of transactions under way. A row is removed by the transaction that wrote it: nobody else
# ever sees one.
charges = Table(
    "charges",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("transaction", BigInteger, nullable=False),
    Column("resource", Text, nullable=False),
    Column("period", Date, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Index("charges_transaction", "transaction"),
)

_STANDINGS = text("""
-- For each resource its limit, what is used and what is reserved, all of one moment.
with clock as (select cast(date_trunc('month', now() at time zone 'UTC') as date) as month)
select r.name, c.month, limit_of(t.limits, p.limits, r.name) as allowed,
  coalesce(u.used, 0) as used, coalesce(v.reserved, 0) as reserved
from clock c
  cross join unnest(cast(:names as text[])) r (name)
  join tenants t on t.tenant_id = :tenant_id
  join plans p on p.code = t.plan
  left join usage u on u.tenant_id = t.tenant_id and u.resource = r.name
    and u.period in (c.month, '0001-01-01')
  left join lateral (
    select cast(sum(amount) as bigint) as reserved from reservations
    where tenant_id = t.tenant_id and resource = r.name and period = c.month
      and settled_at is null
  ) v on true
""")

_JOBS = text("""
-- Each from its own index: most jobs have ended. Children were let in with their parents.
select
  (select count(*) from jobs where tenant_id = :tenant_id and state = 'queued'
    and parent_job_id is null) as queued_jobs,
  (select count(*) from jobs where tenant_id = :tenant_id and state in ('dispatched', 'running'))
    as running_jobs
""")

_OF_REPOSITORY = text("""
select count(*) as files, coalesce(sum(lines), 0) as lines from documents
where tenant_id = :tenant_id and repository = :repository
""")

_RECOMPUTED = text("""
-- What the rows say, beside what was kept; of one moment, and only where they differ.
with counted (resource, period, amount) as (
  select 'repositories', date '0001-01-01', count(*) from repositories
  where tenant_id = :tenant_id and deleted_at is null
  union all
  select 'api_keys', '0001-01-01', count(*) from api_keys
  where tenant_id = :tenant_id and revoked_at is null and replaced_by is null
  union all
  select 'credentials', '0001-01-01', count(*) from credentials where tenant_id = :tenant_id
  union all
  select c.resource, '0001-01-01', c.amount
  from (
    select count(*) as files, coalesce(sum(lines), 0) as lines,
      coalesce(sum(node_count), 0) as nodes
    from documents where tenant_id = :tenant_id
  ) d
  cross join lateral (values ('files', d.files), ('lines', d.lines), ('nodes', d.nodes))
    c (resource, amount)
  union all
  select 'stored_bytes', '0001-01-01', coalesce(sum(size_bytes), 0) from artifacts
  where tenant_id = :tenant_id
  union all
  select resource, period, sum(spent) from reservations
  where tenant_id = :tenant_id and settled_at is not null group by resource, period
),
kept as (select resource, period, used from usage where tenant_id = :tenant_id)
select resource, period, coalesce(k.used, 0) as kept,
  cast(coalesce(c.amount, 0) as bigint) as counted
from counted c full join kept k using (resource, period)
where coalesce(k.used, 0) <> coalesce(c.amount, 0)
order by resource, period
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a tenant stands with a resource; amounts as the database counts them."""

    resource: Resource
    limit: int | None
    used: int
    reserved: int
    resets_at: datetime | None

    @property
    def left(self) -> int | None:
        """What is neither used nor reserved; None where there is no limit, never below 0."""
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)

    @property
    def used_up(self) -> bool:
        """Whether nothing would be left even if all that is reserved came back."""
        return self.limit is not None and self.used >= self.limit

    def exceeded(self, asked: int = 0) -> QuotaExceeded:
        """The error that says so."""
        units = self.resource.units
        told = limits.refusal(
            self.resource,
            limit=units(self.limit or 0),
            used=units(self.used),
            asked=units(asked),
            resets_at=self.resets_at,
        )
        return QuotaExceeded(told, resets_at=self.resets_at if self.used_up else None)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant uses, and the calendar month that it is told for."""

    begins: datetime
    ends: datetime
    standings: Sequence[Standing]


@dataclass(frozen=True, slots=True)
class Difference:
    """A count that is not what the rows say: there is none, unless we made a mistake."""

    resource: str
    period: date
    kept: int
    counted: int


def of_tenant(conn: Connection) -> Usage:
    """How the tenant stands with every resource, in the order of `graph.model.limits`."""
    rows = _rows(conn, [resource.name for resource in KEPT])
    jobs = conn.execute(_JOBS, {"tenant_id": tenant_of(conn)}).one()._asdict()
    month: date = rows["files"]["month"]
    return Usage(
        begins=_midnight(month),
        ends=_month_after(month),
        standings=[
            _standing(resource, {**rows[resource.name], **_counted(resource, jobs)})
            for resource in KEPT
        ],
    )


def standings(conn: Connection, names: Sequence[str]) -> list[Standing]:
    """How the tenant stands with these resources, which may not be those of jobs."""
    rows = _rows(conn, names)
    return [_standing(limits.BY_NAME[name], rows[name]) for name in names]


def check_room(
    conn: Connection, *, repository: RepositoryNumber, wanted: Mapping[str, int]
) -> None:
    """Raise QuotaExceeded if a snapshot with so many `files` or `lines` cannot fit.

    Cheap, and it grants nothing: it only spares work that is bound to be refused. What is stored of
    the repository already counts as if the snapshot could use all of it.
    """
    for standing in standings(conn, list(wanted)):
        name, left = standing.resource.name, standing.left
        if left is None or wanted[name] <= left:
            continue
        place = {"tenant_id": tenant_of(conn), "repository": repository}
        missing = wanted[name] - conn.execute(_OF_REPOSITORY, place).one()._asdict()[name]
        if missing > left:
            raise standing.exceeded(asked=missing)


def recompute(conn: Connection) -> list[Difference]:
    """Where what is kept differs from what the tenant's rows say: nowhere, if all is well."""
    rows = conn.execute(_RECOMPUTED, {"tenant_id": tenant_of(conn)})
    return [
        Difference(resource=row.resource, period=row.period, kept=row.kept, counted=row.counted)
        for row in rows
    ]


def _rows(conn: Connection, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found = conn.execute(_STANDINGS, {"tenant_id": tenant_of(conn), "names": list(names)})
    return {row.name: row._asdict() for row in found}


def _counted(resource: Resource, jobs: Mapping[str, int]) -> dict[str, int]:
    return {"used": jobs[resource.name]} if resource.name in jobs else {}


def _standing(resource: Resource, row: Mapping[str, Any]) -> Standing:
    allowed = row["allowed"]
    return Standing(
        resource=resource,
        limit=None if allowed is None else allowed * resource.counted_per_unit,
        used=row["used"],
        reserved=row["reserved"],
        resets_at=_month_after(row["month"]) if resource.period is Period.MONTH else None,
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _month_after(month: date) -> datetime:
    return _midnight((month + timedelta(days=31)).replace(day=1))
