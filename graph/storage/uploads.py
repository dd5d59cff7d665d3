"""Files on their way into a folder that serves as an object store (see `artifacts`)."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from graph.errors import ArtifactNotFound, StorageError, StorageRefused
from graph.model import names


class FileUpload:
    """A file that becomes an object."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with answers():
            folder = uploads(root)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path = folder / f"{uuid4().hex}.part"
            self._file = self._path.open("xb")

    def write(self, data: bytes) -> None:
        """See artifacts.Upload."""
        with answers():
            self._file.write(data)

    def write_all(self, chunks: Iterable[bytes]) -> int:
        """How many bytes were appended."""
        size = 0
        for chunk in chunks:
            self.write(chunk)
            size += len(chunk)
        return size

    def keep(self, key: str, *, replace: bool = True) -> bool:
        """See artifacts.Upload."""
        final = self._root / checked(key)
        with answers():
            # First the bytes, then the name, then the folder that holds the name: after a crash
            # there is a whole object or none.
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = self._place(final, replace=replace)
            _sync_folder(final.parent)
        return kept

    def abandon(self) -> None:
        """See artifacts.Upload."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _place(self, final: Path, *, replace: bool) -> bool:
        if replace:
            self._path.replace(final)
            return True
        try:
            # Unlike a rename, a link never takes the place of another file.
            final.hardlink_to(self._path)
        except FileExistsError:
            os.utime(final)  # a young one again: whoever wanted to store it will name it
            return False
        finally:
            self._path.unlink()
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abandon()


def checked(key: str) -> str:
    """The key, if it can be one of an artifact; raises StorageRefused otherwise."""
    if not names.is_object_key(key):
        raise StorageRefused("This cannot be the key of an artifact.")
    return key


@contextmanager
def answers() -> Iterator[None]:
    """Errors of the file system leave the block as errors of the store."""
    try:
        yield
    except FileNotFoundError as error:
        raise ArtifactNotFound from error
    except OSError as error:
        raise StorageError("The object store did not answer.") from error


def uploads(root: Path) -> Path:
    """Where files are until they are whole."""
    return root / "uploads"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
