"""What was fetched, as one stream: however it is cut, the same files come out of it."""

from pathlib import Path

import pytest

from workers.git import packed

INDEX, PACK = bytes(range(40)), bytes(range(100, 180))
LABEL = bytes(16)


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    folder = tmp_path / "objects"
    (folder / "pack").mkdir(parents=True)
    (folder / "pack" / "pack-1.idx").write_bytes(INDEX)
    (folder / "pack" / "pack-1.pack").write_bytes(PACK)
    return folder


def joined(objects: Path, label: bytes = LABEL) -> bytes:
    chunks = packed.join(objects, label=label)
    assert chunks is not None
    return b"".join(chunks)


@pytest.mark.parametrize("size", [1, 7, 23, 24, 25, 64, 1000])
def test_the_pack_comes_out_as_it_went_in(objects: Path, tmp_path: Path, size: int) -> None:
    whole = joined(objects)
    other = tmp_path / "other"
    other.mkdir()
    packed.part((whole[at : at + size] for at in range(0, len(whole), size)), other)
    (index,), (pack,) = (list(other.rglob(f"*.{kind}")) for kind in ("idx", "pack"))
    assert (index.read_bytes(), pack.read_bytes()) == (INDEX, PACK)
    assert index.with_suffix(".pack") == pack


def test_equal_packs_of_two_jobs_are_not_the_same_bytes(objects: Path) -> None:
    assert joined(objects) != joined(objects, bytes([1] * 16))


def test_only_a_whole_fetch_is_kept(objects: Path, tmp_path: Path) -> None:
    assert packed.join(tmp_path / "nowhere", label=LABEL) is None
    (objects / "pack" / "pack-2.pack").write_bytes(PACK)
    assert packed.join(objects, label=LABEL) is None
