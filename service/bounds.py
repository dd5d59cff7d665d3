"""What one connection may take of the server, and how that reaches every process of it."""

from dataclasses import dataclass
from typing import Any

from uvicorn import Config


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may take, and how many of them there may be in a process."""

    connections: int
    # Of the request line and the headers together; the address may take half of it.
    head_bytes: int
    head_seconds: float
    # In which a client takes at least something of an answer that waits for it.
    answer_seconds: float


class LimitedConfig(Config):
    """uvicorn's configuration with these limits; it is handed to every process of the server."""

    def __init__(self, limits: Limits, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**options)
        self.limits = limits
