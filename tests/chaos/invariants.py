"""What holds in every database once nothing is under way: each broken rule as one line."""

from sqlalchemy import text

from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import usage
from graph.storage.artifacts import artifact_key, open_store
from graph.storage.session import tenant_session

# Each finds what must not be; the sessions see the rows of one tenant.
_RULES = {
    "a job is unfinished": """
        select job_id, state from jobs
        where state in ('queued', 'dispatched', 'running', 'waiting')""",
    "a job ended without a reason or a time": """
        select job_id, state from jobs
        where state in ('failed', 'dead') and error_code is null
          or state not in ('queued', 'dispatched', 'running', 'waiting') and finished_at is null""",
    "an ended job is still leased": """
        select job_id, lease_owner from jobs
        where state not in ('queued', 'dispatched', 'running', 'waiting')
          and lease_owner is not null
          and lease_until > now()""",
    "a head belongs to no snapshot": """
        select f.repository, f.name from refs f
        where not exists (select from snapshots s where s.tenant_id = f.tenant_id
          and s.repository = f.repository and s.snapshot = f.head)""",
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
        kept = conn.execute(text("select kind, sha256, size_bytes from artifacts")).all()
    store = open_store(settings.artifacts)
    for row in kept:
        found = store.head(artifact_key(tenant_id, row.kind, bytes(row.sha256)))
        if found is None or found.size_bytes != row.size_bytes:
            broken.append(f"an artifact has no object: {row.kind}")
    return broken
