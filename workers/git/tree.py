"""Lists the tree of a commit as a stream.

A tree of a few kilobytes can unfold to 10^10 paths, so entries and bytes are counted while they
arrive, folders too, and the listing stops at its caps.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from graph.errors import CheckoutTooLarge
from workers.git import failures
from workers.git.command import GitProcess
from workers.git.fetch import Checkout

SUBMODULE_MODE = 0o160000
_CHUNK = 1 << 20
_MAX_PATH_BYTES = 4096
_MAX_DEPTH = 256
_KEPT_OF_LONG_PATH = 200


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """How much of a tree is read at all."""

    # Files and folders together.
    entries: int = 2_000_000
    listing_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a commit that is not a folder."""

    path: bytes
    mode: int
    sha: str
    # The path was cut: it is longer, or nested deeper, than any file system allows.
    shortened: bool = False

    @property
    def is_symlink(self) -> bool:
        """Whether the blob holds the name of another path."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_submodule(self) -> bool:
        """Whether the id is a commit of another repository."""
        return self.mode == SUBMODULE_MODE


def list_entries(checkout: Checkout, limits: TreeLimits) -> Iterator[TreeEntry]:
    """Every file, symlink and submodule, in the order of the tree.

    Raises `CheckoutTooLarge` beyond the limits.
    """
    with GitProcess(
        [*checkout.arguments, "ls-tree", "-r", "-z", "-t", "--full-tree", checkout.tree],
        limits=checkout.limits,
        home=checkout.home,
        should_stop=checkout.should_stop,
    ) as process:
        rest = b""
        entries = read = 0
        while chunk := process.stdout.read1(_CHUNK):
            *records, rest = (rest + chunk).split(b"\0")
            entries += len(records)
            read += len(chunk)
            if entries > limits.entries or read > limits.listing_bytes:
                raise CheckoutTooLarge(f"The commit holds more than {limits.entries} paths.")
            for record in records:
                if not record.startswith(b"040000 "):
                    yield _parse(record)
        if (code := process.finish()) != 0:
            raise failures.from_complaint(code, process.complaint(), what="the commit")


def _parse(record: bytes) -> TreeEntry:
    """Read `100644 blob <id>`, a tab, and the path."""
    head, _, path = record.partition(b"\t")
    mode, _, sha = head.split(b" ")
    shortened = len(path) > _MAX_PATH_BYTES or path.count(b"/") >= _MAX_DEPTH
    if shortened:
        # The digest keeps two such paths apart.
        path = path[:_KEPT_OF_LONG_PATH] + b"...#" + sha256(path).hexdigest().encode()
    return TreeEntry(path=path, mode=int(mode, 8), sha=sha.decode("ascii"), shortened=shortened)
