"""How long a host that has no time wants to be left alone: the `Retry-After` of its answer.

Git tells only the status. So curl writes the headers that come (never a body, never a credential:
git blackens those) into a file of the job's own folder, which is read after a refusal.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

# The end of the file, where the last answer is.
_MOST_BYTES = 256 * 1024
_HEADER = re.compile(
    rb"^.*<= Recv header: retry-after:[ \t]*([^\r\n]{1,64})\r?$", re.IGNORECASE | re.MULTILINE
)


class Trace:
    """The file of one command."""

    def __init__(self, home: Path) -> None:
        self._path = home / "headers"

    @property
    def environment(self) -> dict[str, str]:
        """What makes git write it."""
        self._path.unlink(missing_ok=True)
        return {"GIT_TRACE_CURL": str(self._path), "GIT_TRACE_CURL_NO_DATA": "1"}

    def retry_after_seconds(self) -> float | None:
        """What the last answer that says so asks for; None where nothing sensible was said."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, self._path.stat().st_size - _MOST_BYTES))
                said = _HEADER.findall(file.read(_MOST_BYTES))
        except FileNotFoundError:
            return None
        return _seconds(said[-1].decode("ascii", "replace").strip()) if said else None


def _seconds(value: str) -> float | None:
    """Seconds from now, of a number or of a date as HTTP has them."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
