"""Checkout -> every path of the commit, as a file to parse or as a skip with its reason.

Hardly a blob is read here: the tree says the name and the mode, `cat-file` says the size. Only a
program without an extension is opened, because its first line may name its language.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from parsers.detect import detect, detect_interpreter, may_name_interpreter
from parsers.language import Language
from parsers.skips import SkipReason
from workers.git.blobs import BlobReader
from workers.git.fetch import Checkout
from workers.git.tree import TreeEntry, TreeLimits, list_entries

_BATCH = 4096
_EXECUTABLE = 0o111
_FIRST_LINE_BYTES = 256


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A blob that a language claims and that is small enough to read."""

    path: bytes
    blob_sha: str
    mode: int
    size: int
    # By its name; the path does not tell where a first line did.
    language: str


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
        known = list(blobs.sizes(entry.sha for entry in regular))
        sizes = {entry.path: size for entry, size in zip(regular, known, strict=True)}
        verdicts = {entry.path: _by_name(entry) for entry in batch}
        verdicts |= _by_first_line(regular, sizes, verdicts, blobs, limits)
        absent = SkipReason.OVERSIZE if checkout.absent_is_oversize else SkipReason.ABSENT
        for entry in batch:
            size, verdict = sizes.get(entry.path), verdicts[entry.path]
            if not isinstance(verdict, SkipReason):
                verdict = _by_size(verdict, size, absent, limits, parsed=len(found.files))
            if isinstance(verdict, SkipReason):
                found.skipped.append(Skipped(entry.path, entry.sha, verdict, size or 0))
            else:
                found.files.append(
                    SourceFile(entry.path, entry.sha, entry.mode, size or 0, verdict.name)
                )
        on_progress(found.total)
    return found


def _by_name(entry: TreeEntry) -> Language | SkipReason:
    if entry.is_symlink:
        return SkipReason.SYMLINK
    if entry.is_submodule:
        return SkipReason.SUBMODULE
    return SkipReason.PATH_TOO_LONG if entry.shortened else detect(entry.path)


def _by_first_line(
    regular: list[TreeEntry],
    sizes: Mapping[bytes, int | None],
    verdicts: Mapping[bytes, Language | SkipReason],
    blobs: BlobReader,
    limits: InventoryLimits,
) -> dict[bytes, Language]:
    """The languages of programs (files that may be executed) that only their first line names."""
    programs = [
        entry
        for entry in regular
        if entry.mode & _EXECUTABLE
        and verdicts[entry.path] is SkipReason.UNKNOWN_LANGUAGE
        and may_name_interpreter(entry.path)
        and (sizes[entry.path] or 0) <= limits.file_bytes
    ]
    found: dict[bytes, Language] = {}
    contents = blobs.read_many(entry.sha for entry in programs)
    for entry, content in zip(programs, contents, strict=True):
        language = detect_interpreter((content or b"")[:_FIRST_LINE_BYTES])
        if language is not None:
            found[entry.path] = language
    return found


def _by_size(
    language: Language,
    size: int | None,
    absent: SkipReason,
    limits: InventoryLimits,
    *,
    parsed: int,
) -> Language | SkipReason:
    if size is None:
        return absent
    if size > limits.file_bytes:
        return SkipReason.OVERSIZE
    return SkipReason.TOO_MANY_FILES if parsed >= limits.files else language
