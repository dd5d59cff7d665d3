"""Repositories that a tenant registered.

Wide tables refer to a repository by its `number`; the outside knows its id. A removed repository
keeps its row, without which its number could not be told from a free one while its graph is being
purged.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from graph.errors import (
    RepositoryAlreadyRegistered,
    RepositoryNotFound,
    TenantValidationError,
)
from graph.model.ids import RepositoryId, RepositoryNumber, new_id
from graph.storage import counters
from graph.storage.schema import metadata, moment, tenant_column
from graph.storage.session import tenant_of

repositories = Table(
    "repositories",
    metadata,
    tenant_column(),
    Column("number", Integer, primary_key=True),
    Column("repository_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    # As git takes it; `file:///path` for a repository on this machine.
    Column("url", Text, nullable=False),
    # Without it, whatever the remote calls its HEAD.
    Column("default_ref", Text),
    moment("created_at", default_now=True),
    moment("deleted_at"),
    UniqueConstraint("tenant_id", "repository_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)
Index(
    "repositories_url",
    repositories.c.tenant_id,
    repositories.c.url,
    unique=True,
    postgresql_where=repositories.c.deleted_at.is_(None),
)

# Here and not with the jobs: it belongs to the same step, and jobs already know repositories.
_CANCEL_JOBS = text("""
-- Children are locked before their parents: one that ends asks for the row of its parent.
with unfinished as materialized (
  select tenant_id, job_id from jobs
  where tenant_id = :tenant_id and repository = :repository
    and state in ('queued', 'dispatched', 'running', 'waiting')
  order by parent_job_id is null, job_id for no key update
)
update jobs j
set state = 'cancelled', finished_at = now(), lease_owner = null, lease_until = null
from unfinished u where j.tenant_id = u.tenant_id and j.job_id = u.job_id
""")

_NAME_LENGTH = 200
_URL_BYTES = 2048
_REF_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Repository:
    """A registered repository."""

    id: RepositoryId
    number: RepositoryNumber
    name: str
    url: str
    default_ref: str | None
    created_at: datetime
    # Gone for every reader; what is left of it is about to be purged.
    removed: bool = False

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, from which nothing has to be fetched."""
        return self.url.startswith("file:")


def register(
    conn: Connection, *, url: str, name: str, default_ref: str | None = None
) -> Repository:
    """A new repository of the tenant; nothing is fetched yet.

    Raises RepositoryAlreadyRegistered for a second one of the same address, TenantValidationError
    for a name, address or ref of impossible length. The session raises QuotaExceeded when it
    commits and the plan allows no more (see `usage`).
    """
    _check_lengths(url=url, name=name, default_ref=default_ref)
    number = counters.take(conn, name="repositories")
    values = {
        "tenant_id": tenant_of(conn),
        "number": number,
        "repository_id": new_id(),
        "name": name,
        "url": url,
        "default_ref": default_ref,
    }
    query = insert(repositories).values(values).on_conflict_do_nothing().returning(repositories)
    row = conn.execute(query).first()
    if row is None:
        raise RepositoryAlreadyRegistered
    return _repository(row)


def get(conn: Connection, *, repository_id: RepositoryId, lock: bool = False) -> Repository:
    """The repository; raises RepositoryNotFound, also for a removed one.

    With `lock`, nobody else changes it before the transaction ends.
    """
    query = _present(conn).where(repositories.c.repository_id == repository_id)
    if lock:
        query = query.with_for_update()
    return _found(conn.execute(query).first())


def by_number(
    conn: Connection, *, number: RepositoryNumber, removed_too: bool = False
) -> Repository:
    """The repository with this number; raises RepositoryNotFound, unless asked also for removed."""
    among = _every(conn) if removed_too else _present(conn)
    return _found(conn.execute(among.where(repositories.c.number == number)).first())


def removed_or_not(conn: Connection, *, repository_id: RepositoryId) -> Repository:
    """The repository, also after its removal, as long as its row is there.

    Raises RepositoryNotFound.
    """
    query = _every(conn).where(repositories.c.repository_id == repository_id)
    return _found(conn.execute(query).first())


def find_by_url(conn: Connection, *, url: str) -> Repository | None:
    """The repository that is registered under this address."""
    row = conn.execute(_present(conn).where(repositories.c.url == url)).first()
    return _repository(row) if row is not None else None


def list_page(
    conn: Connection, *, after: RepositoryId | None = None, limit: int
) -> list[Repository]:
    """A page of the tenant's repositories, oldest first."""
    query = _present(conn).order_by(repositories.c.repository_id).limit(limit)
    if after is not None:
        query = query.where(repositories.c.repository_id > after)
    return [_repository(row) for row in conn.execute(query)]


def change(
    conn: Connection,
    *,
    repository_id: RepositoryId,
    name: str | None = None,
    default_ref: str | None = None,
) -> Repository:
    """The repository with what is given changed; raises RepositoryNotFound."""
    values = {
        column: value
        for column, value in (("name", name), ("default_ref", default_ref))
        if value is not None
    }
    current = get(conn, repository_id=repository_id)
    if not values:
        return current
    _check_lengths(
        url=current.url, name=name or current.name, default_ref=default_ref or current.default_ref
    )
    query = (
        update(repositories)
        .where(
            repositories.c.tenant_id == tenant_of(conn),
            repositories.c.number == current.number,
            repositories.c.deleted_at.is_(None),
        )
        .values(values)
        .returning(repositories)
    )
    return _found(conn.execute(query).first())


def delete(conn: Connection, *, repository_id: RepositoryId) -> Repository:
    """The repository is gone for every reader, its jobs are cancelled, its address is free again.

    Its graph stays until it is purged. Raises RepositoryNotFound.
    """
    query = (
        update(repositories)
        .where(
            repositories.c.tenant_id == tenant_of(conn),
            repositories.c.repository_id == repository_id,
            repositories.c.deleted_at.is_(None),
        )
        .values(deleted_at=func.now())
        .returning(repositories)
    )
    removed = _found(conn.execute(query).first())
    conn.execute(_CANCEL_JOBS, {"tenant_id": tenant_of(conn), "repository": removed.number})
    return removed


def _every(conn: Connection) -> Select[Any]:
    return select(repositories).where(repositories.c.tenant_id == tenant_of(conn))


def _present(conn: Connection) -> Select[Any]:
    return _every(conn).where(repositories.c.deleted_at.is_(None))


def _check_lengths(*, url: str, name: str, default_ref: str | None) -> None:
    if not 0 < len(name) <= _NAME_LENGTH or "\0" in name:
        raise TenantValidationError(f"A repository's name has 1 to {_NAME_LENGTH} characters.")
    if not 0 < len(url.encode("utf-8", "replace")) <= _URL_BYTES or "\0" in url:
        raise TenantValidationError(f"A repository's address has 1 to {_URL_BYTES} bytes.")
    if default_ref is not None and (
        not 0 < len(default_ref.encode("utf-8", "replace")) <= _REF_BYTES or "\0" in default_ref
    ):
        raise TenantValidationError(f"A ref has 1 to {_REF_BYTES} bytes.")


def _found(row: Row[Any] | None) -> Repository:
    if row is None:
        raise RepositoryNotFound
    return _repository(row)


def _repository(row: Row[Any]) -> Repository:
    return Repository(
        id=RepositoryId(row.repository_id),
        number=RepositoryNumber(row.number),
        name=row.name,
        url=row.url,
        default_ref=row.default_ref,
        created_at=row.created_at,
        removed=row.deleted_at is not None,
    )
