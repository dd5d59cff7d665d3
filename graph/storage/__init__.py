"""Tables and the statements on them: one group a file, columns above, statements below.

`session` is the only way to a row. `tables` collects the metadata of all groups for the
migrations. Statements that carry weight are written as SQL text, the rest with SQLAlchemy Core;
every statement names its tenant, although row-level security would hold without it: two locks,
and the better plan.
"""
