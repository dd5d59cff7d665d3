"""The state directory: what is in it, who holds it, and how clients find the server that does.

lock          held while a stack runs, until its last process has gone; holds a process id
server.json   where the running server listens; removed when it stops
postgres/     the cluster, or a link to it when PostgreSQL's user may not enter this directory
valkey/       the append-only file
artifacts/    the artifact store
logs/         one file for each process
run/          sockets
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from service.embedded import outside
from service.embedded.errors import StateInUse, UnsafeDirectory
from service.embedded.identity import Identity, unprivileged

# How long the processes of a killed stack may take to go before the lock is given up on.
_HANDOVER_SECONDS = 10
_POLL_SECONDS = 0.05
# A socket's path must fit into 108 bytes with its end; the longest name put into the folder is
# `/postgres/.s.PGSQL.65535.lock`.
_SOCKET_FOLDER_BYTES = 107 - 30


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What a client on this machine needs to find the stack that holds a state directory."""

    pid: int
    # None when only the stores run, for a single command.
    address: str | None
    database_url: str
    redis_url: str


class StateDirectory:
    """One state directory, created when it is first used."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()
        self.logs = self.home / "logs"
        self.artifacts = self.home / "artifacts"
        self.valkey = self.home / "valkey"
        self._lock = self.home / "lock"
        self._server = self.home / "server.json"

    @contextlib.contextmanager
    def held(self) -> Iterator[int]:
        """Hold the directory; yields the open lock, for processes that must hold it with us.

        Raises StateInUse when another stack holds it, and UnsafeDirectory when the directory
        cannot be created or written.
        """
        self._create()
        with self._lock.open("a+") as file:
            self._acquire(file.fileno())
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            try:
                yield file.fileno()
            finally:
                self._server.unlink(missing_ok=True)
                self._remove_far_sockets()

    def announce(self, server: RunningServer) -> None:
        """Clients find the server from now on; call it while the directory is held."""
        partial = self._server.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(asdict(server), indent=2) + "\n")
        partial.replace(self._server)

    def running(self) -> RunningServer | None:
        """The announced server, if it still holds the directory."""
        try:
            described = json.loads(self._server.read_text())
            file = self._lock.open()
        except FileNotFoundError:
            return None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return RunningServer(**described)
        # Nobody holds the lock: the file was left behind by a killed server.
        return None

    def sockets(self) -> Path:
        """A folder for sockets, short enough for their paths to fit into an address."""
        mode = 0o711 if os.geteuid() == 0 else 0o700
        folder = self._socket_folder()
        folder.mkdir(mode=mode, exist_ok=True)
        if not _is_our_folder(folder):
            raise UnsafeDirectory(f"{folder} is not a directory of this user.")
        folder.chmod(mode)
        return folder

    def postgres_places(self) -> tuple[Path, Path]:
        """Where the cluster and its sockets go, both reachable by the user it runs as.

        Under root in a closed home that is a folder outside, to which `postgres` here is a link:
        the home stays closed.
        """
        cluster = self.home / "postgres"
        identity = unprivileged()
        if cluster.is_symlink() or not self._reachable(identity):
            place = outside.folder(cluster)
            return place / "data", place / "run"
        return cluster, self.sockets() / "postgres"

    def _socket_folder(self) -> Path:
        name = f"codeloom-{os.geteuid()}-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]}"
        candidates = [
            self.home / "run",
            Path(tempfile.gettempdir()) / name,
            Path("/tmp") / name,  # noqa: S108 - its owner and mode are checked where it is made
        ]
        return next(
            place for place in candidates if len(os.fsencode(place)) <= _SOCKET_FOLDER_BYTES
        )

    def _remove_far_sockets(self) -> None:
        """Nothing is left outside of the home, where nobody would look for it."""
        folder = self._socket_folder()
        if folder.parent != self.home and folder.exists() and _is_our_folder(folder):
            shutil.rmtree(folder)

    def _reachable(self, identity: Identity | None) -> bool:
        return identity is None or identity.can_enter(self.home)

    def _create(self) -> None:
        try:
            if not self.home.exists():
                # Root's PostgreSQL runs as another user, who must be able to pass through.
                self.home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True)
            for folder in (self.logs, self.artifacts):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._lock.touch(mode=0o600)
        except OSError as error:
            raise UnsafeDirectory(
                f"The state directory {self.home} cannot be used: {error}. "
                "Set CODELOOM_HOME to a directory of yours.",
            ) from error

    def _acquire(self, descriptor: int) -> None:
        deadline = time.monotonic() + _HANDOVER_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = self._holder()
                if holder is not None or time.monotonic() > deadline:
                    raise StateInUse(self._in_use(holder)) from None
                # Its supervisor was killed; the watchdog is still clearing up.
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _holder(self) -> int | None:
        """The live process that wrote its number into the lock, if there is one."""
        written = self._lock.read_text().strip()
        if not written.isdecimal():
            return None
        try:
            status = Path(f"/proc/{written}/stat").read_text(errors="replace")
        except OSError:
            return None
        # A zombie holds nothing: it was killed, and its parent has not asked how it ended.
        return None if status.rpartition(")")[2].split()[0] == "Z" else int(written)

    def _in_use(self, holder: int | None) -> str:
        process = f"process {holder}" if holder is not None else "a process that is going away"
        server = self.running()
        address = f", listening on {server.address}" if server and server.address else ""
        return (
            f"Codeloom already runs on {self.home} ({process}{address}). "
            "Stop it, or set CODELOOM_HOME to another directory."
        )


def _is_our_folder(path: Path) -> bool:
    """Whether it is a folder of this user, and no link to one."""
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
