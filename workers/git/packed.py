"""What was fetched as one stream of bytes, so that it can be read where it was not fetched.

A label, the length of the index of its pack, the index, the pack: so nobody has to index it again.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

_HEAD = struct.Struct(">16sQ")
_CHUNK = 1 << 20


def join(objects: Path, *, label: bytes) -> Iterator[bytes] | None:
    """The one pack of a folder of objects; None if there is none, or more than one.

    Under labels of their own, of 16 bytes, equal packs are not the same bytes.
    """
    packs = sorted((objects / "pack").glob("*.pack"))
    if len(packs) != 1:
        return None
    return _joined(label, packs[0].with_suffix(".idx"), packs[0])


def part(chunks: Iterable[bytes], objects: Path) -> None:
    """The pack is in the folder again."""
    (objects / "pack").mkdir(mode=0o700)
    name = objects / "pack" / "pack-fetched"
    index, pack = name.with_suffix(".idx"), name.with_suffix(".pack")
    head, left = b"", -1  # bytes of the index that are still to come
    with index.open("wb") as first, pack.open("wb") as second:
        for chunk in chunks:
            data = head + chunk
            if left < 0:
                if len(data) < _HEAD.size:
                    head = data
                    continue
                _, left = _HEAD.unpack_from(data)
                head, data = b"", data[_HEAD.size :]
            of_index = first.write(data[:left])
            left -= of_index
            second.write(data[of_index:])


def _joined(label: bytes, index: Path, pack: Path) -> Iterator[bytes]:
    yield _HEAD.pack(label, index.stat().st_size)
    for path in (index, pack):
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
