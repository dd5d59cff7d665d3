"""Facts packs: the facts of many files as one artifact, read as a whole or one by one.

A pack holds entries, a fingerprint with several parts each (the outline and the body of a file's
facts). Parts arrive compressed, each on its own, from the process that made them; they lie in
blocks in which the first parts of all entries come first, then the second parts, and so on: to
read every outline and no body is one range of bytes a block.

    magic | block ... | index | length of the index, magic

A part is told apart by its length only; whether its bytes are sound is for its own checksum to say.
The index says for each block which fingerprints are in it and how long their parts are; places
follow from adding up. A pack with the same entries in the same order is the same artifact.
"""

import hashlib
import struct
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from types import TracebackType
from typing import Self

import msgspec
import zstandard

from graph.errors import ArtifactDamaged, ArtifactNotFound
from graph.model.ids import TenantId
from graph.storage.artifacts import Artifact, ArtifactStore, artifact_key

KIND = "facts"

_MAGIC = b"CLFACTS1"
_TAIL = struct.Struct(f">Q{len(_MAGIC)}s")
# Compressed bytes that are collected before a block is written; also what a reader holds.
_BLOCK_BYTES = 1024 * 1024
# Read from the end at once: the index of some thousand entries fits, and costs one request.
_GUESS_BYTES = 128 * 1024
_LEVEL = 3
# No part is larger: a file of facts is a fraction of this. Guards against a damaged length.
_MAX_PART_BYTES = 512 * 1024 * 1024

# fingerprint and the compressed length of each part
_Entry = tuple[bytes, list[int]]


class _Index(msgspec.Struct, array_like=True, frozen=True):
    parts: int
    blocks: list[list[_Entry]]


class PackWriter:
    """Writes one pack; nothing of it is visible, and nothing is left, unless it is closed."""

    def __init__(
        self,
        store: ArtifactStore,
        tenant_id: TenantId,
        *,
        parts: int = 2,
        kind: str = KIND,
        announce: Callable[[Artifact], None] | None = None,
    ) -> None:
        """Each entry will have this many parts; `kind` is that of the artifact.

        To `announce` is what must be done before it is stored (see `pending`).
        """
        self._store = store
        self._tenant_id = tenant_id
        self._parts = parts
        self._kind = kind
        self._announce = announce
        self._upload = store.begin()
        # For the index; the checksum makes a flipped bit an error instead of wrong places.
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._digest = hashlib.sha256()
        self._size = 0
        self._seen: set[bytes] = set()
        self._block: list[tuple[bytes, list[bytes]]] = []
        self._block_bytes = 0
        self._index: list[list[_Entry]] = []
        self._write(_MAGIC)

    def __len__(self) -> int:
        """How many entries it has."""
        return len(self._seen)

    def add(self, fingerprint: bytes, parts: Sequence[bytes]) -> bool:
        """Whether the entry was added; a fingerprint that is there already is left as it is."""
        if len(parts) != self._parts:
            raise ValueError(f"An entry of this pack has {self._parts} parts.")
        if fingerprint in self._seen:
            return False
        self._seen.add(fingerprint)
        self._block.append((fingerprint, list(parts)))
        self._block_bytes += sum(map(len, parts))
        if self._block_bytes >= _BLOCK_BYTES:
            self._write_block()
        return True

    def close(self, *, replace: bool = False) -> Artifact:
        """The pack is stored, also in the place of one that was damaged if it shall `replace` that.

        Raises StorageError when it could not be.
        """
        self._write_block()
        index = msgspec.msgpack.encode(_Index(parts=self._parts, blocks=self._index))
        compressed = self._compressor.compress(index)
        self._write(compressed)
        self._write(_TAIL.pack(len(compressed), _MAGIC))
        artifact = Artifact(self._kind, self._digest.digest(), self._size)
        if self._announce is not None:
            self._announce(artifact)
        # The same bytes may be there already, from an attempt that died after this line.
        key = artifact_key(self._tenant_id, self._kind, artifact.sha256)
        self._upload.keep(key, replace=replace)
        return artifact

    def abandon(self) -> None:
        """Nothing is stored; after `close` this does nothing."""
        self._upload.abandon()

    def _write_block(self) -> None:
        if not self._block:
            return
        for part in range(self._parts):
            self._write(b"".join(parts[part] for _, parts in self._block))
        self._index.append([(print_, list(map(len, parts))) for print_, parts in self._block])
        self._block, self._block_bytes = [], 0

    def _write(self, data: bytes) -> None:
        self._upload.write(data)
        self._digest.update(data)
        self._size += len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abandon()


class PackReader:
    """Reads one pack.

    Raises ArtifactNotFound when there is no such pack, ArtifactDamaged when it does not hold what
    was written to it, StorageError when the store does not answer.
    """

    def __init__(self, store: ArtifactStore, key: str) -> None:
        """Reads the index, and nothing else, of the pack at this key."""
        self._store = store
        self._key = key
        self._decompressor = zstandard.ZstdDecompressor()
        # Entries by number, and for each, part after part, where it starts and how long it is:
        # arrays, because there may be an entry for each of half a million files.
        self._numbers: dict[bytes, int] = {}
        self._starts = array("Q")
        self._lengths = array("Q")
        self._blocks: list[range] = []
        self._parts = self._locate(self._read_index())

    def index(self) -> Collection[bytes]:
        """The fingerprints of its entries."""
        return self._numbers.keys()

    def get(self, fingerprint: bytes, part: int) -> bytes | None:
        """One part of one entry; None if there is no such entry."""
        number = self._numbers.get(fingerprint)
        if number is None:
            return None
        place = number * self._parts + part
        length = self._lengths[place]
        return self._part(self._store.get_range(self._key, self._starts[place], length), length)

    def stream(self, parts: Sequence[int] | None = None) -> Iterator[tuple[bytes, list[bytes]]]:
        """Every entry with these parts, or all, in the order in which they were added.

        Only the bytes of the parts that are asked for are read, a block at a time.
        """
        wanted = list(range(self._parts) if parts is None else parts)
        fingerprints = iter(self._numbers)
        for block in self._blocks:
            sections = [self._section(block, part) for part in wanted]
            for values in zip(*sections, strict=True):
                yield next(fingerprints), list(values)

    def _section(self, block: range, part: int) -> Iterator[bytes]:
        """The same part of all entries of a block."""
        places = range(block.start * self._parts + part, block.stop * self._parts, self._parts)
        start = self._starts[places[0]]
        end = self._starts[places[-1]] + self._lengths[places[-1]]
        data = memoryview(self._store.get_range(self._key, start, end - start))
        for place in places:
            at = self._starts[place] - start
            length = self._lengths[place]
            yield self._part(bytes(data[at : at + length]), length)

    def _part(self, data: bytes, length: int) -> bytes:
        if len(data) != length:
            raise ArtifactDamaged
        return data

    def _decompressed(self, compressed: bytes | memoryview) -> bytes:
        try:
            if zstandard.frame_content_size(compressed) > _MAX_PART_BYTES:
                raise ArtifactDamaged
            return self._decompressor.decompress(compressed, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise ArtifactDamaged from error

    def _read_index(self) -> _Index:
        stored = self._store.head(self._key)
        if stored is None:
            raise ArtifactNotFound
        start = max(0, stored.size_bytes - _GUESS_BYTES)
        end = self._store.get_range(self._key, start, _GUESS_BYTES)
        if len(end) < _TAIL.size:
            raise ArtifactDamaged
        length, magic = _TAIL.unpack(end[-_TAIL.size :])
        if magic != _MAGIC or length + _TAIL.size + len(_MAGIC) > stored.size_bytes:
            raise ArtifactDamaged
        if length + _TAIL.size <= len(end):
            compressed = end[-_TAIL.size - length : -_TAIL.size]
        else:
            begins = stored.size_bytes - _TAIL.size - length
            compressed = self._store.get_range(self._key, begins, length)
        try:
            return msgspec.msgpack.decode(self._decompressed(compressed), type=_Index)
        except msgspec.MsgspecError as error:
            raise ArtifactDamaged from error

    def _locate(self, index: _Index) -> int:
        """Remember each entry and where its parts are; says how many parts an entry has."""
        start = len(_MAGIC)
        for block in index.blocks:
            sizes = [sum(lengths[part] for _, lengths in block) for part in range(index.parts)]
            at = [start + sum(sizes[:part]) for part in range(index.parts)]
            first = len(self._numbers)
            for fingerprint, lengths in block:
                self._numbers[fingerprint] = len(self._numbers)
                self._starts.extend(at)
                self._lengths.extend(lengths)
                at = [place + length for place, length in zip(at, lengths, strict=True)]
            self._blocks.append(range(first, len(self._numbers)))
            start += sum(sizes)
        return index.parts
