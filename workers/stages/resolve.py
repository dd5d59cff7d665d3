"""Facts -> documents: what can have changed is resolved, the rest taken from an earlier snapshot.

Bodies are decoded when they are needed and forgotten when memory asks for it; what stays are the
outlines and the answers.
"""

import gc
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import graph.resolve
from graph.model.ids import DocumentId, RepositoryNumber
from graph.model.rows import DocumentRows
from graph.resolve import open_context
from graph.resolve.documents import Documents, SourceDocument, display
from graph.resolve.incremental import Plan, ResolutionRecord, Resolved, plan
from graph.resolve.index import IndexedFile
from graph.storage.facts import FactsLibrary
from parsers import registry
from parsers.codec import decode_body
from parsers.facts import FileFacts
from workers.stages.inventory import Skipped
from workers.stages.parse import ParsedFile, ParsedFiles

# Expressions of decoded bodies that are kept: about 150 MB. The whole of a small repository, and
# of a large one the files that many others look into.
_KEPT_EXPRESSIONS = 1_000_000
_REPORT_EVERY = 16


@dataclass(frozen=True, slots=True)
class Previous:
    """How an earlier commit of the repository was resolved, and where its documents are."""

    record: ResolutionRecord
    # By path, fingerprint and resolution, as the documents of that snapshot are stored.
    documents: Mapping[tuple[bytes, bytes, bytes], DocumentId]


@dataclass(frozen=True, slots=True)
class Kept:
    """A document that is stored already and still right."""

    document: DocumentId


class Resolution:
    """The resolution of one commit: iterate it once, then read `record`."""

    def __init__(
        self,
        parsed: ParsedFiles,
        library: FactsLibrary,
        *,
        repository: RepositoryNumber,
        previous: Previous | None,
    ) -> None:
        self._parsed = parsed
        self._previous = previous
        self._bodies = _Bodies(parsed.files, library)
        languages = registry.languages()
        context = open_context(
            (
                (display(f.source.path), languages[f.source.language], f.outline)
                for f in parsed.files
            ),
            parsed.manifests,
            self._bodies.get,
        )
        self._documents = Documents(context, repository)
        self._context = context
        self._records: list[Resolved] = []

    @property
    def total(self) -> int:
        """How many documents there will be."""
        return len(self._parsed.files) + len(self._parsed.skipped)

    @property
    def record(self) -> ResolutionRecord:
        """What the next ingestion needs to know."""
        return ResolutionRecord(
            version(),
            self._parsed.manifests_digest,
            self._context.packages,
            self._records,
        )

    def run(
        self, *, on_progress: Callable[[int], None], should_stop: Callable[[], bool]
    ) -> Iterator[DocumentRows | Kept]:
        """Every document of the commit; ends early, without a record, when asked to stop."""
        todo = plan(
            self._previous.record if self._previous is not None else None,
            self._context.index.files,
            [file.fingerprint for file in self._parsed.files],
            packages=self._context.packages,
            version=version(),
            manifests=self._parsed.manifests_digest,
        )
        with _uncollected():
            yield from self._each(todo, on_progress, should_stop)

    def _each(
        self, todo: Plan, on_progress: Callable[[int], None], should_stop: Callable[[], bool]
    ) -> Iterator[DocumentRows | Kept]:
        for number, file in enumerate(self._parsed.files):
            if not number % _REPORT_EVERY:
                on_progress(number)
                if should_stop():
                    return
            kept = self._kept(file, todo.reuse.get(number))
            if kept is not None:
                self._records.append(todo.reuse[number])
                yield kept
            else:
                yield self._resolve(number, file)
        for skipped in self._parsed.skipped:
            yield self._documents.skipped(_skipped_source(skipped), skipped.reason)
        on_progress(self.total)

    def _kept(self, file: ParsedFile, record: Resolved | None) -> Kept | None:
        if record is None or self._previous is None:
            return None
        key = (file.source.path, file.fingerprint, record.resolution)
        document = self._previous.documents.get(key)
        return Kept(document) if document is not None else None

    def _resolve(self, number: int, file: ParsedFile) -> DocumentRows:
        source = SourceDocument(
            file.source.path,
            file.source.blob_sha,
            file.source.size,
            file.source.language,
            file.fingerprint,
        )
        resolved = self._documents.resolve(number, source)
        indexed = self._context.index.files[number]
        self._records.append(_record(indexed, file, resolved.rows, resolved.dependencies))
        return resolved.rows


def _record(
    indexed: IndexedFile, file: ParsedFile, rows: DocumentRows, dependencies: frozenset[int]
) -> Resolved:
    nodes: dict[int, int] = {}
    edges: dict[int, int] = {}
    certainties: dict[int, int] = {}
    for node in rows.nodes:
        nodes[node[1]] = nodes.get(node[1], 0) + 1
    for edge in rows.edges:
        edges[edge[2]] = edges.get(edge[2], 0) + 1
        certainties[edge[3]] = certainties.get(edge[3], 0) + 1
    document = rows.document
    return Resolved(
        indexed.path,
        file.fingerprint,
        file.outline.digest,
        document.resolution,
        sorted(dependencies),
        document.lines,
        nodes,
        edges,
        certainties,
        (document.resolved, document.external, document.unresolved),
    )


def _skipped_source(skipped: Skipped) -> SourceDocument:
    """A skipped path's cache key is its blob: there are no facts that could differ."""
    fingerprint = hashlib.blake2b(skipped.blob_sha.encode(), digest_size=16).digest()
    return SourceDocument(skipped.path, skipped.blob_sha, skipped.size, None, fingerprint)


class _Bodies:
    """Decoded bodies, the most recently used ones kept."""

    def __init__(self, files: list[ParsedFile], library: FactsLibrary) -> None:
        self._files = files
        self._library = library
        self._kept: OrderedDict[int, FileFacts] = OrderedDict()
        self._expressions = 0

    def get(self, number: int) -> FileFacts:
        """The facts of a file."""
        facts = self._kept.get(number)
        if facts is not None:
            return facts
        facts = decode_body(self._library.body(self._files[number].fingerprint))
        self._kept[number] = facts
        self._expressions += len(facts.expressions)
        while self._expressions > _KEPT_EXPRESSIONS and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._expressions -= len(oldest.expressions)
        return facts


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cycle collector, which would walk a million remembered tuples for nothing.

    Everything that resolution makes dies by its reference count. A fifth of the time, measured.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@cache
def version() -> str:
    """The version of the code that resolves: a digest of its source, so none is missed."""
    digest = hashlib.blake2b(digest_size=8)
    model = Path(graph.resolve.__file__).parent.parent / "model"
    for folder in (Path(graph.resolve.__file__).parent, model):
        for source in sorted(folder.glob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()
