"""Times as a person types them: a date, a moment, or how long from now."""

import re
from datetime import UTC, datetime, timedelta

from service.cli.screen import CommandFailed

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"([0-9]{1,6})([smhdw])")


def length(text: str) -> timedelta:
    """`90d`, `12h`, `0s`; raises CommandFailed."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise CommandFailed(f"{text} is not a length of time.", "Write it like 90d, 12h or 30m.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def end(text: str | None) -> tuple[datetime | None, timedelta | None]:
    """`2027-01-31`, a moment of ISO 8601, or a length from now; raises CommandFailed.

    What has no zone is in UTC.
    """
    if text is None:
        return None, None
    if _LENGTH.fullmatch(text):
        return None, length(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandFailed(
            f"{text} is not a time.", "Write it like 2027-01-31, 2027-01-31T12:00Z or 90d."
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)), None
