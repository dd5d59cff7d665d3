"""How migrations run: guarded against each other, and against holding up the site.

One transaction per revision, as the owner role. A statement that waits four seconds for a lock
gives up, because whatever queues behind it waits as well; run the migration again.
"""

from alembic import context
from sqlalchemy import Connection, text

from graph.settings import get_settings
from graph.storage.engine import engine
from graph.storage.tables import metadata

# Any number will do, as long as it stays the same: two deploys must not migrate at once.
_LOCK = 4_137_001


def run(connection: Connection) -> None:
    """Migrate on this connection, alone."""
    connection.execute(text("set lock_timeout = '5min'"))
    connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text("set lock_timeout = '4s'"))
    connection.execute(text("set statement_timeout = '10min'"))
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            transaction_per_migration=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with engine(get_settings(), "owner").connect() as opened:
        run(opened)
