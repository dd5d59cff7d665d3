"""What runs by the clock, as rows: when it is due next, which run that is, how the last one ended.

Whoever fires takes what is due by changing its row, so two that fire at the same time never fire
the same run. A run that was fired and did not come to its end, because its message was lost or its
worker died, is due again after a while, as the next run: what is done by the clock may be done
twice. All times are the database's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, DateTime, Integer, Table, Text, select, text
from sqlalchemy.dialects.postgresql import REAL

from graph.storage.schema import metadata, moment

periodic_work = Table(
    "periodic_work",
    metadata,
    Column("name", Text, primary_key=True),
    Column("every_seconds", Integer, nullable=False),
    # When it should be done, and when it is fired next: later, while a run is under way.
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("next_run_at", DateTime(timezone=True), nullable=False),
    # Counts what was fired. Only the latest run may end.
    Column("run", Integer, nullable=False, server_default="0"),
    moment("fired_at"),
    moment("finished_at"),
    Column("error_code", Text),
    Column("done", Integer),
    Column("seconds", REAL),
)

_ENSURE = text("""
-- A new row is due at a moment of its own inside its period, so that not everything comes at once;
-- one whose period became shorter is not waited for longer than that.
insert into periodic_work as known (name, every_seconds, due_at, next_run_at)
select :name, :every, at, at
from (select now() + make_interval(secs => :every * :share) as at) first
on conflict (name) do update
set every_seconds = excluded.every_seconds,
  due_at = least(known.due_at, now() + make_interval(secs => :every)),
  next_run_at = least(known.next_run_at, now() + make_interval(secs => :every))
where known.every_seconds <> excluded.every_seconds
""")

_FORGET = text("delete from periodic_work where name <> all(:names)")

_TAKE_DUE = text("""
update periodic_work
set run = run + 1, fired_at = now(),
  next_run_at = now() + make_interval(secs => least(every_seconds, :again_seconds))
where name in (
  select name from periodic_work where next_run_at <= now()
  order by next_run_at for update skip locked
)
returning name, run
""")

_NEXT = text("""
select extract(epoch from min(next_run_at) - now())::double precision from periodic_work
""")

_FINISH = text("""
-- The next time is a whole number of periods after the last: runs that were missed are left out.
update periodic_work
set finished_at = now(), error_code = :code, done = :done, seconds = :seconds,
  due_at = case when cast(:code as text) is null then later.at else due_at end,
  next_run_at = case when cast(:code as text) is null then later.at else next_run_at end
from (
  select due_at + make_interval(secs => every_seconds
    * greatest(ceil((extract(epoch from now() - due_at) + 0.001) / every_seconds), 1)) as at
  from periodic_work where name = :name
) later
where name = :name and run = :run
""")


@dataclass(frozen=True, slots=True)
class Due:
    """Something to be done now."""

    name: str
    run: int


@dataclass(frozen=True, slots=True)
class PeriodicState:
    """How a row stands, for whoever operates."""

    name: str
    every: timedelta
    next_run_at: datetime
    finished_at: datetime | None
    error_code: str | None
    done: int | None


def ensure(conn: Connection, periods: Iterable[tuple[str, timedelta]]) -> None:
    """There is a row for each of these, and for nothing else."""
    rows = list(periods)
    for number, (name, every) in enumerate(rows):
        share = number / len(rows)
        values = {"name": name, "every": int(every.total_seconds()), "share": share}
        conn.execute(_ENSURE, values)
    conn.execute(_FORGET, {"names": [name for name, _ in rows]})


def take_due(conn: Connection, *, again_seconds: int) -> list[Due]:
    """What is due, to be fired after the commit.

    A run that has not ended `again_seconds` after that is due again.
    """
    rows = conn.execute(_TAKE_DUE, {"again_seconds": again_seconds})
    return [Due(row.name, row.run) for row in rows]


def seconds_to_next(conn: Connection) -> float | None:
    """How long nothing is due; None without any row."""
    seconds: float | None = conn.execute(_NEXT).scalar_one()
    return seconds


def is_latest(conn: Connection, due: Due) -> bool:
    """Whether nobody fired a later run, so that this one is worth doing."""
    query = select(periodic_work.c.run, periodic_work.c.next_run_at, periodic_work.c.due_at).where(
        periodic_work.c.name == due.name, periodic_work.c.run == due.run
    )
    row = conn.execute(query).first()
    # Where the two agree, the run has ended: its message came a second time.
    return row is not None and row.next_run_at != row.due_at


def finish(
    conn: Connection, due: Due, *, done: int | None, seconds: float, code: str | None = None
) -> bool:
    """Whether the run was the latest; then its end is written, and when the next one is due.

    With an error's code, it stays due and is fired again as if it had been lost.
    """
    values = {"name": due.name, "run": due.run, "done": done, "seconds": seconds, "code": code}
    return conn.execute(_FINISH, values).rowcount == 1


def states(conn: Connection) -> list[PeriodicState]:
    """All rows, by name."""
    rows = conn.execute(select(periodic_work).order_by(periodic_work.c.name))
    return [
        PeriodicState(
            name=row.name,
            every=timedelta(seconds=row.every_seconds),
            next_run_at=row.next_run_at,
            finished_at=row.finished_at,
            error_code=row.error_code,
            done=row.done,
        )
        for row in rows
    ]
