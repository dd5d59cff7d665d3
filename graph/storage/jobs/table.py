"""The table of jobs: the queue itself.

Its statements are in `requesting`, `asking` (reading, cancelling, trying again), `dispatching`
(choosing over all tenants, taking back), `claiming` and `holding` (what the holder may do).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from graph.storage.schema import metadata, moment, tenant_column

jobs = Table(
    "jobs",
    metadata,
    tenant_column(),
    Column("job_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("repository", Integer),
    # What was asked for: a ref, a commit or both; neither means the default ref.
    Column("ref", Text),
    Column("commit_sha", Text),
    Column("force", Boolean, nullable=False, server_default="false"),
    Column("parameters", JSONB, nullable=False, server_default="{}"),
    # Two jobs of one flight never run at once: `ref:<name>` or `commit:<sha>`.
    Column("flight", Text),
    # Of a repository that was large when it was last published.
    Column("large", Boolean, nullable=False, server_default="false"),
    # Lower first, inside the tenant.
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    # Which job asked for this one, and in which of its dispatches; see `family`.
    Column("parent_job_id", Uuid),
    Column("parent_epoch", Integer),
    # Of a job that waits for its children: whether one that does not succeed fails it.
    Column("needs_all", Boolean, nullable=False, server_default="true"),
    Column("created_by", Uuid),
    Column("trace_parent", Text),
    Column("state", Text, nullable=False, server_default="queued"),
    moment("run_at", default_now=True),
    # Starts that counted, how many may, and how often a worker died with it.
    Column("attempt", SmallInteger, nullable=False, server_default="0"),
    Column("max_attempts", SmallInteger, nullable=False, server_default="4"),
    Column("resets", SmallInteger, nullable=False, server_default="0"),
    # Since when it has been put off without a try, by what passes or should.
    moment("put_off_since"),
    # The fencing number: one higher with each dispatch. Who holds an older one holds nothing.
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("celery_task_id", Text),
    Column("lease_owner", Text),
    moment("lease_until"),
    # Orders results: taken when it was decided which commit to look at, see `refs`.
    Column("generation", Integer),
    Column("stage", Text),
    Column("percent", SmallInteger, nullable=False, server_default="0"),
    Column("files_done", Integer, nullable=False, server_default="0"),
    Column("files_total", Integer, nullable=False, server_default="0"),
    Column("nodes", BigInteger, nullable=False, server_default="0"),
    Column("edges", BigInteger, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("report", JSONB),
    Column("snapshot_id", Uuid),
    Column("superseded_by", Uuid),
    moment("created_at", default_now=True),
    moment("dispatched_at"),
    moment("started_at"),
    moment("finished_at"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    ForeignKeyConstraint(
        ["tenant_id", "repository"], ["repositories.tenant_id", "repositories.number"]
    ),
)

# Conditions in the words of the indexes: a parameter in their place would keep these from being
# used, and a tenant has many jobs that have ended.
IS_QUEUED = text("state = 'queued'")
IS_LIVE = text("state in ('dispatched', 'running')")
# For its turn, or for its children.
IS_TO_COME = text("state in ('queued', 'waiting')")

# The job of a flight that has yet to start, or to start anew: it also does what is asked now.
Index(
    "jobs_waiting_flight",
    jobs.c.tenant_id,
    jobs.c.repository,
    jobs.c.flight,
    postgresql_where=IS_TO_COME,
)
Index(
    "jobs_queue",
    jobs.c.tenant_id,
    jobs.c.large,
    jobs.c.priority,
    jobs.c.run_at,
    jobs.c.job_id,
    postgresql_where=IS_QUEUED,
)
# The few among the many: see `dispatching`.
Index(
    "jobs_upkeep",
    jobs.c.tenant_id,
    jobs.c.large,
    jobs.c.priority,
    jobs.c.run_at,
    jobs.c.job_id,
    postgresql_where=text("state = 'queued' and kind = 'purge'"),
)
# The hard guard behind single flight. It is also how live jobs are found and counted.
Index(
    "jobs_live_flight",
    jobs.c.tenant_id,
    jobs.c.repository,
    jobs.c.flight,
    unique=True,
    postgresql_where=IS_LIVE,
)
Index(
    "jobs_parent",
    jobs.c.tenant_id,
    jobs.c.parent_job_id,
    jobs.c.job_id,
    postgresql_where=jobs.c.parent_job_id.is_not(None),
)
Index("jobs_repository", jobs.c.tenant_id, jobs.c.repository, jobs.c.job_id)
# For whoever looks after all tenants.
Index("jobs_dead", jobs.c.job_id, postgresql_where=text("state = 'dead'"))
# When a tenant last had its turn.
Index(
    "jobs_turns",
    jobs.c.tenant_id,
    jobs.c.dispatched_at,
    postgresql_where=jobs.c.dispatched_at.is_not(None),
)
