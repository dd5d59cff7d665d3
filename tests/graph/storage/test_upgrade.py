"""A database that was in use when a release came: every row is kept, and counted as it is."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import make_url

from graph.model.ids import TenantId, new_id
from graph.settings import Settings
from graph.storage import migrate, usage
from graph.storage.engine import dispose, engine
from graph.storage.session import tenant_session
from tests.servers import Servers

ENDED = ("succeeded", "failed", "cancelled", "superseded", "dead")
HASH = b"h" * 32


@pytest.fixture
def old(empty_database_url: str, settings: Settings) -> Iterator[Settings]:
    """A database of the first release."""
    found = settings.model_copy(update={"database_url": empty_database_url})
    migrate._prepare(found)
    configuration = migrate._configuration()
    with engine(found, "owner").connect() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0001")
    yield found
    dispose(found)


def insert(connection: psycopg.Connection, table: str, **values: object) -> None:
    connection.execute(
        sql.SQL("insert into codeloom.{} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        ),
        values,
    )


def fill(connection: psycopg.Connection, tenant: UUID) -> None:
    """A tenant with keys that work and that do not, two repositories, files and jobs."""
    insert(connection, "tenants", tenant_id=tenant, name="old", plan="standard")
    for number, revoked in enumerate([None, None, "2026-01-01"]):
        key = {"name": f"key {number}", "secret_hash": HASH, "last_characters": "abcd"}
        ids = {"tenant_id": tenant, "key_id": new_id(), "scopes": ["read"]}
        insert(connection, "api_keys", **ids, **key, revoked_at=revoked)
    for number, deleted in ((1, None), (2, "2026-01-01")):
        url = f"https://example.org/{number}"
        ids = {"tenant_id": tenant, "number": number, "repository_id": new_id()}
        insert(connection, "repositories", **ids, name="r", url=url, deleted_at=deleted)
        insert(
            connection,
            "artifacts",
            tenant_id=tenant,
            kind="facts",
            repository=number,
            sha256=bytes([number]) * 32,
            size_bytes=100 * number,
        )
        for document in (1, 2, 3):
            insert(connection, "documents", **document_of(tenant, number, document))
    for state in ("queued", "dispatched", "running", *ENDED):
        insert(connection, "jobs", **job_of(tenant, state))


def document_of(tenant: UUID, repository: int, document: int) -> dict[str, object]:
    path = f"{document}.py"
    numbers = dict.fromkeys(("resolved", "external", "unresolved", "edge_count"), 0)
    return {
        "tenant_id": tenant, "repository": repository, "document": document,
        "key": bytes([document]) * 16, "path_hash": document, "path": path.encode(),
        "display_path": path, "blob_sha": HASH, "fingerprint": HASH, "resolution": HASH,
        "status": "parsed", "lines": 10, "size_bytes": 100, "node_count": 7, **numbers,
    }  # fmt: skip


def job_of(tenant: UUID, state: str) -> dict[str, object]:
    lives = state in {"dispatched", "running"}
    return {
        "tenant_id": tenant, "job_id": new_id(), "kind": "ingest", "repository": 1, "ref": "main",
        "flight": f"ingest:{state}", "request_fingerprint": HASH, "state": state,
        "epoch": 0 if state == "queued" else 1,
        "lease_until": "2026-01-01" if lives else None,
        "started_at": None if state in {"queued", "dispatched"} else "2026-01-01",
        "finished_at": "2026-01-02" if state in ENDED else None,
    }  # fmt: skip


def jobs_by_state(connection: psycopg.Connection) -> dict[object, int]:
    return dict(connection.execute("select state, count(*) from codeloom.jobs group by state"))


def test_every_row_is_kept_and_counted(old: Settings, real_servers: Servers) -> None:
    tenants = [TenantId(new_id()), TenantId(new_id())]
    database = {"dbname": make_url(str(old.database_url)).database}
    # Whom no fence holds.
    with psycopg.connect(real_servers.superuser_url, autocommit=True, **database) as superuser:
        for tenant in tenants:
            fill(superuser, tenant)
        states = jobs_by_state(superuser)
        assert sum(states.values()) == 16
        migrate.upgrade(old)
        assert jobs_by_state(superuser) == states
    assert migrate.head_reached(old)
    for tenant in tenants:
        with tenant_session(tenant, settings=old) as session:
            assert usage.recompute(session) == []
            found = {each.resource.name: each.used for each in usage.of_tenant(session).standings}
        assert (found["repositories"], found["api_keys"], found["files"]) == (1, 2, 6)
        assert (found["lines"], found["nodes"], found["stored_bytes"]) == (60, 42, 300)
        assert (found["queued_jobs"], found["running_jobs"]) == (1, 2)
