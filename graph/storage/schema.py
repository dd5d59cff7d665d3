"""What the tables of every group share: one metadata, one naming, one tenant column.

Row-level security, roles and grants are not part of the metadata; they stand in the migrations,
and a test reads the catalogue to see that no table lacks them.
"""

from sqlalchemy import Column, DateTime, MetaData, Uuid, func
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def tenant_column() -> SchemaItem:
    """First in every table of a tenant, and first in each of its keys."""
    return Column("tenant_id", Uuid, primary_key=True, nullable=False)


def moment(name: str, *, default_now: bool = False) -> SchemaItem:
    """A point in time, by the clock of the database."""
    if default_now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())
    return Column(name, DateTime(timezone=True))
