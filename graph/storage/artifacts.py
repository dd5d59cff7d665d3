"""Artifacts: bytes in the object store, found by the hash of what they hold.

A key is made here and nowhere else, out of a tenant's id, a kind and a hash, never out of a name
that somebody chose: so a key cannot leave the tenant's prefix, and a store accepts no other form.
Equal bytes have equal keys, so writing twice is harmless.

Which store is meant, the scheme of its address says. This is `file://`: a folder.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from graph.errors import ArtifactNotFound, SettingMissing, StorageError, StorageRefused
from graph.model import names
from graph.model.ids import TenantId

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is stored, by what it holds."""

    kind: str
    sha256: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store knows it."""

    key: str
    size_bytes: int


class Upload(Protocol):
    """Bytes on their way into a store; invisible until they are kept, gone if they are not."""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        ...

    def keep(self, key: str, *, replace: bool = True) -> bool:
        """The object is what was written, durably, and the upload is over.

        False, and nothing has changed, if there was one that may not be replaced.
        """
        ...

    def abandon(self) -> None:
        """Nothing of it is left; after `keep` this does nothing."""
        ...


class ArtifactStore(Protocol):
    """Where artifacts are.

    Every method raises StorageError when the store does not answer, StorageRefused for a key that
    `artifact_key` did not make; reading raises ArtifactNotFound when there is no such object.
    """

    def begin(self) -> Upload:
        """An upload whose key need not be known before its end."""
        ...

    def put_stream(self, key: str, chunks: Iterable[bytes]) -> StoredObject:
        """The object holds these bytes, whatever it held before."""
        ...

    def put_if_absent(self, key: str, chunks: Iterable[bytes]) -> bool:
        """Whether the object was made; one that was there is left as it is."""
        ...

    def get(self, key: str) -> Iterator[bytes]:
        """The bytes of the object, in pieces."""
        ...

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Bytes out of the middle of the object, fewer at its end."""
        ...

    def head(self, key: str) -> StoredObject | None:
        """The object, without its bytes."""
        ...

    def list(self, tenant_id: TenantId, kind: str | None = None) -> Iterator[StoredObject]:
        """The objects of a tenant, by key."""
        ...

    def delete(self, key: str) -> None:
        """There is no such object afterwards, whether or not there was one."""
        ...


def artifact_key(tenant_id: TenantId, kind: str, sha256: bytes) -> str:
    """Where an artifact is; raises StorageRefused for what cannot be part of a key."""
    try:
        return names.object_key(tenant_id, kind, sha256)
    except ValueError as error:
        raise StorageRefused("This cannot be the key of an artifact.") from error


def open_store(url: str) -> ArtifactStore:
    """The store at this address; raises SettingMissing for an address of no known kind."""
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return FileStore(Path(unquote(parts.path)))
    raise SettingMissing("ARTIFACTS_URL must be file:///directory.")


def digest_of(chunks: Iterable[bytes]) -> bytes:
    """The SHA-256 of bytes that come in pieces."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


def _checked(key: str) -> str:
    if not names.is_object_key(key):
        raise StorageRefused("This cannot be the key of an artifact.")
    return key


class FileStore:
    """A folder as an object store: a file per object, complete or not there at all."""

    def __init__(self, root: Path) -> None:
        """The folder is made when something is written."""
        self._root = root

    def begin(self) -> Upload:
        """A file in a folder of its own, moved to its place in the end."""
        return FileUpload(self._root)

    def put_stream(self, key: str, chunks: Iterable[bytes]) -> StoredObject:
        """See ArtifactStore."""
        with FileUpload(self._root) as upload:
            size = upload.write_all(chunks)
            upload.keep(key)
        return StoredObject(key=key, size_bytes=size)

    def put_if_absent(self, key: str, chunks: Iterable[bytes]) -> bool:
        """See ArtifactStore."""
        if self.head(key) is not None:
            return False
        with FileUpload(self._root) as upload:
            upload.write_all(chunks)
            return upload.keep(key, replace=False)

    def get(self, key: str) -> Iterator[bytes]:
        """See ArtifactStore."""
        with _answers(), self._path(key).open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See ArtifactStore."""
        with _answers(), self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def head(self, key: str) -> StoredObject | None:
        """See ArtifactStore."""
        try:
            with _answers():
                return StoredObject(key=key, size_bytes=self._path(key).stat().st_size)
        except ArtifactNotFound:
            return None

    def list(self, tenant_id: TenantId, kind: str | None = None) -> Iterator[StoredObject]:
        """See ArtifactStore."""
        tenant = self._root / names.object_prefix(tenant_id)
        for path in sorted(tenant.glob(f"{kind or '*'}/*")):
            key = path.relative_to(self._root).as_posix()
            if names.is_object_key(key) and (found := self.head(key)):
                yield found

    def delete(self, key: str) -> None:
        """See ArtifactStore."""
        with _answers():
            self._path(key).unlink(missing_ok=True)

    def sweep(self, *, older_than_seconds: float) -> int:
        """How many uploads were removed whose writer has not touched them for that long."""
        removed = 0
        for path in _uploads(self._root).glob("*.part"):
            try:
                if time.time() - path.stat().st_mtime > older_than_seconds:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer was faster
        return removed

    def _path(self, key: str) -> Path:
        return self._root / _checked(key)


class FileUpload:
    """A file that becomes an object."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with _answers():
            folder = _uploads(root)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path = folder / f"{uuid4().hex}.part"
            self._file = self._path.open("xb")

    def write(self, data: bytes) -> None:
        """See Upload."""
        with _answers():
            self._file.write(data)

    def write_all(self, chunks: Iterable[bytes]) -> int:
        """How many bytes were appended."""
        size = 0
        for chunk in chunks:
            self.write(chunk)
            size += len(chunk)
        return size

    def keep(self, key: str, *, replace: bool = True) -> bool:
        """See Upload."""
        final = self._root / _checked(key)
        with _answers():
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
        """See Upload."""
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


@contextmanager
def _answers() -> Iterator[None]:
    """Errors of the file system leave the block as errors of the store."""
    try:
        yield
    except FileNotFoundError as error:
        raise ArtifactNotFound from error
    except OSError as error:
        raise StorageError("The object store did not answer.") from error


def _uploads(root: Path) -> Path:
    return root / "uploads"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
