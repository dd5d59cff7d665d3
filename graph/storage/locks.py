"""Locks by name that live exactly as long as a database session, or as a transaction.

They free themselves when the process that holds them dies, and stay held while it is frozen: so a
job whose worker was stopped and goes on later is never run twice at the same time.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress

import psycopg
from sqlalchemy import Connection, text
from typing_extensions import override

from graph.model.names import LockName
from graph.settings import Settings
from graph.storage.engine import Role, engine
from graph.storage.failures import translated
from graph.storage.own_connection import OwnConnection

# An advisory lock on one 64 bit key is listed as two halves. It belongs to its database.
_HELD = """
select exists (
  select from pg_locks
  where locktype = 'advisory' and granted and objsubid = 1
    and database = (select oid from pg_database where datname = current_database())
    and ((classid::bigint << 32) | objid::bigint) = %s
)
"""
_ALL_HELD = """
select (classid::bigint << 32) | objid::bigint as key from pg_locks
where locktype = 'advisory' and granted and objsubid = 1
  and database = (select oid from pg_database where datname = current_database())
"""
_WAIT = text("select pg_advisory_xact_lock(:key)")
_TRY = text("select pg_try_advisory_xact_lock(:key)")
_LOSE_WHEN_SILENT = "select set_config('idle_session_timeout', %s, false) <> ''"
_HELD_HERE = _HELD.replace("granted", "granted and pid = pg_backend_pid()")


class SessionLock(OwnConnection):
    """An exclusive lock by name; lost when its connection has died."""

    def __init__(
        self,
        settings: Settings,
        name: LockName,
        *,
        role: Role = "worker",
        silent_seconds: float | None = None,
    ) -> None:
        """Connected afterwards, but not holding the lock.

        With `silent_seconds`, whoever asks nothing of it for so long loses it: also one that is
        frozen and could not let go of it.
        """
        super().__init__(settings, role)
        self._key = _key(name)
        if silent_seconds is not None:
            self._ask(_LOSE_WHEN_SILENT, f"{1000 * silent_seconds:.0f}ms")

    def acquire(self) -> bool:
        """Whether the lock is held afterwards; never waits. Once is enough: locks add up."""
        return self._ask("select pg_try_advisory_lock(%s)", self._key)

    def held(self) -> bool:
        """Whether the session that took the lock still lives and holds it."""
        return self._ask(_HELD_HERE, self._key)

    @override
    def close(self) -> None:
        """Free the lock and end its session; a second time does nothing."""
        # Said aloud, because the server notices the end of a session a little later. If it cannot
        # be said, the session is over and the lock is free, or soon will be.
        with suppress(psycopg.Error):
            self._connection.execute("select pg_advisory_unlock_all()")
        super().close()

    def _ask(self, query: str, value: int | str) -> bool:
        with translated():
            row = self._connection.execute(query.encode(), [value]).fetchone()
        return row is not None and bool(row[0])


def is_held(settings: Settings, name: LockName, *, role: Role = "app") -> bool:
    """Whether any session holds the lock; raises StorageError when the database is away."""
    with translated(), engine(settings, role).connect() as connection:
        return bool(connection.exec_driver_sql(_HELD, (_key(name),)).scalar_one())


def held_among(settings: Settings, names: Iterable[LockName], *, role: Role) -> set[LockName]:
    """Those of the locks that any session holds; raises StorageError when the database is away."""
    with translated(), engine(settings, role).connect() as connection:
        held = {row.key for row in connection.exec_driver_sql(_ALL_HELD)}
    return {name for name in names if _key(name) in held}


def wait_for(conn: Connection, name: LockName) -> None:
    """Nobody else passes here with this name until the transaction ends."""
    conn.execute(_WAIT, {"key": _key(name)})


def try_for(conn: Connection, name: LockName) -> bool:
    """Whether nobody else holds the name now, or will until the transaction ends; never waits."""
    return bool(conn.execute(_TRY, {"key": _key(name)}).scalar_one())


def _key(name: LockName) -> int:
    """The 64 bits PostgreSQL wants; two names meet with a chance of one in 10^19."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
