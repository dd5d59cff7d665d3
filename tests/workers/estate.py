"""A tenant that has something of everything, and the eyes to look for what is left of it."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from graph.model import names
from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import (
    artifact_rows,
    audit,
    idempotency,
    jobs,
    pending,
    retention,
    tenants,
)
from graph.storage.artifacts import Artifact, artifact_key, open_store
from graph.storage.engine import SCHEMA
from graph.storage.erasing import TABLES
from graph.storage.session import system_session, tenant_session
from tests import seeding
from tests.servers import Servers

# A row is there only while the transaction that wrote it is under way.
PASSING = {"charges"}
# What may tell of an erased tenant: that it was.
EVIDENCE = {"erasures", "operator_events"}
Counts = dict[str, int]


class Estates:
    """Tenants with everything, seen by somebody whom no fence stops."""

    def __init__(self, settings: Settings, real_servers: Servers) -> None:
        assert settings.database_url
        self.settings = settings
        database = urlsplit(settings.database_url).path.removeprefix("/")
        self._database = psycopg.connect(
            real_servers.superuser_url,
            dbname=database,
            autocommit=True,
            options=f"-c search_path={SCHEMA}",
        )
        assert settings.redis_url
        self.redis = redis.Redis.from_url(settings.redis_url)
        self.folder = Path(str(settings.artifacts_url).removeprefix("file://"))

    def close(self) -> None:
        self._database.close()
        self.redis.close()

    def make(self, name: str) -> TenantId:
        """A tenant with rows in every table, objects of two kinds and keys in Redis."""
        settings = self.settings
        with system_session("administration", settings=settings) as conn:
            tenant_id = tenants.create(conn, name=name).id
        shop = seeding.shop(settings, tenant_id)
        with tenant_session(tenant_id, settings=settings) as conn:
            actor = audit.Actor("system", None)
            for _ in range(3):
                audit.record(conn, actor=actor, action="try")
            idempotency.begin(conn, key="a key", fingerprint=bytes(32))
        self._archive(tenant_id)
        self._store(tenant_id, shop.repository.number)
        self._announce(tenant_id)
        for number in range(7):
            self.redis.set(names.redis_key(tenant_id, "rate", str(number)), "1", ex=600)
        self.redis.xadd(names.redis_key(tenant_id, "events"), {"event": "{}"})
        counts = self.counts(tenant_id)
        forgotten = {table.name for table in TABLES} - counts.keys() - PASSING
        assert forgotten == set(), "a tenant that has something of everything has rows there too"
        return tenant_id

    def _archive(self, tenant_id: TenantId) -> None:
        with tenant_session(tenant_id, settings=self.settings) as conn:
            audit.record(conn, actor=audit.Actor("system", None), action="long_ago")
        old = datetime.now(UTC) - timedelta(days=4000)
        self._database.execute(
            "update audit_events set at = %s where tenant_id = %s and action = 'long_ago'",
            [old, tenant_id],
        )
        store = open_store(self.settings.artifacts)
        with tenant_session(tenant_id, role="maintainer", settings=self.settings) as conn:
            moved = retention.archive_audit_events(conn, store, days=365, batch=10)
        assert moved == 1

    def _store(self, tenant_id: TenantId, repository: int) -> None:
        store = open_store(self.settings.artifacts)
        for number in range(5):
            body = f"{tenant_id} {number}".encode()
            digest = hashlib.sha256(body).digest()
            store.put_if_absent(artifact_key(tenant_id, "facts", digest), [body])
            artifact = Artifact("facts", digest, len(body))
            with tenant_session(tenant_id, role="worker", settings=self.settings) as conn:
                artifact_rows.record(conn, artifact=artifact, repository=repository)  # type: ignore[arg-type]

    def _announce(self, tenant_id: TenantId) -> None:
        """What a worker was about to store when it was killed."""
        with tenant_session(tenant_id, role="worker", settings=self.settings) as conn:
            job_id = jobs.list_page(conn, limit=1)[0].id
            pending.discard(conn, [pending.Pending(job_id, 1, "facts", bytes(32))])

    def counts(self, tenant_id: TenantId) -> Counts:
        """Rows of the tenant by table; tables without any are not named."""
        found = {}
        for table in [*(table.name for table in TABLES), "tenants"]:
            query = f"select count(*) from {table} where tenant_id = %s"
            row = self._database.execute(query.encode(), [tenant_id]).fetchone()
            assert row
            if row[0]:
                found[table] = row[0]
        return found

    def objects(self, tenant_id: TenantId) -> dict[str, tuple[int, int]]:
        """Objects of the tenant and their bytes, by kind."""
        found: dict[str, tuple[int, int]] = {}
        for each in open_store(self.settings.artifacts).list(tenant_id):
            kind = names.kind_of_object(each.key)
            number, size = found.get(kind, (0, 0))
            found[kind] = number + 1, size + each.size_bytes
        return found

    def redis_keys(self, tenant_id: TenantId) -> int:
        return len(list(self.redis.scan_iter(match=f"*{tenant_id}*")))

    def digest(self, tenant_id: TenantId) -> dict[str, str]:
        """All that the tenant has, table by table and elsewhere, as it is to the last byte."""
        found = {}
        for table in [*(table.name for table in TABLES), "tenants"]:
            query = (
                f"select md5(coalesce(string_agg(t::text, '|' order by t::text), ''))"
                f" from {table} t where tenant_id = %s"
            )
            row = self._database.execute(query.encode(), [tenant_id]).fetchone()
            assert row
            found[table] = row[0]
        place = self.folder / names.object_prefix(tenant_id)
        files = {
            str(path): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()
        }
        found["objects"] = hashlib.sha256(repr(files).encode()).hexdigest()
        keys = sorted(self.redis.scan_iter(match=f"*{tenant_id}*"))
        found["redis"] = repr([(key, self.redis.dump(key)) for key in keys])
        return found

    def traces(self, tenant_id: TenantId) -> list[str]:
        """Every place that still holds the tenant's id, wherever it may stand."""
        word = str(tenant_id)
        tables = self._database.execute(
            "select relname from pg_class where relkind in ('r', 'p')"
            " and relnamespace = %s::regnamespace",
            [SCHEMA],
        ).fetchall()
        found = [
            f"table {name}"
            for (name,) in tables
            if name not in EVIDENCE
            and self._database.execute(
                f"select 1 from {name} t where strpos(t::text, %s) > 0 limit 1".encode(), [word]
            ).fetchone()
        ]
        for path in self.folder.rglob("*"):
            held = path.is_file() and word.encode() in path.read_bytes()
            if word in str(path) or held:
                found.append(f"object {path}")
        found += [f"key {key!r}" for key in self.redis.scan_iter() if word.encode() in key]
        return found
