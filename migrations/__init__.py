"""The Alembic revisions of the database that graph owns."""
