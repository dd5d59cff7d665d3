"""Brings a database to the schema of this release.

First the roles and the schema, as the login itself, which may create them once; then the revisions
in `migrations/`, as the owner role. Both may be run again at any time, by several processes.
"""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config as Configuration
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from graph.errors import CodeloomError
from graph.settings import Settings
from graph.storage.engine import SCHEMA, address, engine
from graph.storage.failures import translated

# What each role is for. None may log in, own more than is said here, or bypass row-level security.
ROLES = {
    "codeloom_owner": "owns the schema and runs the migrations",
    "codeloom_app": "answers requests, inside a tenant",
    "codeloom_worker": "does jobs, inside a tenant",
    "codeloom_authenticator": "may call the function that finds a key, and nothing else",
    "codeloom_dispatcher": "chooses jobs over all tenants",
    "codeloom_operator": "administers tenants",
    "codeloom_eraser": "removes the rows of a tenant that is erased, inside that tenant",
    "codeloom_maintainer": "removes what is past its time, over all tenants",
    "codeloom_keyring": "owns the function that finds a key",
    "codeloom_bookkeeper": "owns the functions that count what tenants use",
}

# Nobody becomes these: they only own functions that others call or fire.
FUNCTION_OWNERS = ("codeloom_keyring", "codeloom_bookkeeper")

# Roles that the login becomes, and what the owner needs to hand the functions over.
_MEMBERSHIPS = [(role, "current_user") for role in ROLES if role not in FUNCTION_OWNERS]
_MEMBERSHIPS += [(role, "codeloom_owner") for role in FUNCTION_OWNERS]

# Roles are shared by all databases of a server, and another one may be migrating right now.
_ATTEMPTS = 5


class MigrationFailed(CodeloomError):
    """The database could not be brought to the schema of this release."""

    code = "migration_failed"
    kind = "internal"


def upgrade(settings: Settings) -> None:
    """The database has the roles, the schema and every revision afterwards.

    Raises MigrationFailed with what is missing, StorageError when the database cannot be reached.
    """
    with translated():
        _prepare(settings)
        owner = engine(settings, "owner")
        with owner.connect() as connection:
            _migrate(connection)
        owner.dispose()


def head_reached(settings: Settings) -> bool:
    """Whether every revision of this release has run.

    Raises StorageError when the database cannot be reached.
    """
    with translated(), engine(settings, "app").connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == set(_heads())


def preparation() -> list[str]:
    """What an administrator runs once in the database, when its login may not create roles.

    Afterwards the login of `DATABASE_URL` has to be granted every role but those of
    `FUNCTION_OWNERS`.
    """
    return [
        *(_create_role(role) for role in ROLES),
        *(_grant_role(role, "codeloom_owner") for role in FUNCTION_OWNERS),
        _create_schema(),
    ]


def _prepare(settings: Settings) -> None:
    # No pool: this is the one connection that runs as the login itself.
    login = create_engine(
        address(settings, "owner"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": settings.database_connect_timeout_seconds},
    )
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with login.connect() as connection:
                for statement in _missing(connection):
                    connection.execute(text(statement))
        except DBAPIError as error:
            if isinstance(error.orig, InsufficientPrivilege):
                raise MigrationFailed(_NOT_ALLOWED) from error
            # Another process was a moment faster; what it made is found the next time.
            if attempt == _ATTEMPTS or isinstance(error.orig, psycopg.OperationalError):
                raise
        else:
            return


_NOT_ALLOWED = (
    "The login of the database may not create the roles and the schema."
    " An administrator has to run `graph.storage.migrate.preparation()` once."
)


def _missing(connection: Connection) -> Iterator[str]:
    """The statements that are still needed; none for a database that is prepared."""
    for role in ROLES:
        if not _true(connection, "select exists (select from pg_roles where rolname = :n)", role):
            yield _create_role(role)
    for role, member in _MEMBERSHIPS:
        user = member if member == "current_user" else f"'{member}'"
        if not _true(connection, f"select pg_has_role({user}, :n, 'set')", role):
            yield _grant_role(role, member)
    if not _true(connection, "select to_regnamespace(:n) is not null", SCHEMA):
        yield _create_schema()


def _true(connection: Connection, query: str, name: str) -> bool:
    return bool(connection.execute(text(query), {"n": name}).scalar_one())


def _create_role(role: str) -> str:
    return (
        f"create role {role} nologin nosuperuser nobypassrls nocreatedb nocreaterole noreplication"
    )


def _grant_role(role: str, member: str) -> str:
    # Without inheritance the login holds no right of the role until it becomes the role.
    return f"grant {role} to {member} with set true, inherit false"


def _create_schema() -> str:
    return f"create schema {SCHEMA} authorization codeloom_owner"


def _migrate(connection: Connection) -> None:
    configuration = _configuration()
    configuration.attributes["connection"] = connection
    try:
        command.upgrade(configuration, "head")
    except CommandError as error:
        raise MigrationFailed("The database has a revision that this release lacks.") from error


@cache
def _heads() -> tuple[str, ...]:
    return tuple(ScriptDirectory.from_config(_configuration()).get_heads())


def _configuration() -> Configuration:
    found = find_spec("migrations")
    if found is None or found.origin is None:
        raise MigrationFailed("The folder `migrations` is not installed.")
    configuration = Configuration()
    configuration.set_main_option("script_location", str(Path(found.origin).parent))
    return configuration
