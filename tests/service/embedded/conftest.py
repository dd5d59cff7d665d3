"""Homes that every user may pass through, and programs that run in them."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from service.embedded.identity import Identity

ROOT = Path(__file__).parents[3]
HOLDER = Path(__file__).parent / "holder.py"
ORDINARY = 65534  # nobody: an ordinary user with an entry in the user database
READY_SECONDS = 60


@dataclass
class Holder:
    """A program that runs the stores, and what it said when they were ready."""

    process: subprocess.Popen[str]
    children: dict[str, int] = field(default_factory=dict)
    database_url: str = ""
    redis_url: str = ""

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)

    def session_members(self) -> list[int]:
        """Every live process that the stores consist of."""
        return [pid for pid in live() if session_of(pid) in self.children.values()]


def live() -> list[int]:
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [pid for pid in numbers if alive(pid)]


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    return _status(pid)[0] != "Z"


def session_of(pid: int) -> int:
    """The session of a live process, 0 when it is gone or a zombie.

    Also 0 for what began in a session from outside of its container: ask this only of processes
    with a session of their own.
    """
    state, _, _, session = _status(pid)[:4]
    return 0 if state == "Z" else int(session)


def _status(pid: int) -> list[str]:
    """From the state on; of what is gone, that of a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["Z", "0", "0", "0"]


def eventually(claim: Callable[[], bool], seconds: float) -> bool:
    """Whether the claim comes true in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may pass through; pytest's own is closed to all but its user."""
    folder = Path(tempfile.mkdtemp(prefix="codeloom-test-"))
    folder.chmod(0o711)
    yield folder
    for link in folder.rglob("postgres"):
        if link.is_symlink():
            shutil.rmtree(link.resolve())
    shutil.rmtree(folder)


@pytest.fixture
def hold() -> Iterator[Callable[..., Holder]]:
    """Start a holder on a home; whatever still runs at the end of the test is killed."""
    with holders(spawn) as begin:
        yield begin


@contextmanager
def holders(spawn: Callable[..., subprocess.Popen[str]]) -> Iterator[Callable[..., Holder]]:
    """Start programs of a kind and wait until each is ready; all are killed at the end."""
    started: list[Holder] = []

    def begin(home: Path, *arguments: str, **options: Any) -> Holder:
        process = spawn(home, *arguments, **options)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1])
        said = json.loads(line)
        holder = Holder(process, said["children"], said["database_url"], said["redis_url"])
        started.append(holder)
        return holder

    yield begin
    for holder in started:
        holder.process.kill()
        holder.process.communicate()
        assert eventually(lambda holder=holder: holder.session_members() == [], 10)


def interpreter(user: int | None) -> str | None:
    """A Python of our version that the user may run, None when this machine has none.

    Root's own interpreter often lies in root's closed home; the system's then serves.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        real = Path(candidate).resolve()
        if real.exists() and (user is None or Identity(user, user).can_enter(real.parent)):
            return candidate
    return None


def spawn(home: Path, *, user: int | None = None) -> subprocess.Popen[str]:
    """A holder's process, ready or not."""
    program = interpreter(user)
    assert program is not None
    packages = [str(ROOT), sysconfig.get_path("purelib")]
    return subprocess.Popen(
        [program, str(HOLDER), str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": ":".join(packages),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        **({"user": user, "group": user, "extra_groups": []} if user else {}),
    )
