"""What every error has: a code, a kind, and whether trying again may help."""

from typing import ClassVar, Literal

ErrorKind = Literal[
    "not_found",
    "conflict",
    "precondition",
    "invalid",
    "forbidden",
    "unauthorized",
    "quota",
    "unavailable",
    "internal",
]


class CodeloomError(Exception):
    """Something failed in a way that we know and can name."""

    code: ClassVar[str] = "internal_error"
    kind: ClassVar[ErrorKind] = "internal"
    transient: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        """Without a message of its own, an error says the first line of its documentation."""
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        super().__init__(self.message)
