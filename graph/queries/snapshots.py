"""Which snapshot answers, what it covers, and which snapshots there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from graph.errors import CodeloomError, RepositoryNotFound, SnapshotNotFound
from graph.model.ids import JobId, RepositoryId, RepositoryNumber, SnapshotId, SnapshotNumber
from graph.queries.page import Key, Page
from graph.storage.session import tenant_of


class SelectionAmbiguous(CodeloomError):
    """Only one of ref, commit and snapshot can choose what answers."""

    code = "snapshot_selection_ambiguous"
    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a caller says about the snapshot; nothing means the head of the default ref."""

    ref: str | None = None
    commit: str | None = None
    snapshot_id: SnapshotId | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of its commit a snapshot knows."""

    files: int
    parsed: int
    skipped: Mapping[str, int]
    unresolved_ratio: float


@dataclass(frozen=True, slots=True)
class PublishedSnapshot:
    """A snapshot as it is told about."""

    id: SnapshotId
    number: SnapshotNumber
    repository_id: RepositoryId
    repository: RepositoryNumber
    commit: str
    ref: str | None
    published_at: datetime
    pipeline: str
    job_id: JobId
    nodes: int
    edges: int
    report: Mapping[str, Any]

    @property
    def coverage(self) -> Coverage:
        """Read from the report, which was written in the transaction that published."""
        files: Mapping[str, Any] = self.report.get("files", {})
        skipped = {reason: int(count) for reason, count in files.get("skipped", {}).items()}
        references: Mapping[str, int] = self.report.get("references", {})
        total = sum(references.values())
        return Coverage(
            files=int(files.get("total", 0)),
            parsed=int(files.get("total", 0)) - sum(skipped.values()),
            skipped=skipped,
            unresolved_ratio=references.get("unresolved", 0) / total if total else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """One snapshot, open for reads in the transaction of one tenant."""

    connection: Connection
    snapshot: PublishedSnapshot
    parameters: Mapping[str, Any] = field(repr=False)

    def rows(self, statement: TextClause, /, **values: Any) -> list[Row[Any]]:  # noqa: ANN401
        """What a statement finds, which may name the tenant, repository and snapshot."""
        return list(self.connection.execute(statement, {**self.parameters, **values}))


def statement(template: str, **parts: str) -> TextClause:
    """SQL text out of parts that stand in our code; values are always parameters."""
    return text(template.format(**parts))


# A document belongs to the snapshot. Adding nothing to the set makes a copy in memory, so that a
# large one is not unpacked again for every row that it is asked about.
MEMBER = """<@ (
  select s.documents + '{}'::int4multirange from snapshots s
  where s.tenant_id = :tenant and s.repository = :repository and s.snapshot = :snapshot
)"""

_COLUMNS = """
  s.snapshot_id, s.snapshot, r.repository_id, s.repository, s.commit_sha, s.published_at,
  s.pipeline, s.job_id, s.node_count, s.edge_count, s.report
"""

# The head of a ref; the default ref is the repository's own, or what its remote calls HEAD. A
# snapshot that several refs share is answered under the one that was asked for.
_BY_REF = statement(
    """
select {columns}, coalesce(cast(:ref as text), s.ref) as ref
from repositories r
join refs f on f.tenant_id = r.tenant_id and f.repository = r.number
  and f.name = coalesce(cast(:ref as text), r.default_ref, 'HEAD')
join snapshots s on s.tenant_id = f.tenant_id and s.repository = f.repository
  and s.snapshot = f.head
where r.tenant_id = :tenant and r.repository_id = :repository_id and r.deleted_at is null
""",
    columns=_COLUMNS,
)

# The newest snapshot of a commit: a commit has several after a change of the pipeline.
_BY_COMMIT = statement(
    """
select {columns}, s.ref
from repositories r
join snapshots s on s.tenant_id = r.tenant_id and s.repository = r.number
where r.tenant_id = :tenant and r.repository_id = :repository_id and r.deleted_at is null
  and s.commit_sha = :commit
order by s.snapshot desc
limit 1
""",
    columns=_COLUMNS,
)

_BY_ID = statement(
    """
select {columns}, s.ref
from snapshots s
join repositories r on r.tenant_id = s.tenant_id and r.number = s.repository
where s.tenant_id = :tenant and s.snapshot_id = :snapshot_id and r.deleted_at is null
  and (cast(:repository_id as uuid) is null or r.repository_id = :repository_id)
""",
    columns=_COLUMNS,
)

# All snapshots of a repository, newest first.
_LIST = statement(
    """
select {columns}, s.ref
from repositories r
join snapshots s on s.tenant_id = r.tenant_id and s.repository = r.number
where r.tenant_id = :tenant and r.repository_id = :repository_id
  and (cast(:before as integer) is null or s.snapshot < :before)
  and (cast(:ref as text) is null or s.ref = :ref)
  and (cast(:commit as text) is null or s.commit_sha = :commit)
order by s.snapshot desc
limit :limit
""",
    columns=_COLUMNS,
)

_REPOSITORY = text("""
select 1 from repositories
where tenant_id = :tenant and repository_id = :repository_id and deleted_at is null
""")


def open_reading(
    connection: Connection,
    *,
    repository_id: RepositoryId,
    selection: Selection,
) -> Reading:
    """The chosen snapshot of a repository, open for reading.

    Raises RepositoryNotFound, SnapshotNotFound when nothing is published for the choice, and
    SelectionAmbiguous when more than one thing was chosen by.
    """
    chosen = [selection.ref, selection.commit, selection.snapshot_id]
    if sum(choice is not None for choice in chosen) > 1:
        raise SelectionAmbiguous
    values: dict[str, Any] = {"tenant": tenant_of(connection), "repository_id": repository_id}
    if selection.snapshot_id is not None:
        found = connection.execute(_BY_ID, {**values, "snapshot_id": selection.snapshot_id})
    elif selection.commit is not None:
        found = connection.execute(_BY_COMMIT, {**values, "commit": selection.commit})
    else:
        found = connection.execute(_BY_REF, {**values, "ref": selection.ref})
    row = found.first()
    if row is None:
        _require(connection, repository_id)
        raise SnapshotNotFound
    return _reading(connection, row)


def get(connection: Connection, *, snapshot_id: SnapshotId) -> PublishedSnapshot:
    """A snapshot by its id alone; raises SnapshotNotFound."""
    values = {
        "tenant": tenant_of(connection),
        "snapshot_id": snapshot_id,
        "repository_id": None,
    }
    row = connection.execute(_BY_ID, values).first()
    if row is None:
        raise SnapshotNotFound
    return _snapshot(row)


def list_all(
    connection: Connection,
    *,
    repository_id: RepositoryId,
    ref: str | None = None,
    commit: str | None = None,
    after: Key | None = None,
    limit: int,
) -> Page[PublishedSnapshot]:
    """The snapshots of a repository, newest first; raises RepositoryNotFound."""
    _require(connection, repository_id)
    values = {
        "tenant": tenant_of(connection),
        "repository_id": repository_id,
        "ref": ref,
        "commit": commit,
        "before": after[0] if after else None,
        "limit": limit + 1,
    }
    found = [_snapshot(row) for row in connection.execute(_LIST, values)]
    return Page.cut(found, limit, lambda snapshot: (snapshot.number,))


def _require(connection: Connection, repository_id: RepositoryId) -> None:
    values = {"tenant": tenant_of(connection), "repository_id": repository_id}
    if connection.execute(_REPOSITORY, values).first() is None:
        raise RepositoryNotFound


def _reading(connection: Connection, row: Row[Any]) -> Reading:
    parameters = {
        "tenant": tenant_of(connection),
        "repository": row.repository,
        "snapshot": row.snapshot,
    }
    return Reading(connection, _snapshot(row), parameters)


def _snapshot(row: Row[Any]) -> PublishedSnapshot:
    return PublishedSnapshot(
        id=SnapshotId(row.snapshot_id),
        number=SnapshotNumber(row.snapshot),
        repository_id=RepositoryId(row.repository_id),
        repository=RepositoryNumber(row.repository),
        commit=row.commit_sha,
        ref=row.ref,
        published_at=row.published_at,
        pipeline=row.pipeline,
        job_id=JobId(row.job_id),
        nodes=row.node_count,
        edges=row.edge_count,
        report=row.report,
    )
