"""What the driver raises, in the words of the house.

Other rooms may not know the driver, so nothing of it leaves this one: every door of storage is
wrapped in `translated`. The driver's text stays in the chain of causes, for our logs only, because
it can quote rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy.exc

from graph.errors import StorageError, StorageRefused

# A role may not see or do this: always a mistake of ours, worth a sentence of its own.
_INSUFFICIENT_PRIVILEGE = "42501"


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver leave the block as StorageError (try again) or StorageRefused."""
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise _translation(error.orig, lost=error.connection_invalidated) from error
    except sqlalchemy.exc.TimeoutError as error:
        raise StorageError("No connection to the database was free in time.") from error
    except psycopg.Error as error:
        raise _translation(error, lost=False) from error


def _translation(cause: BaseException | None, *, lost: bool) -> StorageError | StorageRefused:
    # psycopg counts as operational what another try may heal: a lost connection, a timeout, a
    # deadlock, a full disk, a server that is starting or stopping.
    if lost or isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return StorageError()
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    if state == _INSUFFICIENT_PRIVILEGE:
        return StorageRefused("The database refused access to a row or table.")
    return StorageRefused(f"The database refused a statement (SQLSTATE {state}).")
