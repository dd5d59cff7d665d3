"""What the driver raises, in the words of the house.

Other rooms may not know the driver, so nothing of it leaves this one: every door of storage is
wrapped in `translated`. The driver's text stays in the chain of causes, for our logs only, because
it can quote rows.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy.exc

from graph.errors import (
    CodeloomError,
    QuotaExceeded,
    StorageError,
    StorageRefused,
    TenantNotFound,
)
from graph.model import limits

# A role may not see or do this: always a mistake of ours, worth a sentence of its own.
_INSUFFICIENT_PRIVILEGE = "42501"
# Our own: more rows would be there than the limits of their tenant allow (see `usage`).
_QUOTA_EXCEEDED = "QU001"


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver leave the block as StorageError (try again) or StorageRefused.

    The one that our own functions in the database raise leaves it as QuotaExceeded, and a row for a
    tenant that is gone, which somebody let in before may still bring, as TenantNotFound.
    """
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise _translation(error.orig, lost=error.connection_invalidated) from error
    except sqlalchemy.exc.TimeoutError as error:
        raise StorageError("No connection to the database was free in time.") from error
    except psycopg.Error as error:
        raise _translation(error, lost=False) from error


def _translation(cause: BaseException | None, *, lost: bool) -> CodeloomError:
    # psycopg counts as operational what another try may heal: a lost connection, a timeout, a
    # deadlock, a full disk, a server that is starting or stopping.
    if lost or isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return StorageError()
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    if isinstance(cause, psycopg.Error) and state == _QUOTA_EXCEEDED:
        return _quota_exceeded(cause)
    if isinstance(cause, psycopg.errors.ForeignKeyViolation) and _of_its_tenant(cause):
        return TenantNotFound()
    if state == _INSUFFICIENT_PRIVILEGE:
        return StorageRefused("The database refused access to a row or table.")
    return StorageRefused(f"The database refused a statement (SQLSTATE {state}).")


def _quota_exceeded(cause: psycopg.Error) -> QuotaExceeded:
    told = json.loads(cause.diag.message_detail or "{}")
    resource = limits.BY_NAME[told["resource"]]
    return QuotaExceeded(
        limits.refusal(resource, limit=told["limit"], used=told["used"], asked=told["asked"])
    )


def _of_its_tenant(cause: psycopg.errors.ForeignKeyViolation) -> bool:
    """Whether the row that is referred to in vain is that of the tenant itself."""
    return cause.diag.constraint_name == f"{cause.diag.table_name}_tenant_id_fkey"
