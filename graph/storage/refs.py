"""Refs: which snapshot a branch or tag answers with.

The head of a ref has a generation, a number of its repository that is taken at the moment when it
is decided which commit to look at. A snapshot becomes the head only if its generation is higher:
so what was found out earlier never replaces what was found out later, whichever finishes first.

`HEAD` is a ref like any other: what the remote calls its default.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Integer,
    Table,
    Text,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from graph.model.ids import RepositoryNumber, SnapshotNumber
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

refs = Table(
    "refs",
    metadata,
    tenant_column(),
    Column("repository", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("head", Integer, nullable=False),
    Column("head_generation", Integer, nullable=False),
    moment("head_moved_at", default_now=True),
    ForeignKeyConstraint(
        ["tenant_id", "repository"], ["repositories.tenant_id", "repositories.number"]
    ),
    ForeignKeyConstraint(
        ["tenant_id", "repository", "head"],
        ["snapshots.tenant_id", "snapshots.repository", "snapshots.snapshot"],
    ),
)

DEFAULT = "HEAD"


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or tag, and the snapshot it answers with."""

    name: str
    head: SnapshotNumber
    head_moved_at: datetime


def list_all(conn: Connection, *, repository: RepositoryNumber) -> list[Ref]:
    """The refs of a repository that have a head, by name."""
    query = (
        select(refs)
        .where(refs.c.tenant_id == tenant_of(conn), refs.c.repository == repository)
        .order_by(refs.c.name)
    )
    return [
        Ref(name=row.name, head=SnapshotNumber(row.head), head_moved_at=row.head_moved_at)
        for row in conn.execute(query)
    ]


def move(
    conn: Connection,
    *,
    repository: RepositoryNumber,
    name: str,
    head: SnapshotNumber,
    generation: int,
    forced: bool,
) -> bool:
    """Whether the ref answers with this snapshot afterwards: only forward, unless forced."""
    new = insert(refs).values(
        tenant_id=tenant_of(conn),
        repository=repository,
        name=name,
        head=head,
        head_generation=generation,
    )
    # A forced head keeps the higher generation, so that it stays until something newer comes.
    moved = new.on_conflict_do_update(
        index_elements=["tenant_id", "repository", "name"],
        set_={
            "head": new.excluded.head,
            "head_generation": func.greatest(refs.c.head_generation, new.excluded.head_generation),
            "head_moved_at": func.now(),
        },
        where=None if forced else refs.c.head_generation < new.excluded.head_generation,
    )
    return conn.execute(moved.returning(refs.c.name)).first() is not None
