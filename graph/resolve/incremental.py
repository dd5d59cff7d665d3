"""Which documents of a commit must be resolved again, given how an earlier one was resolved.

A document's answers depend on its own content, on the outlines of the files they were drawn from
(recorded while resolving), and on which paths and manifests exist at all. So a document may be
reused if its content is the same and nothing it depends on has another outline. Where files came or
went, or a manifest changed, a name may mean something else anywhere: then all are resolved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import zstandard

from graph.resolve.index import IndexedFile

KIND = "resolution"
_LEVEL = 3
_MAX_BYTES = 1 << 30


class Resolved(msgspec.Struct, array_like=True, gc=False):
    """How one file was resolved, and what it counted for."""

    path: str
    fingerprint: bytes
    outline: bytes  # the digest of its outline
    resolution: bytes
    dependencies: list[int]  # file numbers; -1 - n for the package n
    lines: int
    nodes: dict[int, int]  # how many of each kind
    edges: dict[int, int]
    certainties: dict[int, int]
    references: tuple[int, int, int]  # resolved, external, unresolved


class ResolutionRecord(msgspec.Struct, array_like=True):
    """How all files of one commit were resolved, in the order of their numbers."""

    version: str  # of the code that resolved
    manifests: bytes  # digest of the manifests that were read
    packages: list[str]
    files: list[Resolved]


class RecordDamaged(Exception):
    """A stored record is not what was stored."""

    code = "record_damaged"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: the files to resolve, and the records of the others by file number."""

    resolve: list[int]
    reuse: dict[int, Resolved]


def encode(record: ResolutionRecord) -> bytes:
    """The record as it is stored."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return compressor.compress(msgspec.msgpack.encode(record))


def decode(data: bytes) -> ResolutionRecord:
    """A stored record. Raises RecordDamaged."""
    try:
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=_MAX_BYTES)
        return msgspec.msgpack.decode(raw, type=ResolutionRecord)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise RecordDamaged from error


def plan(
    previous: ResolutionRecord | None,
    files: Sequence[IndexedFile],
    fingerprints: Sequence[bytes],
    *,
    packages: Sequence[str],
    version: str,
    manifests: bytes,
) -> Plan:
    """Decide for every file whether its earlier resolution still holds."""
    everything = Plan(list(range(len(files))), {})
    if previous is None or previous.version != version or previous.manifests != manifests:
        return everything
    if [record.path for record in previous.files] != [file.path for file in files]:
        return everything
    changed = _changed(previous, files, packages)
    resolve: list[int] = []
    reuse: dict[int, Resolved] = {}
    for number, record in enumerate(previous.files):
        same = record.fingerprint == fingerprints[number]
        if same and changed.isdisjoint(record.dependencies):
            reuse[number] = record
        else:
            resolve.append(number)
    return Plan(resolve, reuse)


def _changed(
    previous: ResolutionRecord, files: Sequence[IndexedFile], packages: Sequence[str]
) -> set[int]:
    """Files whose outline is another now, the packages they belong to, and packages that went."""
    numbers = {key: -1 - n for n, key in enumerate(previous.packages)}
    remaining = set(packages)
    changed = {number for key, number in numbers.items() if key not in remaining}
    for number, (record, file) in enumerate(zip(previous.files, files, strict=True)):
        if record.outline != file.outline.digest:
            changed.add(number)
            if file.package in numbers:
                changed.add(numbers[file.package])
    return changed
