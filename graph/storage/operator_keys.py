"""Keys of operators, who run the installation and belong to no tenant.

They have the form of tenants' keys under a prefix of their own, and are kept and looked up the same
way, by a function of the same role. They are made at the command line of the installation alone:
a key that leaked could otherwise make itself successors.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
    text,
    update,
)

from graph.errors import OperatorKeyNotFound, TenantValidationError
from graph.model import key_form
from graph.model.ids import OperatorKeyId, new_id
from graph.settings import Settings
from graph.storage.engine import engine
from graph.storage.failures import translated
from graph.storage.schema import metadata, moment

operator_keys = Table(
    "operator_keys",
    metadata,
    Column("key_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("last_characters", Text, nullable=False),
    moment("created_at", default_now=True),
    moment("expires_at"),
    moment("revoked_at"),
    moment("last_used_at"),
)
Index("operator_keys_secret_hash", operator_keys.c.secret_hash, unique=True)

_NAME_LENGTH = 200

_AUTHENTICATE = text("select key_id, name, expires_at from authenticate_operator(:hash)")
# What an operator may read of a key: not its hash.
_SHOWN = [column for column in operator_keys.c if column.name != "secret_hash"]


@dataclass(frozen=True, slots=True)
class Operator:
    """Who administers the installation, by which key."""

    key_id: OperatorKeyId
    name: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """A key as operators see it; the secret is shown once, when it is made."""

    id: OperatorKeyId
    name: str
    last_characters: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def authenticate(settings: Settings, secret: str) -> Operator | None:
    """The operator of a key; None when it is malformed, unknown, expired or revoked.

    Raises StorageError when the database is away.
    """
    if not key_form.well_formed(secret, key_form.OPERATOR_KEY):
        return None
    with translated(), engine(settings, "authenticator").begin() as connection:
        row = connection.execute(_AUTHENTICATE, {"hash": key_form.digest(secret)}).first()
    if row is None:
        return None
    return Operator(OperatorKeyId(row.key_id), row.name, row.expires_at)


def create(
    conn: Connection, *, name: str, expires_at: datetime | None = None
) -> tuple[OperatorKey, str]:
    """A new key and its secret, which cannot be found again. Needs a session for `administration`.

    Raises TenantValidationError for a name of impossible length.
    """
    if not 0 < len(name) <= _NAME_LENGTH or "\0" in name:
        raise TenantValidationError(f"A key's name has 1 to {_NAME_LENGTH} characters.")
    secret = key_form.new_secret(key_form.OPERATOR_KEY)
    values = {
        "key_id": new_id(),
        "name": name,
        "secret_hash": key_form.digest(secret),
        "last_characters": secret[-4:],
        "expires_at": expires_at,
    }
    row = conn.execute(insert(operator_keys).values(values).returning(*_SHOWN)).one()
    return _key(row), secret


def list_all(conn: Connection) -> list[OperatorKey]:
    """All keys, oldest first, also expired and revoked ones."""
    return [_key(row) for row in conn.execute(select(*_SHOWN).order_by(operator_keys.c.key_id))]


def revoke(conn: Connection, *, key_id: OperatorKeyId) -> OperatorKey:
    """The key opens nothing any more; a second time changes nothing. Raises OperatorKeyNotFound."""
    query = (
        update(operator_keys)
        .where(operator_keys.c.key_id == key_id)
        .values(revoked_at=func.coalesce(operator_keys.c.revoked_at, func.now()))
        .returning(*_SHOWN)
    )
    row = conn.execute(query).first()
    if row is None:
        raise OperatorKeyNotFound
    return _key(row)


def _key(row: Row[Any]) -> OperatorKey:
    return OperatorKey(
        id=OperatorKeyId(row.key_id),
        name=row.name,
        last_characters=row.last_characters,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
