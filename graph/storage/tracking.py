"""Which refs are looked at again by the clock: those that answer with a snapshot.

A ref that nobody ingested is nobody's wish. One whose ingestion is under way needs no look, and one
whose last ingestion failed is left alone for a day: what failed for good would fail again.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from graph.model.ids import RepositoryId
from graph.storage.refs import DEFAULT
from graph.storage.session import tenant_of

_LEFT_ALONE_HOURS = 24

_TRACKED = text("""
-- The window of this pass over the refs of a tenant that is active: each pass has the next one, so
-- that all refs get their turn however many there are.
with tracked as (
  select r.repository_id, r.url, f.name, s.commit_sha,
    row_number() over (order by f.repository, f.name = :default_ref, f.name) - 1 as place,
    count(*) over () as refs
  from refs f
    join tenants t on t.tenant_id = f.tenant_id and t.state = 'active'
    join repositories r on r.tenant_id = f.tenant_id and r.number = f.repository
      and r.deleted_at is null
    join snapshots s on s.tenant_id = f.tenant_id and s.repository = f.repository
      and s.snapshot = f.head
  where f.tenant_id = :tenant_id and not exists (
    select from jobs j
    where j.tenant_id = :tenant_id and j.repository = f.repository
      and j.flight = 'ref:' || f.name and (
        j.state in ('queued', 'dispatched', 'running', 'waiting')
        or j.state in ('failed', 'dead', 'cancelled')
          and j.finished_at > now() - make_interval(hours => :hours)
      )
  )
)
select repository_id, url, name, commit_sha from tracked
where place / :most = mod(cast(:number as bigint), (refs + :most - 1) / :most) order by place
""")


@dataclass(frozen=True, slots=True)
class Tracked:
    """A ref, and the commit that it answers with."""

    repository_id: RepositoryId
    url: str
    name: str
    commit: str


def tracked(conn: Connection, *, number: int, most: int) -> list[Tracked]:
    """The refs of the tenant that pass `number` looks at, `most` at most, by repository.

    The default one of a repository comes last: who asks for its branch has asked for it.
    """
    values = {
        "tenant_id": tenant_of(conn),
        "number": number,
        "most": most,
        "default_ref": DEFAULT,
        "hours": _LEFT_ALONE_HOURS,
    }
    return [
        Tracked(RepositoryId(row.repository_id), row.url, row.name, row.commit_sha)
        for row in conn.execute(_TRACKED, values)
    ]
