"""Names of what is kept outside of the database, each made here and nowhere else.

A name that belongs to a tenant begins with that tenant's id, and no part of it can end its place:
so no name of one tenant is, begins with, or can be mistaken for a name of another.
"""

import re

from graph.model.ids import TenantId

_PART = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_PREFIX = "codeloom"


def redis_key(tenant_id: TenantId, *parts: str) -> str:
    """A key of a tenant in Redis; the braces keep all of a tenant's keys on one node.

    Raises ValueError for a part that is empty, longer than 128 characters, or holds others than
    letters, digits, `_`, `.` and `-`.
    """
    return ":".join((_PREFIX, f"{{{tenant_id}}}", *_checked(parts)))


def shared_key(*parts: str) -> str:
    """A key in Redis of the installation itself, where no tenant is known.

    Raises ValueError as `redis_key` does.
    """
    return ":".join((_PREFIX, "-", *_checked(parts)))


def _checked(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not parts:
        raise ValueError("A name needs at least one part.")
    for part in parts:
        if _PART.fullmatch(part) is None:
            raise ValueError("This cannot be part of a name.")
    return parts
