"""Facts in, graph out: the sole owner of everything persisted.

What the room is for. Parsers say what one file says; this room says what the files say together,
keeps it, and answers from it. Nobody else writes to PostgreSQL or to the object store, and nobody
else reads the environment.

Its words.

* A *tenant* is the customer boundary. Every row has one, and the database itself refuses a row of
  another tenant: row-level security is forced on every table, also against the tables' owner.
* A *repository* is a Git repository that a tenant registered. It has a public id (a UUID) and a
  small number inside its tenant; wide tables carry the number, because they carry it a million
  times.
* A *document* is a file at one path with one content and one resolution: the unit that is stored,
  shared and removed. *Nodes* and *edges* belong to a document and have no life of their own.
* A *snapshot* is the set of documents of one commit. A second commit costs the documents that
  changed and a description of the set, not a copy of the graph.
* A *job* is a requested piece of work, and a row. A message about it is only a nudge.

Its laws.

1. One way to reach a tenant's row: `storage.session.tenant_session`. The few callers that need
   rows of many tenants name their reason to `system_session`, and get a role that may do that and
   nothing else.
2. Nothing is visible until it is published, and publishing is one transaction which checks that
   the job still belongs to the caller, that everything that was loaded is really there, and that
   the head of the ref only moves forward.
3. Loading may be run twice. A document and everything under it are written in one transaction
   under a key made of its path, content and resolution; whoever comes second finds it there.
4. An edge lives with the document of its source, and names its target by an id that is the same
   in every snapshot. So a document may change without touching those that point at it.
5. What the database knows as numbers, tables in `model/` explain in words. Codes are only added.

A worked example. Commit A has three files; loading makes documents 1, 2 and 3 with their nodes and
edges, publishing writes snapshot 1 = {[1,3]} and moves `main` to it. Commit B changes one file:
loading finds documents 1 and 3 there, writes document 4, and publishing writes snapshot 2 =
{[1,1],[3,4]}. Whoever reads snapshot 1 still sees the old file. The difference between the two
commits is the difference of two sets, and a document that is in no set may be removed.

The floors, from the top: `queries` (reads of published snapshots), `storage` (tables and
statements, one table group a file) beside `resolve` (facts to rows, pure), `model` (words, pure),
`telemetry`, and at the bottom `settings` and `errors`.

Decisions.

1. SQLAlchemy Core with psycopg 3, synchronous, no ORM: one storage layer for the API and the
   workers, and COPY as a matter of course.
2. No foreign keys on nodes and edges: the check triples the cost of a load, and they are only
   written and removed together with their document.
3. The documents of a snapshot are one `int4multirange` value, not a row each: see
   `storage/snapshots.py`.
"""
