"""The story of one ingestion.

A commit is found out, made readable, listed, parsed, resolved, loaded and published. Each stage
may be run twice, and nothing of it is visible before the last one: a worker may die anywhere. What
is already there costs little: a commit that is published is answered from its name, files that
were parsed before are not parsed again, documents that were stored before are not stored again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from graph.errors import ArtifactDamaged, ArtifactNotFound, CheckoutTooLarge
from graph.resolve.incremental import ResolutionRecord
from graph.settings import Settings
from graph.storage.artifacts import open_store
from graph.storage.facts_packs import PackReader, PackWriter
from graph.storage.jobs import Counts
from graph.storage.load import Loaded
from graph.storage.publish import NewSnapshot
from workers import budget, failpoints, report, scratch, wide
from workers.git import fetch, remotes
from workers.git.blobs import BlobReader
from workers.git.tree import TreeLimits
from workers.lease import Lease
from workers.stages import checkout, publish
from workers.stages.checkout import Access, Located, Opened
from workers.stages.history import History, add_earlier, new_history
from workers.stages.inventory import Inventory, InventoryLimits, inventory
from workers.stages.load import check_room, load
from workers.stages.parse import ParsedFiles, parse_files, parser_pool
from workers.stages.resolve import Resolution
from workers.storing import Stored
from workers.timing import Stopwatch
from workers.version import pipeline_version

_log = structlog.get_logger(__name__)


def ingest(held: Lease, settings: Settings) -> None:
    """Bring the ref of the job to its commit, or raise why that could not be done.

    Of a large one, only as far as to what others shall parse: then the job waits for them.
    """
    ingestion = Ingestion(held, settings)
    name = f"{held.job.id}.{held.job.epoch}"
    with ingestion.stored, scratch.folder(settings.scratch, name) as folder:
        access = ingestion.access(folder)
        located = ingestion.locate(access)
        if not ingestion.answer_unchanged(located, access):
            opened = ingestion.checkout(located, access)
            made = ingestion.make(located, opened)
            if made is None:
                return
            ingestion.publish(located, opened, made)


class Made(NamedTuple):
    """What an ingestion has made of a commit, stored and not yet visible."""

    parsed: ParsedFiles
    loaded: Loaded
    record: ResolutionRecord
    history: History


class Ingestion:
    """The stages of one attempt, each measured, reported and stoppable."""

    def __init__(self, held: Lease, settings: Settings) -> None:
        self.held = held
        self.job = held.job
        self.settings = settings
        self.watch = Stopwatch()
        # What children of the job have parsed.
        self.shards: list[PackReader] = []
        self.budget = budget.limits(settings, self.job.allowance)
        self.stored = Stored(self.job, settings)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Enter a stage, unless the job is no longer ours to run."""
        self.held.progress.report(name)
        self.reach(name)
        self.go_on()
        with self.watch.stage(name):
            yield

    def go_on(self) -> None:
        """Raise if the work is no longer wanted, or took too long."""
        self.held.check()
        self.budget.left()

    def reach(self, failpoint: str) -> None:
        """Where a test may interfere."""
        failpoints.reach(failpoint, self.settings.codeloom_failpoint, self.held.should_stop)

    def access(self, folder: Path) -> Access:
        """With what the remote of the job is read."""
        return checkout.access(
            self.settings,
            folder,
            seconds=min(self.settings.checkout_timeout_seconds, self.budget.left()),
            file_bytes=self.budget.clone_bytes,
            should_stop=self.held.should_stop,
        )

    def locate(self, access: Access) -> Located:
        """Which commit is meant."""
        with self.stage("checkout"):
            remote = remotes.parse(
                self.job.repository.url, allow_local=self.settings.allow_local_repositories
            )
            return checkout.locate(remote, self.job.commit or self.job.ref, access)

    def answer_unchanged(self, located: Located, access: Access) -> bool:
        """Whether the commit was published before: then its refs answer with that, and all is done.

        Unless the job is forced.
        """
        if self.job.force:
            return False
        known = publish.find(self.job, located.target, pipeline_version(), settings=self.settings)
        if known is None:
            return False
        said = {"ref": located.target.branch_or_tag, "notes": checkout.notes(located, access)}
        unchanged = {**known.report, **said, "unchanged": True}
        publish.publish_again(
            self.job,
            known,
            publish.heads(self.job, located.target),
            report.timed(unchanged, self.watch.times()),
            settings=self.settings,
        )
        _log.info("ingest.unchanged", commit=located.target.commit)
        return True

    def checkout(self, located: Located, access: Access) -> Opened:
        """Its objects, readable. What was fetched before the job waited is not fetched again."""
        with self.watch.stage("checkout"):
            reopened = wide.reopen(self.job, located, access, self.settings)
        fetched = partial(fetch.fetched_bytes, access.scratch) if reopened is None else lambda: 0
        with self.watch.stage("checkout"), self.held.fetching(fetched):
            try:
                return reopened or checkout.checkout(located, access)
            except CheckoutTooLarge as error:
                raise self.budget.too_large(error) from error

    def make(self, located: Located, opened: Opened) -> Made | None:
        """The graph of the commit, with what earlier ingestions left or, if need be, without.

        Always without if the job is forced: it was asked for by somebody who doubts what is there.
        None if the job now waits for others to parse it.
        """
        store = open_store(self.settings.artifacts)
        self.shards = wide.results(self.job, store, self.settings)
        if not self.job.force:
            try:
                history = new_history(self.job, store, self.stored.announce)
                names = publish.heads(self.job, located.target)
                with self.watch.stage("inventory"):
                    add_earlier(history, self.job, names, self.settings)
                return self._make(opened, history)
            except (ArtifactDamaged, ArtifactNotFound) as error:
                _log.warning("ingest.history_unusable", error=error.code)
                self.shards = []
        return self._make(opened, new_history(self.job, store, self.stored.announce))

    def _make(self, opened: Opened, history: History) -> Made | None:
        with BlobReader(opened.checkout, max_bytes=self.settings.max_file_bytes) as blobs:
            found = self.inventory(opened, blobs)
            if not self.shards and self.split(found, blobs, history):
                return None
            parsed = self.parse(found, blobs, history)
        loaded, record = self.resolve_and_load(parsed, history)
        return Made(parsed, loaded, record, history)

    def inventory(self, opened: Opened, blobs: BlobReader) -> Inventory:
        """Every path of it, to be parsed or skipped."""
        limits = InventoryLimits(
            file_bytes=self.settings.max_file_bytes,
            files=self.settings.max_files_per_repository,
            tree=TreeLimits(entries=self.settings.max_paths_per_repository),
        )

        def on_progress(found: int) -> None:
            self.reach("listing")
            self.go_on()
            self.held.progress.report("inventory", found, found)

        with self.stage("inventory"):
            found = inventory(opened.checkout, blobs, limits, on_progress=on_progress)
            check_room(self.job, {"files": found.total}, self.settings)
            return found

    def split(self, found: Inventory, blobs: BlobReader, history: History) -> bool:
        """Whether there is so much to parse that the job now waits for others to do it."""
        with self.watch.stage("parse"):
            waits = wide.split(self.held, found, blobs, history, self.settings)
        if waits:
            self.reach("split")
        return waits

    def parse(self, found: Inventory, blobs: BlobReader, history: History) -> ParsedFiles:
        """The facts of every file; new ones are kept for the next time."""
        total = len(found.files)

        def on_progress(done: int) -> None:
            self.reach("parsing")
            self.go_on()
            self.held.progress.report("parse", done, total)

        with (
            self.stage("parse"),
            PackWriter(history.store, self.job.tenant_id, announce=history.announce) as pack,
            parser_pool(self.settings) as pool,
        ):
            parsed = parse_files(
                found,
                blobs,
                library=history.library,
                pack=pack,
                pool=pool,
                on_progress=on_progress,
                should_stop=self.held.should_stop,
                shards=self.shards,
            )
            lines = sum(file.outline.lines for file in parsed.files)
            check_room(self.job, {"lines": lines}, self.settings)
            history.keep_pack(pack)
            blobs.close()
            return parsed

    def resolve_and_load(
        self, parsed: ParsedFiles, history: History
    ) -> tuple[Loaded, ResolutionRecord]:
        """Its documents: one is loaded as soon as it is resolved, and none twice."""
        progress = self.held.progress
        with self.stage("resolve"):
            resolution = Resolution(
                parsed,
                history.library,
                repository=self.job.repository.number,
                previous=history.previous,
            )
        documents = resolution.run(
            on_progress=lambda done: progress.report("load", done, resolution.total),
            should_stop=self.held.should_stop,
        )

        def on_progress(counts: Counts) -> None:
            self.reach("loading")
            self.go_on()
            self.budget.check_nodes(counts.nodes)
            progress.count(counts)

        with self.stage("load"):
            loaded = load(
                self.watch.through("resolve", documents),
                tenant_id=self.job.tenant_id,
                repository=self.job.repository.number,
                settings=self.settings,
                on_progress=on_progress,
            )
        # All of the commit's, also those that were there or came with the last batch.
        self.budget.check_nodes(sum(sum(file.nodes.values()) for file in resolution.record.files))
        return loaded, resolution.record

    def publish(self, located: Located, opened: Opened, made: Made) -> None:
        """All of it visible at once, under the refs that the job is about."""
        with self.stage("publish"):
            said = report.report(located.target, made.parsed, made.record, opened.notes)
            resolution = made.history.keep_record(made.record)
            self.reach("uploaded")
            self.go_on()
            snapshot = NewSnapshot(
                repository=self.job.repository.number,
                commit=opened.checkout.commit,
                tree=opened.checkout.tree,
                pipeline=pipeline_version(),
                loaded=made.loaded,
                ref=located.target.branch_or_tag,
                heads=publish.heads(self.job, located.target),
                facts_packs=tuple(made.history.packs),
                resolution=resolution,
                artifacts=tuple(made.history.made),
            )
        published = publish.publish(
            self.job, snapshot, report.timed(said, self.watch.times()), settings=self.settings
        )
        self.reach("published")
        _log.info("ingest.published", nodes=published.nodes, edges=published.edges)
