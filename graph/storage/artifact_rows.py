"""Which artifacts a tenant has: the rows about what `artifacts` keeps.

The row is written after the bytes, so that a row without bytes is an alarm and bytes without a
row are merely rubbish.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from graph.errors import ArtifactNotFound
from graph.model.ids import RepositoryNumber
from graph.storage.artifacts import Artifact
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

artifacts = Table(
    "artifacts",
    metadata,
    tenant_column(),
    Column("kind", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("repository", Integer),
    moment("created_at", default_now=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    ForeignKeyConstraint(
        ["tenant_id", "repository"], ["repositories.tenant_id", "repositories.number"]
    ),
)


def record(
    conn: Connection, *, artifact: Artifact, repository: RepositoryNumber | None = None
) -> None:
    """The tenant has this artifact; a second time, it is as young as a new one."""
    new = insert(artifacts).values(
        tenant_id=tenant_of(conn),
        kind=artifact.kind,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        repository=repository,
    )
    # So a purge that is under way sees that it is wanted again.
    young = {"created_at": func.now()}
    keys = ["tenant_id", "kind", "sha256"]
    conn.execute(new.on_conflict_do_update(index_elements=keys, set_=young))


def get(conn: Connection, *, kind: str, sha256: bytes) -> Artifact:
    """The artifact, if the tenant has it; raises ArtifactNotFound."""
    row = conn.execute(
        select(artifacts).where(
            artifacts.c.tenant_id == tenant_of(conn),
            artifacts.c.kind == kind,
            artifacts.c.sha256 == sha256,
        )
    ).first()
    if row is None:
        raise ArtifactNotFound
    return _artifact(row)


def of_repository(conn: Connection, *, repository: RepositoryNumber) -> list[Artifact]:
    """The artifacts that were made for a repository, oldest first."""
    query = (
        select(artifacts)
        .where(artifacts.c.tenant_id == tenant_of(conn), artifacts.c.repository == repository)
        .order_by(artifacts.c.created_at, artifacts.c.sha256)
    )
    return [_artifact(row) for row in conn.execute(query)]


def forget(conn: Connection, *, kind: str, sha256: bytes) -> None:
    """The tenant has no such artifact; remove the object after this has been committed."""
    conn.execute(
        delete(artifacts).where(
            artifacts.c.tenant_id == tenant_of(conn),
            artifacts.c.kind == kind,
            artifacts.c.sha256 == sha256,
        )
    )


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(kind=row.kind, sha256=row.sha256, size_bytes=row.size_bytes)
