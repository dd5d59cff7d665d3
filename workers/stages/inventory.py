"""Checkout -> every path of the commit, as a file to parse or as a skip with its reason.

Nothing of a blob is read here: the tree says the name and the mode, `cat-file` says the size.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from parsers.detect import detect

from parsers.skips import Skip, SkipReason
from workers.git.blobs import BlobReader
from workers.git.fetch import Checkout
from workers.git.tree import TreeEntry, TreeLimits, list_entries

_BATCH = 4096


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A blob that a language claims and that is small enough to read."""

    path: bytes
    blob_sha: str
    mode: int
    size: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path that is not parsed, and why."""

    path: bytes
    blob_sha: str
    reason: SkipReason
    # 0 where there is no blob to have one.
    size: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every path of a commit, once, in the order of its tree."""

    files: list[SourceFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many paths the commit has."""
        return len(self.files) + len(self.skipped)


@dataclass(frozen=True, slots=True)
class InventoryLimits:
    """What is parsed at most."""

    file_bytes: int
    files: int
    tree: TreeLimits


def inventory(
    checkout: Checkout,
    blobs: BlobReader,
    limits: InventoryLimits,
    *,
    on_progress: Callable[[int], None],
) -> Inventory:
    """List the commit. Raises CheckoutTooLarge for a tree that is beyond reading at all."""
    found = Inventory()
    entries = list_entries(checkout, limits.tree)
    while batch := list(islice(entries, _BATCH)):
        regular = [entry for entry in batch if not (entry.is_symlink or entry.is_submodule)]
        known = blobs.sizes(entry.sha for entry in regular)
        sizes = dict(zip((entry.path for entry in regular), known, strict=True))
        for entry in batch:
            size = sizes.get(entry.path)
            reason = _reason(entry, size, checkout, limits, parsed=len(found.files))
            if reason is None and size is not None:
                found.files.append(SourceFile(entry.path, entry.sha, entry.mode, size))
            elif reason is not None:
                found.skipped.append(Skipped(entry.path, entry.sha, reason, size or 0))
        on_progress(found.total)
    return found


def _reason(
    entry: TreeEntry,
    size: int | None,
    checkout: Checkout,
    limits: InventoryLimits,
    *,
    parsed: int,
) -> SkipReason | None:
    """Why the path is not parsed; None if it is. What its name says comes before its size."""
    if (by_name := _reason_of_name(entry)) is not None:
        return by_name
    if size is None:
        return SkipReason.OVERSIZE if checkout.absent_is_oversize else SkipReason.ABSENT
    if size > limits.file_bytes:
        return SkipReason.OVERSIZE
    return SkipReason.TOO_MANY_FILES if parsed >= limits.files else None


def _reason_of_name(entry: TreeEntry) -> SkipReason | None:
    if entry.is_symlink:
        return SkipReason.SYMLINK
    if entry.is_submodule:
        return SkipReason.SUBMODULE
    if entry.shortened:
        return SkipReason.PATH_TOO_LONG
    verdict = detect(entry.path)
    return verdict.reason if isinstance(verdict, Skip) else None
