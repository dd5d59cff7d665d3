"""The secret that the API processes of one installation share."""

import os
import secrets as random
from pathlib import Path

from graph.errors import SettingMissing
from graph.settings import Settings

_FILE = "secret"
_BYTES = 32


def shared(settings: Settings) -> bytes:
    """`CODELOOM_SECRET`, or else one kept in the state directory, made the first time.

    Several hosts need the setting: a cursor that one of them sealed must open on the others.
    Raises SettingMissing when there is no setting and the directory cannot be written.
    """
    if settings.codeloom_secret:
        return settings.codeloom_secret.encode()
    path = settings.codeloom_home / _FILE
    try:
        return _kept(path)
    except OSError as error:
        raise SettingMissing(
            "Set CODELOOM_SECRET, or CODELOOM_HOME to a directory that can be written.",
        ) from error


def _kept(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        # Linked into place whole: two processes starting at once agree on whichever came first.
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(random.token_bytes(_BYTES))
        try:
            os.link(partial, path)
        except FileExistsError:
            return path.read_bytes()
        finally:
            partial.unlink()
    return path.read_bytes()
