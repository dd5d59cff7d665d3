"""The work of a shard: a part of a large ingestion is parsed, wherever there is a worker."""

from graph.model.jobs import PARSE_STAGE
from graph.settings import Settings
from graph.storage import jobs, pending
from graph.storage.artifacts import Artifact, artifact_key, open_store
from graph.storage.facts_packs import PackReader, PackWriter
from graph.storage.session import tenant_session
from workers import budget
from workers.failpoints import reach
from workers.lease import Lease
from workers.stages import shards
from workers.stages.parse import parser_pool
from workers.storing import Stored


def parse(held: Lease, settings: Settings) -> None:
    """Store the facts, and say where they are. Raises why that could not be done."""
    job = held.job
    reach("shard", settings.codeloom_failpoint, held.should_stop)
    limits = budget.limits(settings, job.allowance)
    store = open_store(settings.artifacts)
    sources = PackReader(
        store,
        artifact_key(job.tenant_id, shards.KIND, bytes.fromhex(job.parameters["sources"])),
    )
    total = len(sources.index()) - 1

    def on_progress(done: int) -> None:
        held.check()
        limits.left()
        held.progress.report("parse", done, total)

    on_progress(0)
    with (
        Stored(job, settings) as stored,
        PackWriter(store, job.tenant_id, kind=shards.KIND, announce=stored.announce) as pack,
        parser_pool(settings) as pool,
    ):
        files = shards.parse(
            sources, pack, pool, job.id, on_progress=on_progress, should_stop=held.should_stop
        )
        _finish(held, files, pack.close(), settings)
    reach("joined", settings.codeloom_failpoint, held.should_stop)


def _finish(held: Lease, files: int, facts: Artifact, settings: Settings) -> None:
    job, job_id, epoch = held.job, held.job.id, held.job.epoch
    report = {"files": files, "facts": facts.sha256.hex()}
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        jobs.progress(
            conn,
            job_id=job_id,
            epoch=epoch,
            stage=PARSE_STAGE.name,
            done=files,
            total=files,
            percent=PARSE_STAGE.ends,
        )
        waits = jobs.forward(conn, job_id=job_id, last=True)
        jobs.finish(conn, job_id=job_id, epoch=epoch, report=report)
        number = job.repository.number
        pending.confirm(conn, job_id=job_id, epoch=epoch, artifacts=[facts], repository=number)
        pending.lend(conn, job_id=job_id, artifacts=[facts], to_parent=True)
    held.show(waits)
