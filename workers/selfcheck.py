"""Is what we answer what the code says? One published snapshot is made anew and compared.

Made from its commit alone, without anything that earlier ingestions left, in a scratch folder: the
product's own rows and objects are read and never written. Where the two differ, operators are told
by one of their events and by an error in the log; the snapshot goes on answering until somebody has
looked at it.
"""

import random
import time
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from uuid import uuid4

import structlog

from graph.errors import BudgetExceeded, CodeloomError, StorageError
from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import operator_events, sampling
from graph.storage.artifacts import FileStore, artifact_key
from graph.storage.audit import Target
from graph.storage.facts import FactsLibrary
from graph.storage.facts_packs import KIND, PackWriter
from graph.storage.sampling import Identity, Sample
from graph.storage.session import system_session, tenant_session
from parsers.skips import SkipReason
from workers import scratch, stopping
from workers.git import remotes
from workers.git.blobs import BlobReader
from workers.git.tree import TreeLimits
from workers.stages import checkout
from workers.stages.inventory import InventoryLimits, inventory
from workers.stages.parse import ParsedFiles, parse_files, parser_pool
from workers.stages.resolve import Kept, Resolution
from workers.tenantry import every_tenant
from workers.version import pipeline_version

# Of a larger one, making it anew would take what tenants wait for.
_MOST_DOCUMENTS = 5000
_SECONDS = 8 * 60.0
# How many of its documents are compared at once.
_BATCH = 100
# How many tenants are asked for a snapshot before it is given up for this time.
_MOST_TENANTS = 100
# What depends on how busy the machine was, then or now: nothing can be said of such a snapshot.
_BY_CHANCE = {SkipReason.TIMEOUT, SkipReason.MEMORY, SkipReason.CRASHED}

_log = structlog.get_logger(__name__)


def check_snapshot(settings: Settings) -> int:
    """Check one snapshot of whichever tenant; returns how many differ: none, or one."""
    tenants = list(every_tenant(settings))
    random.shuffle(tenants)
    for tenant_id in tenants[:_MOST_TENANTS]:
        with tenant_session(tenant_id, role="worker", settings=settings) as conn:
            version = pipeline_version()
            sample = sampling.draw(conn, pipeline=version, most_documents=_MOST_DOCUMENTS)
        if sample is not None:
            return int(not _checked(settings, tenant_id, sample))
    return 0


def _checked(settings: Settings, tenant_id: TenantId, sample: Sample) -> bool:
    """Whether nothing is wrong with it, as far as can be found out."""
    about = {"tenant_id": str(tenant_id), "snapshot_id": str(sample.id)}
    try:
        with scratch.folder(settings.scratch, f"check.{uuid4().hex}") as folder:
            made = _make(settings, tenant_id, sample, folder)
    except StorageError:
        raise
    except CodeloomError as error:
        # The remote may have gone, or have forgotten the commit.
        _log.info("selfcheck.not_made", error=error.code, **about)
        return True
    if made is None:
        _log.info("selfcheck.undecided", **about)
        return True
    stored = sample.documents.keys()
    counts = {
        "missing": len(made.documents - stored),
        "surplus": len(stored - made.documents),
        "incomplete": sample.incomplete,
        "altered": made.altered,
    }
    if any(counts.values()):
        with tenant_session(tenant_id, role="worker", settings=settings) as conn:
            if not sampling.is_there(conn, sample):
                _log.info("selfcheck.undecided", **about)
                return True
        _log.error("selfcheck.differs", **counts, **about)
        _tell(settings, tenant_id, sample, {**counts, "commit": sample.commit})
        return False
    _log.info("selfcheck.equal", documents=len(made.documents), **about)
    return True


def _tell(
    settings: Settings, tenant_id: TenantId, sample: Sample, details: dict[str, int | str]
) -> None:
    event = operator_events.NewEvent(
        actor=operator_events.Actor("system"),
        action=sampling.ACTION,
        target=Target("snapshot", str(sample.id)),
        tenant_id=tenant_id,
        outcome="failed",
        code=sampling.DIFFERS,
        details=details,
    )
    with system_session("maintenance", settings=settings) as conn:
        operator_events.record(conn, event)


@dataclass(frozen=True, slots=True)
class _Made:
    """The documents of the commit, and how many have other nodes or edges than are stored."""

    documents: frozenset[Identity]
    altered: int


def _make(settings: Settings, tenant_id: TenantId, sample: Sample, folder: Path) -> _Made | None:
    """The documents of the commit, made anew; None where chance had a hand in it."""
    access = checkout.access(
        settings,
        folder,
        seconds=min(settings.checkout_timeout_seconds, _SECONDS),
        file_bytes=settings.max_clone_bytes,
        should_stop=stopping.announced,
    )
    remote = remotes.parse(sample.url, allow_local=settings.allow_local_repositories)
    opened = checkout.checkout(checkout.locate(remote, sample.commit, access), access)
    library = FactsLibrary(FileStore(folder / "facts"))
    with BlobReader(opened.checkout, max_bytes=settings.max_file_bytes) as blobs:
        parsed = _parse(settings, tenant_id, opened, blobs, library, folder / "facts")
    if any(skipped.reason in _BY_CHANCE for skipped in parsed.skipped):
        return None
    resolution = Resolution(parsed, library, repository=sample.repository, previous=None)
    rows = resolution.run(on_progress=lambda _: None, should_stop=stopping.announced)
    made: set[Identity] = set()
    altered = 0
    while batch := [each for each in islice(rows, _BATCH) if not isinstance(each, Kept)]:
        made.update(sampling.identity(each.document) for each in batch)
        known = [each for each in batch if sampling.identity(each.document) in sample.documents]
        with tenant_session(tenant_id, role="worker", settings=settings) as conn:
            altered += sampling.altered(conn, sample, known)
    return None if stopping.announced() else _Made(frozenset(made), altered)


def _parse(
    settings: Settings,
    tenant_id: TenantId,
    opened: checkout.Opened,
    blobs: BlobReader,
    library: FactsLibrary,
    facts: Path,
) -> ParsedFiles:
    until = time.monotonic() + _SECONDS
    limits = InventoryLimits(
        file_bytes=settings.max_file_bytes,
        files=settings.max_files_per_repository,
        tree=TreeLimits(entries=settings.max_paths_per_repository),
    )
    go_on = partial(_go_on, until)
    found = inventory(opened.checkout, blobs, limits, on_progress=go_on)
    with (
        PackWriter(FileStore(facts), tenant_id) as pack,
        parser_pool(settings) as pool,
    ):
        parsed = parse_files(
            found,
            blobs,
            library=library,
            pack=pack,
            pool=pool,
            on_progress=go_on,
            should_stop=stopping.announced,
        )
        if len(pack):
            library.add(artifact_key(tenant_id, KIND, pack.close().sha256))
    return parsed


def _go_on(until: float, _done: int) -> None:
    if time.monotonic() > until:
        raise BudgetExceeded("The check took too long.")
