"""What a repository has that nobody can ask for any more: removed in bounded pieces.

Old snapshots go first, by what is to be kept. Then documents that no snapshot holds, with their
nodes and edges; then artifacts that no snapshot names. Of a repository that was removed, all of it.
Each piece is one transaction, so a purge may be killed anywhere and run again.

What an ingestion is about to publish is held by no snapshot yet, so what is younger than an
ingestion can be is left alone. Should one take up an older document while it goes, publishing
counts, misses it and refuses, and the ingestion is tried again.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from graph.model.ids import RepositoryId, RepositoryNumber
from graph.storage.artifacts import Artifact
from graph.storage.session import tenant_of

# Longer than a job may take.
GRACE_SECONDS = 2 * 60 * 60

_FORGET_REFS = text("""
delete from refs where tenant_id = :tenant_id and repository = :repository
""")

_REMOVE_SNAPSHOTS = text("""
-- Heads stay, and so do the newest, and what is young; of a removed repository nothing does.
delete from snapshots where tenant_id = :tenant_id and repository = :repository
  and snapshot in (
    select s.snapshot from (
      select snapshot, published_at, row_number() over (order by snapshot desc) as place
      from snapshots where tenant_id = :tenant_id and repository = :repository
    ) s
    where :all or (
      s.place > :keep and s.published_at < now() - make_interval(days => :days)
      and not exists (
        select from refs r where r.tenant_id = :tenant_id and r.repository = :repository
          and r.head = s.snapshot
      )
    )
    order by s.snapshot limit :batch
  )
""")

_UNHELD = text("""
-- Documents that no snapshot holds: what the union of all their members lacks.
with held as (
  select coalesce(range_agg(member), '{}'::int4multirange) as documents
  from snapshots s cross join unnest(s.documents) member
  where s.tenant_id = :tenant_id and s.repository = :repository
)
select d.document from documents d, held
where d.tenant_id = :tenant_id and d.repository = :repository
  and not held.documents @> d.document
  and (:all or d.loaded_at < now() - make_interval(secs => :grace))
order by d.document limit :batch
""")

_REMOVE_EDGES = text("""
delete from edges where tenant_id = :tenant_id and repository = :repository
  and document = any(:documents)
""")
_REMOVE_NODES = text("""
delete from nodes where tenant_id = :tenant_id and repository = :repository
  and document = any(:documents)
""")
_REMOVE_DOCUMENTS = text("""
delete from documents where tenant_id = :tenant_id and repository = :repository
  and document = any(:documents)
""")

_FORGET_ARTIFACTS = text("""
-- By their hash one artifact may serve several repositories of the tenant.
delete from artifacts a
where a.tenant_id = :tenant_id and a.repository = :repository
  and (:all or a.created_at < now() - make_interval(secs => :grace))
  and (a.kind, a.sha256) in (
    select kind, sha256 from artifacts u
    where u.tenant_id = :tenant_id and u.repository = :repository
      -- An attempt that is about to publish it counts on it.
      and not exists (
        select from pending_artifacts p
        where p.tenant_id = :tenant_id and p.kind = u.kind and p.sha256 = u.sha256
          and not p.discarded
      )
      and not exists (
        select from snapshots s
        where s.tenant_id = :tenant_id
          and (u.sha256 = any(s.facts_packs) or s.resolution = u.sha256)
      )
    order by kind, sha256 limit :batch
  )
returning a.kind, a.sha256, a.size_bytes
""")

_TO_PURGE = text("""
-- Repositories of the tenant that have something to purge, or may have.
select r.repository_id from repositories r
where r.tenant_id = :tenant_id and (
  r.deleted_at is not null and exists (
    select from documents d where d.tenant_id = r.tenant_id and d.repository = r.number
    union all
    select from snapshots s where s.tenant_id = r.tenant_id and s.repository = r.number
    union all
    select from artifacts a where a.tenant_id = r.tenant_id and a.repository = r.number
  )
  or r.deleted_at is null and exists (
    select from snapshots s where s.tenant_id = r.tenant_id and s.repository = r.number
    offset :keep
  )
  -- What large ingestions that did not succeed have left.
  or exists (
    select from artifacts a
    where a.tenant_id = r.tenant_id and a.repository = r.number and a.kind = 'shards'
      and a.created_at < now() - make_interval(secs => :grace)
  )
)
order by r.repository_id
""")


@dataclass(frozen=True, slots=True)
class Retention:
    """What of a repository's snapshots is kept besides the heads of its refs."""

    keep: int  # the newest
    days: int  # and all that are younger
    all: bool = False  # of a removed repository, nothing


def forget_refs(conn: Connection, *, repository: RepositoryNumber) -> int:
    """How many refs answer no more."""
    return conn.execute(_FORGET_REFS, _of(conn, repository)).rowcount


def remove_snapshots(
    conn: Connection, *, repository: RepositoryNumber, retention: Retention, batch: int
) -> int:
    """How many snapshots were removed; fewer than `batch`: all that may be."""
    wanted = {"keep": retention.keep, "days": retention.days, "all": retention.all}
    values = {**_of(conn, repository), **wanted, "batch": batch}
    return conn.execute(_REMOVE_SNAPSHOTS, values).rowcount


@dataclass(frozen=True, slots=True)
class Removed:
    """Rows that were removed."""

    documents: int = 0
    nodes: int = 0
    edges: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(
            self.documents + other.documents, self.nodes + other.nodes, self.edges + other.edges
        )


def remove_unheld(
    conn: Connection, *, repository: RepositoryNumber, everything: bool, batch: int
) -> Removed:
    """The documents that no snapshot holds, `batch` at most; fewer: all of them."""
    which = {**_of(conn, repository), "all": everything, "grace": GRACE_SECONDS, "batch": batch}
    documents = list(conn.execute(_UNHELD, which).scalars())
    if not documents:
        return Removed()
    values = {**_of(conn, repository), "documents": documents}
    edges = conn.execute(_REMOVE_EDGES, values).rowcount
    nodes = conn.execute(_REMOVE_NODES, values).rowcount
    return Removed(conn.execute(_REMOVE_DOCUMENTS, values).rowcount, nodes, edges)


def forget_artifacts(
    conn: Connection, *, repository: RepositoryNumber, everything: bool, batch: int
) -> list[Artifact]:
    """Artifacts that no snapshot names; discard them in the same transaction, see `pending`."""
    values = {**_of(conn, repository), "all": everything, "grace": GRACE_SECONDS, "batch": batch}
    rows = conn.execute(_FORGET_ARTIFACTS, values)
    return [Artifact(row.kind, bytes(row.sha256), row.size_bytes) for row in rows]


def to_purge(conn: Connection, *, keep: int) -> list[RepositoryId]:
    """Ids of the tenant's repositories that have, or may have, something to purge."""
    values = {"tenant_id": tenant_of(conn), "keep": keep, "grace": GRACE_SECONDS}
    found = conn.execute(_TO_PURGE, values).scalars()
    return [RepositoryId(each) for each in found]


def _of(conn: Connection, repository: RepositoryNumber) -> dict[str, object]:
    return {"tenant_id": tenant_of(conn), "repository": repository}
