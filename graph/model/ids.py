"""Identifiers, one type each, so that none can stand in for another.

Public ids are UUIDs of version 7: made anywhere without asking the database, and ordered by time,
so that an index on them grows at its end. Numbers are narrow and only mean something inside a
tenant (`RepositoryNumber`) or a repository (the others).
"""

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

TenantId = NewType("TenantId", UUID)
ApiKeyId = NewType("ApiKeyId", UUID)
RepositoryId = NewType("RepositoryId", UUID)
JobId = NewType("JobId", UUID)
SnapshotId = NewType("SnapshotId", UUID)
AuditEventId = NewType("AuditEventId", UUID)
CredentialId = NewType("CredentialId", UUID)
OperatorKeyId = NewType("OperatorKeyId", UUID)
OperatorEventId = NewType("OperatorEventId", UUID)
ErasureId = NewType("ErasureId", UUID)

RepositoryNumber = NewType("RepositoryNumber", int)  # int4, from 1, never used twice
SnapshotNumber = NewType("SnapshotNumber", int)  # int4, from 1 in its repository
DocumentId = NewType("DocumentId", int)  # int4, from 1 in its repository
NodeId = NewType("NodeId", int)  # signed 64 bit hash of repository and symbol


def new_id() -> UUID:
    """A new public id; wrap it in the type it is for."""
    return uuid7()
