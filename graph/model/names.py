"""Names of what is kept outside of tables, each made here and nowhere else.

A name that belongs to a tenant holds that tenant's id at a fixed place and in its one form, and no
part of the name can end its place: so no name of one tenant is, begins with, matches as a pattern
or can be mistaken for a name of another.

Every function raises ValueError for what cannot be a part: ids that are no UUIDs, and text that is
empty, longer than 128 characters, or holds others than letters, digits, `_`, `.` and `-`.
"""

import re
from typing import NewType
from uuid import UUID

from graph.model.ids import JobId, TenantId

# Made here alone, so that no lock is taken by a name that was put together elsewhere.
LockName = NewType("LockName", str)

_PART = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_PREFIX = "codeloom"
# Stands where a tenant's id would, in names of the installation itself.
_NOBODY = "-"

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KIND = re.compile("[a-z][a-z0-9_]{0,31}")
_OBJECT_KEY = re.compile(rf"t/{_UUID}/{_KIND.pattern}/[0-9a-f]{{64}}")
_SHA256_BYTES = 32

# Between the id of a job and the number of its dispatch; no UUID holds it.
TASK_JOINT = "."


def object_key(tenant_id: TenantId, kind: str, sha256: bytes) -> str:
    """Where an artifact lies in the object store."""
    if len(sha256) != _SHA256_BYTES:
        raise ValueError("This is not a SHA-256.")
    return f"{object_prefix(tenant_id, kind)}{sha256.hex()}"


def object_prefix(tenant_id: TenantId, kind: str | None = None) -> str:
    """What the keys of all artifacts of a tenant begin with, or of those of one kind."""
    if kind is None:
        return f"t/{_id(tenant_id)}/"
    if _KIND.fullmatch(kind) is None:
        raise ValueError("This cannot be a kind of artifact.")
    return f"t/{_id(tenant_id)}/{kind}/"


def is_object_key(text: str) -> bool:
    """Whether `object_key` can have made this."""
    return _OBJECT_KEY.fullmatch(text) is not None


def kind_of_object(key: str) -> str:
    """The kind of the artifact that lies there; raises ValueError for what is no such key."""
    if not is_object_key(key):
        raise ValueError("This cannot be the key of an artifact.")
    return key.split("/")[2]


def redis_key(tenant_id: TenantId, *parts: str) -> str:
    """A key of a tenant in Redis; the braces keep all of a tenant's keys on one node."""
    return ":".join((_PREFIX, f"{{{_id(tenant_id)}}}", *_checked(parts)))


def redis_pattern(tenant_id: TenantId) -> str:
    """What SCAN finds all of a tenant's keys by, and no others."""
    return f"{_PREFIX}:{{{_id(tenant_id)}}}:*"


def shared_key(*parts: str) -> str:
    """A key in Redis of the installation itself, where no tenant is known."""
    return ":".join((_PREFIX, _NOBODY, *_checked(parts)))


def event_stream(tenant_id: TenantId) -> str:
    """The stream in Redis of what happens in a tenant."""
    return redis_key(tenant_id, "events")


def lock(tenant_id: TenantId, *parts: str) -> LockName:
    """A lock in the database of what belongs to a tenant."""
    return LockName(":".join((str(_id(tenant_id)), *_checked(parts))))


def shared_lock(*parts: str) -> LockName:
    """A lock in the database of what the installation has once."""
    return LockName(":".join((_NOBODY, *_checked(parts))))


def job_lock(tenant_id: TenantId, job_id: JobId) -> LockName:
    """The lock that is held while a job runs."""
    return lock(tenant_id, "jobs", str(_id(job_id)))


def task_id(job_id: JobId, epoch: int) -> str:
    """The Celery task of one dispatch of a job. The statement that dispatches makes the same."""
    return f"{_id(job_id)}{TASK_JOINT}{int(epoch)}"


def job_of_task(text: str) -> JobId:
    """The job whose task this is; also for the bare id of a job. Raises ValueError."""
    job, joint, epoch = text.partition(TASK_JOINT)
    if joint and not (epoch.isascii() and epoch.isdigit()):
        raise ValueError("This is not the id of a task.")
    return JobId(UUID(job))


def _id(value: object) -> UUID:
    if not isinstance(value, UUID):
        # Its type says that it is one; a text that came from outside would be a hole in the fence.
        raise ValueError("This is not an id.")  # noqa: TRY004  as for every other part
    return value


def _checked(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not parts:
        raise ValueError("A name needs at least one part.")
    for part in parts:
        if _PART.fullmatch(part) is None:
            raise ValueError("This cannot be part of a name.")
    return parts
