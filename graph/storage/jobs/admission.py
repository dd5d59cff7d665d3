"""Whether one more job may wait: the limit of the queue, and what is left of the month."""

from sqlalchemy import Connection, text

from graph.errors import QuotaExceeded
from graph.model import limits, names
from graph.model.jobs import JobKind
from graph.storage import locks, reservations
from graph.storage.repositories import Repository
from graph.storage.session import tenant_of

_FULL = text("""
-- The limit, if as many jobs wait as may; counts no further than that. Children were let in with
-- their parents.
select allowed.jobs as allowed, waiting.jobs as waiting
from tenants t join plans p on p.code = t.plan
  cross join lateral (select limit_of(t.limits, p.limits, 'queued_jobs') as jobs) allowed
  cross join lateral (
    select count(*) as jobs from (
      select from jobs where tenant_id = t.tenant_id and state = 'queued' and parent_job_id is null
      limit allowed.jobs
    ) counted
  ) waiting
where t.tenant_id = :tenant_id and waiting.jobs >= allowed.jobs
""")


def queue_up(conn: Connection) -> None:
    """Until the transaction ends, nobody else adds to the queue of the tenant.

    One after the other, so that none misses the job of another: neither one of the same flight nor
    the one that fills the queue.
    """
    locks.wait_for(conn, names.lock(tenant_of(conn), "queue"))


def check(conn: Connection, kind: JobKind, repository: Repository) -> None:
    """Raise QuotaExceeded if the tenant may not have one more such job wait.

    Call `queue_up` before.
    """
    full = conn.execute(_FULL, {"tenant_id": tenant_of(conn)}).first()
    if full is not None:
        resource = limits.BY_NAME["queued_jobs"]
        told = limits.refusal(resource, limit=full.allowed, used=full.waiting, asked=1)
        raise QuotaExceeded(told)
    if kind.charged:
        reservations.check_month(conn, fetches=kind.reads_remote and not repository.is_local)
