"""The work of a shard: a part of a large ingestion is parsed, wherever there is a worker."""

import os

from graph.settings import Settings
from graph.storage import jobs, pending
from graph.storage.artifacts import Artifact, artifact_key, open_store
from graph.storage.facts_packs import PackReader, PackWriter
from graph.storage.jobs import ClaimedJob
from graph.storage.session import tenant_session
from parsers.sandbox import ParserPool, SandboxLimits
from workers import failpoints
from workers.budget import Budget
from workers.lease import Lease
from workers.stages import shards
from workers.storing import Stored


def parse(held: Lease, settings: Settings) -> None:
    """Store the facts, and say where they are. Raises why that could not be done."""
    job = held.job
    failpoints.reach("shard", settings.codeloom_failpoint, held.should_stop)
    budget = Budget(
        settings.job_soft_limit_seconds,
        settings.max_clone_bytes,
        settings.max_nodes_per_repository,
        job.allowance,
    )
    store = open_store(settings.artifacts)
    sources = PackReader(
        store,
        artifact_key(job.tenant_id, shards.KIND, bytes.fromhex(job.parameters["sources"])),
    )
    total = len(sources.index()) - 1

    def on_progress(done: int) -> None:
        held.check()
        budget.left()
        held.progress.report("parse", done, total)

    limits = SandboxLimits(
        file_seconds=settings.parse_timeout_seconds, memory_bytes=settings.parse_memory_bytes
    )
    processes = settings.parse_processes or len(os.sched_getaffinity(0))
    on_progress(0)
    with (
        Stored(job, settings) as stored,
        PackWriter(store, job.tenant_id, kind=shards.KIND, announce=stored.announce) as pack,
        ParserPool(processes, limits) as pool,
    ):
        files = shards.parse(
            sources, pack, pool, job.id, on_progress=on_progress, should_stop=held.should_stop
        )
        _finish(job, files, pack.close(), settings)


def _finish(job: ClaimedJob, files: int, facts: Artifact, settings: Settings) -> None:
    report = {"files": files, "facts": facts.sha256.hex()}
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        jobs.finish(conn, job_id=job.id, epoch=job.epoch, report=report)
        number = job.repository.number
        pending.confirm(conn, job_id=job.id, epoch=job.epoch, artifacts=[facts], repository=number)
