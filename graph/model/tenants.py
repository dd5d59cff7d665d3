"""What a caller may do: scopes, each of which includes the one before it."""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """A right of an API key, from least to most."""

    READ = "read"  # ask about what is published
    INGEST = "ingest"  # and request work
    ADMIN = "admin"  # and manage repositories, keys and settings of the tenant


_ORDER = tuple(Scope)


def included(scopes: Iterable[str]) -> frozenset[Scope]:
    """The scopes with everything that they include; raises ValueError for an unknown one."""
    highest = max((_ORDER.index(Scope(scope)) for scope in scopes), default=-1)
    return frozenset(_ORDER[: highest + 1])
