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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from graph.errors import ArtifactNotFound, SettingMissing, StorageRefused
from graph.model import names
from graph.model.ids import TenantId
from graph.storage.uploads import FileUpload, answers, checked, uploads

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
    # Since it was stored, or was to be stored and was there.
    age_seconds: float = field(default=0.0, compare=False)


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

    def forget(self, tenant_id: TenantId) -> None:
        """No trace of the tenant is left, once its objects have been deleted."""
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
        if self._wanted_again(key):
            return False
        with FileUpload(self._root) as upload:
            upload.write_all(chunks)
            return upload.keep(key, replace=False)

    def get(self, key: str) -> Iterator[bytes]:
        """See ArtifactStore."""
        with answers(), self._path(key).open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See ArtifactStore."""
        with answers(), self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def head(self, key: str) -> StoredObject | None:
        """See ArtifactStore."""
        try:
            with answers():
                status = self._path(key).stat()
                return StoredObject(key, status.st_size, time.time() - status.st_mtime)
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
        with answers():
            self._path(key).unlink(missing_ok=True)

    def forget(self, tenant_id: TenantId) -> None:
        """See ArtifactStore. A folder that is not empty stays."""
        tenant = self._root / names.object_prefix(tenant_id)
        with answers():
            for folder in (*tenant.glob("*"), tenant):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()

    def sweep(self, *, older_than_seconds: float) -> int:
        """How many uploads were removed whose writer has not touched them for that long."""
        removed = 0
        for path in uploads(self._root).glob("*.part"):
            try:
                if time.time() - path.stat().st_mtime > older_than_seconds:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer was faster
        return removed

    def _wanted_again(self, key: str) -> bool:
        """Whether there is such an object, which then is a young one again: it will get its row."""
        try:
            with answers():
                os.utime(self._path(key))
        except ArtifactNotFound:
            return False
        return True

    def _path(self, key: str) -> Path:
        return self._root / checked(key)
