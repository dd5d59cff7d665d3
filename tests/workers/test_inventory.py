"""Every path of a commit is a file to parse or a skip with its reason; nothing is lost."""

from pathlib import Path

import pytest

from graph.errors import CheckoutTooLarge
from parsers.skips import SkipReason
from tests.workers.gitrepo import Repo
from workers.git.blobs import BlobReader
from workers.git.command import GitLimits, Network
from workers.git.remotes import LocalRemote
from workers.git.tree import TreeLimits
from workers.stages.checkout import Access, checkout, locate
from workers.stages.inventory import Inventory, InventoryLimits, inventory

MANY = TreeLimits(entries=10_000)


def take(
    repo: Repo, tmp_path: Path, *, file_bytes: int = 1000, files: int = 100, tree: TreeLimits = MANY
) -> tuple[Inventory, list[int]]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    access = Access(scratch, GitLimits(30, 1 << 30), Network(), file_bytes, lambda: False)
    opened = checkout(locate(LocalRemote(repo.path), None, access), access)
    seen: list[int] = []
    with BlobReader(opened.checkout, max_bytes=file_bytes) as blobs:
        limits = InventoryLimits(file_bytes=file_bytes, files=files, tree=tree)
        return inventory(opened.checkout, blobs, limits, on_progress=seen.append), seen


def reasons(found: Inventory) -> dict[bytes, SkipReason]:
    return {skipped.path: skipped.reason for skipped in found.skipped}


def test_every_kind_of_path_has_its_verdict(repo: Repo, tmp_path: Path) -> None:
    python = repo.blob(b"a = 1\n")
    repo.commit_tree(
        repo.tree(
            (0o100644, b"a.py", python),
            (0o100755, b"b.py", python),
            (0o100644, b"c\xff.py", python),
            (0o120000, b"link.py", repo.blob(b"a.py")),
            (0o160000, b"module", "1" * 40),
            (0o100644, b"lost.py", "2" * 40),
            (0o100644, b"large.py", repo.blob(b"x" * 1001)),
            (0o100644, b"README", repo.blob(b"#!/usr/bin/env python3\n")),
            (0o100755, b"tool", repo.blob(b"#!/usr/bin/env python3\nx = 1\n")),
            (0o100755, b"program", repo.blob(b"\x7fELF\0\0")),
            (0o40000, b"node_modules", repo.tree((0o100644, b"x.js", repo.blob(b"x\n")))),
            (0o100644, b"d" * 5000 + b".py", python),
        )
    )
    found, _ = take(repo, tmp_path)
    assert {(file.path, file.language, file.size) for file in found.files} == {
        (b"a.py", "python", 6),
        (b"b.py", "python", 6),
        (b"c\xff.py", "python", 6),
        (b"tool", "python", 29),
    }
    skips = reasons(found)
    (long,) = [path for path in skips if path.startswith(b"dddd")]
    assert skips.pop(long) is SkipReason.PATH_TOO_LONG
    assert skips == {
        b"link.py": SkipReason.SYMLINK,
        b"module": SkipReason.SUBMODULE,
        b"lost.py": SkipReason.ABSENT,
        b"large.py": SkipReason.OVERSIZE,
        b"README": SkipReason.UNKNOWN_LANGUAGE,
        b"program": SkipReason.UNKNOWN_LANGUAGE,
        b"node_modules/x.js": SkipReason.VENDORED,
    }


def test_files_beyond_the_limit_are_recorded_and_not_parsed(repo: Repo, tmp_path: Path) -> None:
    repo.commit({f"{number}.py": f"x = {number}\n" for number in range(9)})
    found, seen = take(repo, tmp_path, files=5)
    assert [file.path for file in found.files] == [b"%d.py" % number for number in range(5)]
    assert set(reasons(found).values()) == {SkipReason.TOO_MANY_FILES}
    assert found.total == 9
    assert seen == [9]


def test_a_tree_beyond_reading_is_an_error(repo: Repo, tmp_path: Path) -> None:
    repo.commit({f"{number}.txt": "x" for number in range(30)})
    with pytest.raises(CheckoutTooLarge):
        take(repo, tmp_path, tree=TreeLimits(entries=20))


def test_an_empty_commit_has_no_paths(repo: Repo, tmp_path: Path) -> None:
    repo.commit({})
    found, _ = take(repo, tmp_path)
    assert found.total == 0
