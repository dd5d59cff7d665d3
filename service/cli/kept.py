"""Where the commands of this machine keep their key: in the state directory, for its owner only."""

import os
from pathlib import Path

from graph.settings import Settings

_FILE = "key"


def path_of(settings: Settings) -> Path:
    """The file that holds the key."""
    return settings.codeloom_home / _FILE


def read(settings: Settings) -> str | None:
    """The key, if one is kept."""
    path = path_of(settings)
    return path.read_text().strip() if path.exists() else None


def write(settings: Settings, secret: str) -> Path:
    """The key is kept from now on."""
    path = path_of(settings)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written whole and closed to others from the first byte, then moved into place.
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
    partial.replace(path)
    return path
