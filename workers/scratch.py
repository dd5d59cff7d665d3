"""Scratch folders: one for each attempt of a job, removed whatever happens.

A folder belongs to the process that holds the lock beside it. The lock ends with that process, so
what a killed worker left behind can be told from what another worker of this machine is using.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

_LOCK = ".lock"
_log = structlog.get_logger(__name__)


@contextmanager
def folder(root: Path, name: str) -> Iterator[Path]:
    """An empty folder that is gone afterwards, and not swept while this process lives."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock(root / f"{name}{_LOCK}")
    if lock is None:
        raise FileExistsError(name)
    path = root / name
    try:
        _remove(path)  # of this very attempt, left by a worker that died
        path.mkdir(mode=0o700)
        yield path
    finally:
        _remove(path)
        (root / f"{name}{_LOCK}").unlink(missing_ok=True)
        os.close(lock)


def sweep(root: Path) -> int:
    """Remove every folder whose process is gone; returns how many there were."""
    if not root.is_dir():
        return 0
    removed = 0
    for name in sorted({entry.name.removesuffix(_LOCK) for entry in root.iterdir()}):
        lock = _lock(root / f"{name}{_LOCK}")
        if lock is None:
            continue
        if (root / name).exists():
            _remove(root / name)
            removed += 1
        (root / f"{name}{_LOCK}").unlink(missing_ok=True)
        os.close(lock)
    if removed:
        _log.info("scratch.swept", folders=removed)
    return removed


def _lock(path: Path) -> int | None:
    """Take the lock without waiting; None if another process has it."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        # Who held it before may have removed the file: then this is the lock of a file that is no
        # longer there, and the next one would not meet it.
        with suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a folder with what is in it, also what git made read-only."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
