"""Shards: the files of a large ingestion, packed for workers that have no checkout.

A shard holds its files' languages and contents under their fingerprints; what comes back holds
facts, or a reason in the place of facts, under the same ones. Both are artifacts of one kind, lent
to the ingestion and gone when it has ended, and by no chance the same bytes as those of another
job: each has an entry, of no file, under its job's id.
"""

from collections.abc import Callable, Iterable, Iterator

import zstandard

from graph.model.ids import JobId, TenantId
from graph.storage.artifacts import Artifact, ArtifactStore
from graph.storage.facts_packs import PackReader, PackWriter
from parsers.codec import EncodedFacts
from parsers.sandbox import ParseItem, ParserPool

KIND = "shards"

# Source text; larger files are not read at all.
_LEVEL = 1


def write(
    items: Iterable[ParseItem[bytes]],
    store: ArtifactStore,
    tenant_id: TenantId,
    job_id: JobId,
    *,
    shard_bytes: int,
    announce: Callable[[Artifact], None],
    on_file: Callable[[], None],
) -> Iterator[Artifact]:
    """The shards of these files: each full with the file that reaches `shard_bytes`."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    remaining = iter(items)
    item = next(remaining, None)
    while item is not None:
        with PackWriter(store, tenant_id, kind=KIND, announce=announce) as pack:
            pack.add(job_id.bytes, [b"", b""])
            size = 0
            while item is not None and size < shard_bytes:
                on_file()
                pack.add(item.key, [item.language.encode(), compressor.compress(item.data)])
                size += len(item.data)
                item = next(remaining, None)
            yield pack.close(replace=True)


def parse(
    shard: PackReader,
    pack: PackWriter,
    pool: ParserPool,
    job_id: JobId,
    *,
    on_progress: Callable[[int], None],
    should_stop: Callable[[], bool],
) -> int:
    """How many files there were. Raises what `PackReader` and `ParserPool` do."""
    pack.add(job_id.bytes, [b"", b""])
    done = 0
    for outcome in pool.parse_all(_items(shard), stopped=should_stop):
        match outcome.result:
            case EncodedFacts() as facts:
                pack.add(outcome.key, [facts.outline, facts.body])
            case reason:
                pack.add(outcome.key, [b"", reason.encode()])
        done += 1
        on_progress(done)
    return done


def _items(shard: PackReader) -> Iterator[ParseItem[bytes]]:
    decompressor = zstandard.ZstdDecompressor()
    for key, (language, content) in shard.stream():
        if language:
            yield ParseItem(key, language.decode(), decompressor.decompress(content))
