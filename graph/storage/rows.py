"""Nodes and edges: the only tables with a row for every name in a repository.

A row has an address by its document and by its node ids, never a key of its own: rows are written
and removed with their document and are not changed in between. Hence what is missing here: no
foreign keys (the check triples the cost of a load) and no primary key (an index of 40 bytes a row
that nothing would ever look up).

Indexes, each for a question:

* `nodes_id`: what is this node, and in which documents is it. Covers `document`, so that versions
  of other snapshots are passed over inside the index.
* `nodes_name` and `nodes_qualified_name`: names that are equal to or begin with something. The
  collation is "C", so that a prefix is a range (`>=`, `<`), which row-level security lets the
  index answer; LIKE it does not.
* `edges_dst`: who points here. Covers what the answer and a further step need, because the edges
  that point at one node are spread over as many documents.
* `edges_src`: where does this node point to. Covers nothing: the edges of one source stand
  together in the table.

And one each by document, for outlines and removal. An index without further columns folds equal
keys into one entry, so these two cost few bytes a row.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, Text, Uuid

from graph.storage.schema import metadata

# In the order in which they lie in the row: wide numbers first, so that none needs padding.
nodes = Table(
    "nodes",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("repository", Integer, nullable=False),
    Column("document", Integer, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("parent", BigInteger, nullable=False),  # 0 for a file
    Column("line", Integer, nullable=False),  # of the name, from 1
    Column("utf16_column", Integer, nullable=False),  # of the name, from 0
    Column("start_line", Integer, nullable=False),
    Column("end_line", Integer, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("name", Text(collation="C"), nullable=False),
    Column("qualified_name", Text(collation="C"), nullable=False),
    Column("signature", Text, nullable=False),
    Column("doc", Text, nullable=False),
    Column("symbol", Text, nullable=False),
)

edges = Table(
    "edges",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("repository", Integer, nullable=False),
    Column("document", Integer, nullable=False),  # of the source; the site is in it
    Column("src", BigInteger, nullable=False),
    Column("dst", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Column("utf16_column", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("certainty", SmallInteger, nullable=False),
    Column("rule", SmallInteger, nullable=False),
    Column("candidates", SmallInteger, nullable=False),
)

Index(
    "nodes_id", nodes.c.tenant_id, nodes.c.repository, nodes.c.id, postgresql_include=["document"]
)
Index("nodes_name", nodes.c.tenant_id, nodes.c.repository, nodes.c.name)
Index("nodes_qualified_name", nodes.c.tenant_id, nodes.c.repository, nodes.c.qualified_name)
Index("nodes_document", nodes.c.tenant_id, nodes.c.repository, nodes.c.document)
Index(
    "edges_dst",
    edges.c.tenant_id,
    edges.c.repository,
    edges.c.dst,
    edges.c.kind,
    postgresql_include=["src", "document"],
)
Index("edges_src", edges.c.tenant_id, edges.c.repository, edges.c.src)
Index("edges_document", edges.c.tenant_id, edges.c.repository, edges.c.document)
