"""Large ingestions: what is to be parsed is handed to several workers, as jobs of their own.

The ingestion holds no worker while it waits for them. It begins anew when the last one has ended,
looks at its ref again, and takes over what they have made: facts are found by what they are about,
so a commit that has changed meanwhile costs only its changes.
"""

from collections.abc import Iterable

import structlog

from graph.errors import ArtifactDamaged, ArtifactNotFound
from graph.model.jobs import MAX_CHILDREN, PARSE, PARSE_STAGE, JobState
from graph.settings import Settings
from graph.storage import jobs, pending
from graph.storage.artifacts import Artifact, ArtifactStore, artifact_key, open_store
from graph.storage.facts_packs import PackReader
from graph.storage.jobs import ClaimedJob, Job, Wanted
from graph.storage.session import tenant_session
from parsers.sandbox import ParseItem
from workers.git.blobs import BlobReader
from workers.lease import Lease
from workers.stages import kept, shards
from workers.stages.checkout import Access, Located, Opened
from workers.stages.history import History
from workers.stages.inventory import Inventory
from workers.stages.parse import unparsed

_log = structlog.get_logger(__name__)


def split(
    held: Lease, found: Inventory, blobs: BlobReader, history: History, settings: Settings
) -> bool:
    """Whether there is so much to parse that the job now waits for children that do it.

    Raises LeaseLost if it is no longer ours.
    """
    job, wanted = held.job, settings.wide_parse_bytes
    if not 0 < wanted <= sum(file.size for file in found.files):
        return False
    size, items = unparsed(found, blobs, history.library)
    if size < wanted:
        return False
    held.progress.report(PARSE_STAGE.name)
    written, files = _write(held, size, items, history, settings)
    if not written:
        return False
    parts = [{"sources": one.sha256.hex()} for one in written]
    fetched = kept.keep(
        blobs.checkout,
        history.store,
        job.tenant_id,
        job.id,
        announce=history.announce,
        on_chunk=held.check,
    )
    if fetched is not None:
        parts[0] |= {"commit": blobs.checkout.commit, "checkout": fetched.sha256.hex()}
        written.append(fetched)
    children = [Wanted(PARSE, parameters=part) for part in parts]
    held.stop()  # it is given back: nothing is to be kept
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        jobs.split(conn, job_id=job.id, epoch=job.epoch, children=children, files=files)
        number = job.repository.number
        pending.confirm(conn, job_id=job.id, epoch=job.epoch, artifacts=written, repository=number)
        pending.lend(conn, job_id=job.id, artifacts=written)
    _log.info("ingest.split", shards=len(children), size_bytes=size)
    return True


def reopen(job: ClaimedJob, located: Located, access: Access, settings: Settings) -> Opened | None:
    """The checkout that the job had before it waited, if that is still the commit that is meant."""
    store = open_store(settings.artifacts)
    for child in _children(job, settings):
        if child.parameters.get("commit") != located.target.commit:
            continue
        sha256 = bytes.fromhex(child.parameters["checkout"])
        try:
            return kept.reopen(located, access, store, job.tenant_id, sha256)
        except (ArtifactNotFound, ArtifactDamaged) as error:
            _log.warning("ingest.checkout_unusable", error=error.code)
    return None


def results(job: ClaimedJob, store: ArtifactStore, settings: Settings) -> list[PackReader]:
    """What children of the job have made; what cannot be read is made again."""
    found = []
    for child in _children(job, settings):
        if child.state is not JobState.SUCCEEDED or child.report is None:
            continue
        sha256 = bytes.fromhex(child.report["facts"])
        try:
            found.append(PackReader(store, artifact_key(job.tenant_id, shards.KIND, sha256)))
        except (ArtifactNotFound, ArtifactDamaged) as error:
            _log.warning("ingest.shard_unusable", child=str(child.id), error=error.code)
    return found


def _write(
    held: Lease,
    size: int,
    items: Iterable[ParseItem[bytes]],
    history: History,
    settings: Settings,
) -> tuple[list[Artifact], int]:
    """The shards, and how many files there are in them."""
    files = 0

    def on_file() -> None:
        nonlocal files
        held.check()
        files += 1

    written = shards.write(
        items,
        history.store,
        held.job.tenant_id,
        held.job.id,
        shard_bytes=max(settings.wide_shard_bytes, size // (MAX_CHILDREN // 2)),
        announce=history.announce,
        on_file=on_file,
    )
    return list(written), files


def _children(job: ClaimedJob, settings: Settings) -> list[Job]:
    if job.epoch == 1:
        return []  # nobody has asked for any before the first dispatch
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        return jobs.list_page(conn, parent=job.id, kind=PARSE.name, limit=MAX_CHILDREN)
