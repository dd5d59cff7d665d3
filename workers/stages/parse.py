"""Source files -> facts: known ones from the packs of an earlier snapshot, the rest parsed now.

A blob is parsed once, however many paths hold it. New facts go into one new pack as they come, so
memory holds the outlines and never the bodies.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from graph.errors import ArtifactDamaged
from graph.resolve import manifests
from graph.resolve.manifests import Manifests
from graph.settings import Settings
from graph.storage.facts import FactsLibrary
from graph.storage.facts_packs import PackReader, PackWriter
from parsers import registry
from parsers.codec import EncodedFacts, FactsDamaged, Outline, decode_outline
from parsers.detect import inspect
from parsers.fingerprint import fingerprint
from parsers.sandbox import ParseItem, ParserPool, SandboxLimits
from parsers.skips import SkipReason
from workers.git.blobs import BlobReader
from workers.stages.inventory import Inventory, Skipped, SourceFile


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file with facts."""

    source: SourceFile
    fingerprint: bytes
    outline: Outline


@dataclass(slots=True)
class ParsedFiles:
    """Every file of the commit: with facts, or skipped with a reason."""

    files: list[ParsedFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    manifests: Manifests = field(default_factory=Manifests)
    manifests_digest: bytes = b""
    parsed: int = 0  # blobs that were parsed now
    reused: int = 0  # files whose facts were known


@dataclass(slots=True)
class _Work:
    """The files still without facts, by what they have in common, and what came of them."""

    by_fingerprint: dict[bytes, list[SourceFile]] = field(default_factory=dict)
    outlines: dict[bytes, Outline] = field(default_factory=dict)
    refused: dict[bytes, SkipReason] = field(default_factory=dict)


def parser_pool(settings: Settings) -> ParserPool:
    """The parsers of one attempt, limited as the installation says."""
    limits = SandboxLimits(
        file_seconds=settings.parse_timeout_seconds, memory_bytes=settings.parse_memory_bytes
    )
    return ParserPool(settings.parse_processes or len(os.sched_getaffinity(0)), limits)


def parse_files(
    inventory: Inventory,
    blobs: BlobReader,
    *,
    library: FactsLibrary,
    pack: PackWriter,
    pool: ParserPool,
    on_progress: Callable[[int], None],
    should_stop: Callable[[], bool],
    shards: Sequence[PackReader] = (),
) -> ParsedFiles:
    """The facts of every file of the inventory; new ones are added to `pack`.

    Those that were made elsewhere, in `shards`, are taken over from there.

    Raises:
        ParsingStopped: `should_stop` said so.
        StorageError: facts could not be read or written.
    """
    result = ParsedFiles(skipped=list(inventory.skipped))
    result.manifests, result.manifests_digest = _read_manifests(inventory, blobs)
    work = _work(inventory)
    known = [key for key in work.by_fingerprint if key in library]
    for key, outline in library.outlines(known):
        work.outlines[key] = decode_outline(outline)
    result.reused = sum(len(work.by_fingerprint[key]) for key in work.outlines)
    on_progress(result.reused)
    done = result.reused
    for shard in shards:
        result.parsed += _take_over(work, shard, pack)
        done = sum(len(work.by_fingerprint[key]) for key in [*work.outlines, *work.refused])
        on_progress(done)
    result.parsed += _parse_new(work, blobs, pack, pool, on_progress, should_stop, done)
    _collect(work, result)
    return result


def unparsed(
    inventory: Inventory, blobs: BlobReader, library: FactsLibrary
) -> tuple[int, Iterator[ParseItem[bytes]]]:
    """The bytes that are to be parsed, and the files themselves; what is refused unread is not."""
    work = _work(inventory)
    new = [key for key in work.by_fingerprint if key not in library]
    size = sum(work.by_fingerprint[key][0].size for key in new)
    return size, _items(work, new, blobs)


def _work(inventory: Inventory) -> _Work:
    work = _Work()
    for source in inventory.files:
        language = registry.languages()[source.language]
        work.by_fingerprint.setdefault(fingerprint(source.blob_sha, language), []).append(source)
    return work


def _take_over(work: _Work, shard: PackReader, pack: PackWriter) -> int:
    """How many facts were made in a shard: an entry without an outline is a refusal.

    Raises ArtifactDamaged.
    """
    parsed = 0
    for key, (outline, body) in shard.stream():
        if key not in work.by_fingerprint or key in work.outlines:
            continue
        if not outline:
            work.refused[key] = SkipReason(body.decode())
            continue
        try:
            work.outlines[key] = decode_outline(outline)
        except FactsDamaged as error:
            raise ArtifactDamaged from error
        parsed += pack.add(key, [outline, body])
    return parsed


def _parse_new(
    work: _Work,
    blobs: BlobReader,
    pack: PackWriter,
    pool: ParserPool,
    on_progress: Callable[[int], None],
    should_stop: Callable[[], bool],
    done: int,
) -> int:
    new = [
        key for key in work.by_fingerprint if key not in work.outlines and key not in work.refused
    ]
    parsed = 0
    items = _items(work, new, blobs)
    for outcome in pool.parse_all(items, stopped=should_stop):
        if isinstance(outcome.result, EncodedFacts):
            pack.add(outcome.key, [outcome.result.outline, outcome.result.body])
            work.outlines[outcome.key] = decode_outline(outcome.result.outline)
            parsed += 1
        else:
            work.refused[outcome.key] = outcome.result
        done += len(work.by_fingerprint[outcome.key])
        on_progress(done)
    return parsed


def _items(work: _Work, keys: Sequence[bytes], blobs: BlobReader) -> Iterator[ParseItem[bytes]]:
    """Read the blobs one after the other; what its bytes give away is refused here."""
    sources = [work.by_fingerprint[key][0] for key in keys]
    contents = blobs.read_many(source.blob_sha for source in sources)
    for key, source, content in zip(keys, sources, contents, strict=True):
        if content is None:
            work.refused[key] = SkipReason.ABSENT
            continue
        reason = inspect(content, registry.languages()[source.language])
        if reason is not None:
            work.refused[key] = reason
            continue
        yield ParseItem(key, source.language, content)


def _collect(work: _Work, result: ParsedFiles) -> None:
    """Every path with its facts or its reason, paths in order."""
    for key, sources in work.by_fingerprint.items():
        outline = work.outlines.get(key)
        for source in sources:
            if outline is not None:
                result.files.append(ParsedFile(source, key, outline))
            else:
                reason = work.refused[key]
                result.skipped.append(Skipped(source.path, source.blob_sha, reason, source.size))
    result.files.sort(key=lambda file: file.source.path)
    result.skipped.sort(key=lambda skipped: skipped.path)


def _read_manifests(inventory: Inventory, blobs: BlobReader) -> tuple[Manifests, bytes]:
    """The manifests of the commit: no language claims them, and resolution needs them."""
    wanted = [
        entry
        for entry in inventory.skipped
        if entry.reason == SkipReason.UNKNOWN_LANGUAGE
        and entry.size <= manifests.MAX_BYTES
        and manifests.wanted(entry.path.decode("utf-8", "replace"))
    ]
    found: dict[str, bytes] = {}
    digest = hashlib.blake2b(digest_size=16)
    contents = blobs.read_many(entry.blob_sha for entry in wanted)
    for entry, content in zip(wanted, contents, strict=True):
        if content is not None:
            found[entry.path.decode("utf-8", "replace")] = content
            digest.update(entry.path + b"\0" + entry.blob_sha.encode())
    return manifests.read(found), digest.digest()
