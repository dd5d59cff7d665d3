"""The values at the sandbox's door: what may be spent, what goes in, what comes out."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from parsers.codec import EncodedFacts
from parsers.skips import SkipReason

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What a file and a process may cost."""

    file_seconds: float = 10.0
    # Past the process's own deadline, before it is killed: it may stand inside one long call.
    grace_seconds: float = 2.0
    file_nodes: int = 2_000_000
    memory_bytes: int = 2 << 30
    # A process is replaced after so much work, because a heap only grows.
    process_files: int = 20_000
    process_bytes: int = 256 << 20
    process_cpu_seconds: int = 3600
    # Files given at once: large enough that the pipe costs nothing, small enough that the
    # processes end together.
    batch_files: int = 64
    batch_bytes: int = 128 << 10


@dataclass(frozen=True, slots=True)
class ParseItem(Generic[Key]):
    """One file: the caller's own key, the language's name, the bytes."""

    key: Key
    language: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ParseOutcome(Generic[Key]):
    """The verdict on one file. `note` says more about a death or a fault, and quotes no source."""

    key: Key
    result: EncodedFacts | SkipReason
    note: str = ""


class ParsingStopped(Exception):
    """The caller asked to stop before every file had its verdict."""


class ParserDidNotStart(Exception):
    """A parser process ended before it took a file: the installation is at fault, and no file."""
