"""What earlier ingestions of a repository left: facts, how names were resolved, documents.

All of it is economy. Whatever is missing, damaged or of another version is made anew.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from graph.errors import ArtifactDamaged, ArtifactNotFound
from graph.model.ids import TenantId
from graph.resolve import incremental
from graph.resolve.incremental import RecordDamaged, ResolutionRecord
from graph.settings import Settings
from graph.storage import documents, snapshots
from graph.storage.artifacts import Artifact, ArtifactStore, artifact_key
from graph.storage.facts import FactsLibrary
from graph.storage.facts_packs import KIND as PACK_KIND
from graph.storage.facts_packs import PackWriter
from graph.storage.jobs import ClaimedJob
from graph.storage.session import tenant_session
from graph.storage.snapshots import Snapshot
from workers.stages import resolve
from workers.stages.resolve import Previous

# Each ingestion adds a pack. Of more than these the later, smaller ones are left out: what was in
# them is parsed again, once, and so comes together in one new pack.
_MOST_PACKS = 16
_KEPT_PACKS = 4

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class History:
    """What can be reused, and where what is made now is added for the next time."""

    store: ArtifactStore
    tenant_id: TenantId
    library: FactsLibrary
    # sha256 of the packs that the library reads.
    packs: list[bytes]
    previous: Previous | None
    # Stored by this attempt; each was announced before.
    made: list[Artifact]
    announce: Callable[[Artifact], None]

    def keep_pack(self, pack: PackWriter) -> None:
        """Store the new facts and read them from the library. An empty pack is not stored."""
        if len(pack) == 0:
            return
        artifact = pack.close()
        self.library.add(artifact_key(self.tenant_id, PACK_KIND, artifact.sha256))
        self.packs.append(artifact.sha256)
        self.made.append(artifact)

    def keep_record(self, record: ResolutionRecord) -> bytes:
        """Store how names were resolved; returns the sha256 by which it is found."""
        data = incremental.encode(record)
        sha256 = hashlib.sha256(data).digest()
        artifact = Artifact(incremental.KIND, sha256, len(data))
        self.announce(artifact)
        # Replaces what is there: these are its bytes, unless it is damaged.
        self.store.put_stream(artifact_key(self.tenant_id, incremental.KIND, sha256), [data])
        self.made.append(artifact)
        return sha256


def add_earlier(
    history: History, job: ClaimedJob, names: tuple[str, ...], settings: Settings
) -> None:
    """What there is of the refs that the job is about, else of the repository."""
    snapshot = _latest(job, names, settings)
    if snapshot is not None:
        _add_packs(history, snapshot)
        history.previous = _previous(history, job, snapshot, settings)


def new_history(
    job: ClaimedJob, store: ArtifactStore, announce: Callable[[Artifact], None]
) -> History:
    """Nothing to reuse yet, as for a job that is to begin from nothing."""
    return History(store, job.tenant_id, FactsLibrary(store), [], None, [], announce)


def _latest(job: ClaimedJob, names: tuple[str, ...], settings: Settings) -> Snapshot | None:
    number = job.repository.number
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        for name in names:
            if (head := snapshots.head(conn, repository=number, ref=name)) is not None:
                return head
        return snapshots.newest(conn, repository=number)


def _add_packs(history: History, snapshot: Snapshot) -> None:
    packs = snapshot.facts_packs
    for sha256 in packs if len(packs) <= _MOST_PACKS else packs[:_KEPT_PACKS]:
        try:
            history.library.add(artifact_key(history.tenant_id, PACK_KIND, sha256))
        except (ArtifactNotFound, ArtifactDamaged) as error:
            _log.warning("history.pack_unusable", sha256=sha256.hex(), error=error.code)
        else:
            history.packs.append(sha256)


def _previous(
    history: History, job: ClaimedJob, snapshot: Snapshot, settings: Settings
) -> Previous | None:
    record = _read_record(history, snapshot)
    if record is None or record.version != resolve.version():
        return None
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        stored = documents.of_snapshot(
            conn, repository=snapshot.repository, snapshot=snapshot.number
        )
        return Previous(
            record=record,
            documents={
                (document.path, document.fingerprint, document.resolution): document.id
                for document in stored
            },
        )


def _read_record(history: History, snapshot: Snapshot) -> ResolutionRecord | None:
    if snapshot.resolution is None:
        return None
    key = artifact_key(history.tenant_id, incremental.KIND, snapshot.resolution)
    try:
        return incremental.decode(b"".join(history.store.get(key)))
    except (ArtifactNotFound, RecordDamaged) as error:
        _log.warning("history.record_unusable", error=type(error).__name__)
        return None
