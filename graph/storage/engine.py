"""Connections to PostgreSQL: one pool per role, and every connection runs as its role.

The role, the schema and the timeouts are start-up options of the connection, so there is no moment
at which it could do more. `RESET ROLE` returns to the same role; a login that is a member of one
role only (the `database_*_url` settings) is the stronger form for a service.
"""

import os
import select
from functools import cache
from typing import Any, Literal

import psycopg
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from graph.errors import SettingMissing
from graph.settings import Settings

Role = Literal[
    "owner",
    "app",
    "worker",
    "authenticator",
    "dispatcher",
    "operator",
    "eraser",
    "maintainer",
]

SCHEMA = "codeloom"

_SECONDS = 1000
_MINUTES = 60 * _SECONDS

# What a role may spend on one statement, on waiting for a lock, and idle inside a transaction, in
# milliseconds. A worker's statement inserts a batch of rows; an application's answers a person.
_TIMEOUTS: dict[Role, tuple[int, int, int]] = {
    "owner": (10 * _MINUTES, 10 * _SECONDS, 10 * _MINUTES),
    "app": (10 * _SECONDS, 3 * _SECONDS, 30 * _SECONDS),
    "worker": (10 * _MINUTES, 60 * _SECONDS, 5 * _MINUTES),
    "authenticator": (2 * _SECONDS, 1 * _SECONDS, 5 * _SECONDS),
    # Its transactions wait for nothing outside of the database: one that is idle is of a process
    # that was frozen, and what it holds is what another dispatcher needs.
    "dispatcher": (10 * _SECONDS, 3 * _SECONDS, 5 * _SECONDS),
    "operator": (30 * _SECONDS, 10 * _SECONDS, 60 * _SECONDS),
    # Deletes a batch of rows at a time, and is never in a hurry.
    "eraser": (2 * _MINUTES, 10 * _SECONDS, 60 * _SECONDS),
    "maintainer": (2 * _MINUTES, 10 * _SECONDS, 60 * _SECONDS),
}

# Seconds of silence before a peer is asked whether it is there, between two questions, and how many
# may stay without an answer.
_KEEPALIVES = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}


def engine(settings: Settings, role: Role) -> Engine:
    """The pool of this process for a role.

    Raises SettingMissing when there is no database or its address cannot be read.
    """
    url = address(settings, role)
    arguments = url.render_as_string(hide_password=False), role, settings.database_pool_size
    # The process id: a forked child must not speak on its parent's connections.
    return _engine(*arguments, settings.database_connect_timeout_seconds, os.getpid())


def dedicated(settings: Settings, role: Role) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection outside any pool, for what lives as long as a session: locks and listening.

    Every statement is its own transaction. The caller closes it.
    """
    url = address(settings, role)
    plain = url.set(drivername="postgresql").difference_update_query(["options"])
    return psycopg.connect(
        plain.render_as_string(hide_password=False),
        autocommit=True,
        **_arguments(url, role, settings.database_connect_timeout_seconds),
    )


def dispose(settings: Settings) -> None:
    """Close the idle connections of this process to the database of these settings."""
    for role in _TIMEOUTS:
        engine(settings, role).dispose()


def address(settings: Settings, role: Role) -> URL:
    """Where connections of a role go, in the form of SQLAlchemy."""
    given = getattr(settings, f"database_{role}_url") or settings.database_url
    if given is None:
        raise SettingMissing("DATABASE_URL is not set.")
    try:
        url = make_url(given)
    except ArgumentError:
        # Without its cause, whose text quotes the address with its password.
        raise SettingMissing("DATABASE_URL is not an address of a database.") from None
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingMissing("DATABASE_URL must begin with postgresql://")
    return url.set(drivername="postgresql+psycopg")


def options(role: Role) -> str:
    """The start-up options of a connection that runs as the role."""
    statement, lock, idle = _TIMEOUTS[role]
    values = {
        "role": f"codeloom_{role}",
        # Temporary tables come last, so that none can stand in for a table of ours.
        "search_path": f"{SCHEMA},pg_temp",
        "statement_timeout": statement,
        "lock_timeout": lock,
        "idle_in_transaction_session_timeout": idle,
        "timezone": "UTC",
        # A client whose host vanished is noticed in about half a minute; its locks are free then.
        "tcp_keepalives_idle": _KEEPALIVES["keepalives_idle"],
        "tcp_keepalives_interval": _KEEPALIVES["keepalives_interval"],
        "tcp_keepalives_count": _KEEPALIVES["keepalives_count"],
        # Compiling a plan costs more than any statement of ours takes.
        "jit": "off",
    }
    return " ".join(f"-c {name}={value}" for name, value in values.items())


@cache
def _engine(url: str, role: Role, size: int, connect_timeout: int, _process: int) -> Engine:
    parsed = make_url(url)
    made = create_engine(
        parsed.difference_update_query(["options"]),
        connect_args=_arguments(parsed, role, connect_timeout),
        pool_size=size,
        max_overflow=size,
        pool_timeout=10,
        # A value in a log line is a value of a tenant.
        hide_parameters=True,
    )
    event.listen(made, "checkout", _still_alive)
    return made


def _still_alive(connection: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
    """Raises DisconnectionError for a connection that has ended, which the pool then replaces.

    The pool's own ping costs three messages to the server and back before each use. From an idle
    connection nothing comes unless it ended or the server has something to say: only then is it
    asked. Of a host that vanished without a word, the keepalives tell.
    """
    poll = select.poll()
    try:
        poll.register(connection.fileno(), select.POLLIN | select.POLLRDHUP)
        if poll.poll(0):
            connection.execute("select 1")
            connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error


def _arguments(url: URL, role: Role, connect_timeout: int) -> dict[str, Any]:
    given = url.query.get("options", "")
    return {
        # An operator's own options come first, so that ours win.
        "options": f"{given} {options(role)}".strip(),
        "connect_timeout": connect_timeout,
        "application_name": f"codeloom {role}",
        # A server that vanished is noticed as soon as it would notice us.
        **_KEEPALIVES,
        "tcp_user_timeout": 30 * _SECONDS,
    }
