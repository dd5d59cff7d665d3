"""The secret that the API processes of one installation share."""

from functools import partial
from secrets import token_bytes

from graph.errors import SettingMissing
from graph.settings import Settings
from graph.storage import private_file

_FILE = "secret"
_BYTES = 32


def shared(settings: Settings) -> bytes:
    """`CODELOOM_SECRET`, or else one kept in the state directory, made the first time.

    Several hosts need the setting: a cursor that one of them sealed must open on the others.
    Raises SettingMissing when there is no setting and the directory cannot be written.
    """
    if settings.codeloom_secret:
        return settings.codeloom_secret.encode()
    try:
        return private_file.kept(settings.codeloom_home / _FILE, partial(token_bytes, _BYTES))
    except OSError as error:
        raise SettingMissing(
            "Set CODELOOM_SECRET, or CODELOOM_HOME to a directory that can be written.",
        ) from error
