"""What holds in every database once nothing is under way: each broken rule as one line."""

from pathlib import Path

from sqlalchemy import text

from graph.model.ids import TenantId
from graph.model.jobs import MAX_ATTEMPTS, MAX_RESETS
from graph.settings import Settings
from graph.storage import usage
from graph.storage.artifacts import artifact_key, digest_of, open_store
from graph.storage.session import tenant_session

_ACTIVE = "('queued', 'dispatched', 'running', 'waiting')"
# Each finds what must not be; the sessions see the rows of one tenant.
_RULES = {
    "a job is unfinished": f"select job_id, state from jobs where state in {_ACTIVE}",
    "a job ended without a reason or a time": f"""
        select job_id, state from jobs
        where state in ('failed', 'dead') and error_code is null
          or state = 'superseded' and superseded_by is null
          or state not in {_ACTIVE} and finished_at is null""",
    "an ended job is still leased": f"""
        select job_id, lease_owner from jobs where state not in {_ACTIVE}
          and lease_owner is not null and lease_until > now()""",
    "a job was tried too often": f"""
        select job_id, attempt, resets from jobs
        where attempt > {MAX_ATTEMPTS} or resets > {MAX_RESETS}""",
    "a job was published twice": """
        select job_id, count(*) from snapshots group by job_id having count(*) > 1""",
    "a job published that did not succeed": """
        select s.job_id, j.state from snapshots s
        join jobs j on j.tenant_id = s.tenant_id and j.job_id = s.job_id
        where j.state <> 'succeeded'""",
    "a head belongs to no snapshot": """
        select f.repository, f.name from refs f
        where not exists (select from snapshots s where s.tenant_id = f.tenant_id
          and s.repository = f.repository and s.snapshot = f.head)""",
    "a ref has two heads": """
        select repository, name from refs group by repository, name having count(*) > 1""",
    "a snapshot lacks documents": """
        select s.snapshot from snapshots s where s.document_count <> (
          select count(*) from documents d where d.tenant_id = s.tenant_id
            and d.repository = s.repository and s.documents @> d.document)""",
    "a document has other rows than it says": """
        select d.document from documents d
        where d.node_count <> (select count(*) from nodes n where n.tenant_id = d.tenant_id
            and n.repository = d.repository and n.document = d.document)
          or d.edge_count <> (select count(*) from edges e where e.tenant_id = d.tenant_id
            and e.repository = d.repository and e.document = d.document)""",
    "an edge lacks its document": """
        select e.repository, e.document from edges e
        where not exists (select from documents d where d.tenant_id = e.tenant_id
          and d.repository = e.repository and d.document = e.document)""",
    "a node lacks its document": """
        select n.repository, n.document from nodes n
        where not exists (select from documents d where d.tenant_id = n.tenant_id
          and d.repository = n.repository and d.document = n.document)""",
    "a reservation is unsettled": """
        select job_id, epoch, resource from reservations where settled_at is null""",
    "an attempt never ended": """
        select job_id, epoch from job_attempts where ended_at is null or outcome is null""",
    "a job succeeded under an epoch whose attempt did not": """
        select j.job_id, j.epoch from jobs j where j.state = 'succeeded' and not exists (
          select from job_attempts a where a.tenant_id = j.tenant_id and a.job_id = j.job_id
            and a.epoch = j.epoch and a.outcome = 'succeeded')""",
    "two attempts of a job ran at once": """
        select a.job_id, a.epoch, b.epoch from job_attempts a
        join job_attempts b on b.tenant_id = a.tenant_id and b.job_id = a.job_id
          and b.epoch > a.epoch and b.started_at < a.ended_at""",
    "an artifact is still pending": """
        select job_id, epoch, kind, discarded from pending_artifacts""",
    "a row of another tenant is seen": """
        select job_id from jobs where tenant_id <> :tenant_id""",
}


def violations(settings: Settings, tenant_id: TenantId) -> list[str]:
    """The broken rules of a tenant; none, if all is well."""
    broken = []
    with tenant_session(tenant_id, settings=settings) as conn:
        for rule, query in _RULES.items():
            rows = conn.execute(text(query), {"tenant_id": tenant_id} if ":t" in query else {})
            broken += [f"{rule}: {tuple(row)}" for row in rows]
        broken += [f"usage differs: {each}" for each in usage.recompute(conn)]
    return broken + _objects(settings, tenant_id)


def _objects(settings: Settings, tenant_id: TenantId) -> list[str]:
    """Rows without their object, objects that hold something else, objects without a row."""
    with tenant_session(tenant_id, settings=settings) as conn:
        kept = conn.execute(text("select kind, sha256, size_bytes from artifacts")).all()
    store = open_store(settings.artifacts)
    broken, named = [], set()
    for row in kept:
        key = artifact_key(tenant_id, row.kind, bytes(row.sha256))
        named.add(key)
        found = store.head(key)
        if found is None or found.size_bytes != row.size_bytes:
            broken.append(f"an artifact has no object: {row.kind}")
        elif digest_of(store.get(key)) != bytes(row.sha256):
            broken.append(f"an object is damaged: {row.kind}")
    stray = [each.key for each in store.list(tenant_id) if each.key not in named]
    return broken + [f"an object has no row: {Path(key).parent.name}" for key in stray]
