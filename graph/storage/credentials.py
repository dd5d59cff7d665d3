"""Credentials for private repositories: whom to be, towards which host.

The secret is sealed for its tenant and its row (see `graph.storage.keyring`) and leaves this room
in one way only, `open_secret`, for the one host that it is for.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    LargeBinary,
    Table,
    Text,
    Uuid,
)

from graph.storage.schema import metadata, moment, tenant_column

credentials = Table(
    "credentials",
    metadata,
    tenant_column(),
    Column("credential_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # In its canonical form, with the port if it is not 443.
    Column("host", Text, nullable=False),
    Column("username", Text),
    Column("sealed", LargeBinary, nullable=False),
    # Which key of the keyring sealed it: what is to be sealed again is found without opening it.
    Column("sealed_with", Text, nullable=False),
    Column("created_by", Uuid),
    moment("created_at", default_now=True),
    moment("updated_at", default_now=True),
    moment("last_used_at"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
    CheckConstraint("kind = 'token' or username is not null", name="username"),
)
