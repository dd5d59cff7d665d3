"""Every read is explained once on a database large enough for the planner to care.

Run as the role and with the policies that requests have. A sequential scan over the nodes or edges
of all tenants would make one tenant pay for the others.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import text

from graph.model.edges import EdgeKind
from graph.model.ids import NodeId, RepositoryId
from graph.model.nodes import NodeKind
from graph.queries import files, neighbors, positions, references, snapshots, stats, symbols
from graph.queries.references import Direction
from graph.queries.snapshots import Reading, Selection
from graph.storage import repositories, tenants
from graph.storage.documents import path_hash
from graph.storage.session import system_session, tenant_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import TextClause

    from graph.settings import Settings

TENANTS = 4
DOCUMENTS, NODES, EDGES = 300, 30_000, 90_000
PATH = "src/folder7/module7.py"

SEED = (
    """
insert into documents
select :tenant, :repository, g, decode(lpad(to_hex(g), 32, '0'), 'hex'),
  case g when 7 then :path_hash else g end,
  convert_to(path, 'UTF8'), path, '\\xab', 'python', '\\x01', '\\x02', 'parsed', null, 100, 1000,
  1, 1, 1, 0, 0
from generate_series(1, :documents) g,
  lateral (select 'src/folder' || g % 20 || '/module' || g || '.py' as path) p
""",
    """
insert into nodes
select :tenant, :repository, 1 + g / (:nodes / :documents + 1), g, 0, g % 100 + 1, 4, g % 100 + 1,
  g % 100 + 3, 1, 11 + g % 4, name, 'Class' || g % 300 || '.' || name, '', '', 'symbol' || g
from generate_series(1, :nodes) g, lateral (select 'name_' || hashint4(g) % 9999 as name) n
""",
    """
insert into edges
select :tenant, :repository, 1 + s / (:nodes / :documents + 1), s,
  case when g % 20 = 0 then 1 + abs(hashint4(g) % 20) else 1 + abs(hashint4(g) % :nodes) end,
  g % 100 + 1, g % 80, (array[4, 4, 6, 7, 5, 3])[1 + g % 6], 1, 2, 1
from generate_series(1, :edges) g,
  lateral (select 1 + cast(g as bigint) * (:nodes - 1) / :edges as s) x
""",
    """
insert into snapshots
select :tenant, :repository, 1, gen_random_uuid(), repeat('1', 40), repeat('2', 40), 'p', 'main',
  gen_random_uuid(), int4multirange(int4range(1, :documents + 1)), :documents, :nodes, :edges,
  '{}', '{}'
""",
    """
insert into snapshots
select :tenant, :repository, 2, gen_random_uuid(), repeat('3', 40), repeat('2', 40), 'p', 'main',
  gen_random_uuid(), range_agg(int4range(g, g + 1)), :documents / 2, 0, 0, '{}', '{}'
from generate_series(1, :documents, 2) g
""",
    """
insert into refs (tenant_id, repository, name, head, head_generation)
values (:tenant, :repository, 'HEAD', 1, 1)
""",
)


@pytest.fixture(scope="module")
def large(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> "Settings":
    from graph.settings import Settings

    return Settings(database_url=database_url, codeloom_home=tmp_path_factory.mktemp("plans"))


@pytest.fixture(scope="module")
def seeded(large: "Settings") -> tuple[object, RepositoryId]:
    """Four tenants of the same size; the answers are for the last."""
    for number in range(TENANTS):
        with system_session("administration", settings=large) as connection:
            tenant = tenants.create(connection, name=f"large {number}").id
        with tenant_session(tenant, settings=large) as connection:
            repository = repositories.register(connection, url="https://example.org/x", name="x")
        values = {
            "tenant": tenant,
            "repository": repository.number,
            "documents": DOCUMENTS,
            "nodes": NODES,
            "edges": EDGES,
            "path_hash": path_hash(PATH.encode()),
        }
        with tenant_session(tenant, role="worker", settings=large) as connection:
            for statement in SEED:
                connection.execute(text(statement), values)
    with psycopg.connect(str(large.database_url), autocommit=True) as connection:
        connection.execute("set role codeloom_owner")
        connection.execute("vacuum analyze")
    return tenant, repository.id


@dataclass(frozen=True, slots=True)
class Explaining(Reading):
    """A reading that explains each statement before it runs it."""

    plans: list[str]

    def rows(self, statement: "TextClause", /, **values: Any) -> list[Any]:
        explained = text("explain (costs off) " + statement.text)
        plan = self.connection.execute(explained, {**self.parameters, **values})
        self.plans.append("\n".join(row[0] for row in plan))
        return Reading.rows(self, statement, **values)


@pytest.fixture
def reading(seeded: tuple[Any, RepositoryId], large: "Settings") -> Iterator[Explaining]:
    tenant, repository_id = seeded
    with tenant_session(tenant, settings=large) as connection:
        found = snapshots.open_reading(
            connection, repository_id=repository_id, selection=Selection()
        )
        yield Explaining(found.connection, found.snapshot, found.parameters, [])


def _file(reading: Reading) -> files.File:
    return files.get(reading, path=PATH)


READS: dict[str, "Callable[[Reading], object]"] = {
    "exact": lambda r: symbols.search(r, query="name_77", match="exact", limit=50),
    "exact qualified": lambda r: symbols.search(r, query="Class7.name_7", match="exact", limit=50),
    "prefix": lambda r: symbols.search(r, query="name_7", match="prefix", limit=50),
    "prefix qualified": lambda r: symbols.search(r, query="Class7.name", limit=50),
    "prefix of everything": lambda r: symbols.search(r, limit=50),
    "prefix later": lambda r: symbols.search(r, query="name", after=("name_5", "", 0), limit=50),
    "prefix of a kind": lambda r: symbols.search(
        r, query="name", kinds=[NodeKind.METHOD], limit=50
    ),
    "prefix in a folder": lambda r: symbols.search(r, query="name", path="src/folder7", limit=50),
    "fuzzy": lambda r: symbols.search(r, query="ME_77", match="fuzzy", limit=50),
    "fuzzy qualified": lambda r: symbols.search(r, query="s7.na", match="fuzzy", limit=50),
    "symbol": lambda r: symbols.get(r, symbol=NodeId(77)),
    "references": lambda r: references.links(
        r, Direction.INCOMING, symbol=NodeId(650), kinds=references.USES, limit=50
    ),
    "references to what all use": lambda r: references.links(
        r, Direction.INCOMING, symbol=NodeId(7), kinds=references.USES, limit=50
    ),
    "references later": lambda r: references.links(
        r,
        Direction.INCOMING,
        symbol=NodeId(7),
        kinds=[EdgeKind.CALLS],
        after=(b"src/folder7/module7.py", 1, 1, 1, 1),
        limit=50,
    ),
    "callers": lambda r: neighbors.callers(r, symbol=NodeId(650), limit=50),
    "callees": lambda r: neighbors.callees(r, symbol=NodeId(650), limit=50),
    "file": _file,
    "files": lambda r: files.list_all(r, limit=50),
    "files in a folder": lambda r: files.list_all(r, path="src/folder7", limit=50),
    "outline": lambda r: files.outline(r, file=_file(r), limit=50),
    "definition": lambda r: positions.definitions(r, file=_file(r), line=7, column=6),
    "definition of a use": lambda r: positions.definitions(r, file=_file(r), line=7, column=60),
    "names of a line": lambda r: positions.columns(r, file=_file(r), line=7),
    "stats": lambda r: stats.most_used(r, node_kinds=[NodeKind.METHOD], limit=10),
}


@pytest.mark.parametrize("name", READS)
def test_no_read_scans_all_nodes_or_edges(name: str, reading: Explaining) -> None:
    READS[name](reading)
    assert reading.plans
    for plan in reading.plans:
        assert not re.search(r"Seq Scan on (nodes|edges)\b", plan), plan


@pytest.mark.parametrize("name", ["callers", "prefix", "references to what all use", "outline"])
def test_a_snapshot_in_pieces_is_read_by_the_same_indexes(name: str, reading: Explaining) -> None:
    # Documents of other commits lie between those of this one.
    pieces = replace(reading, parameters={**reading.parameters, "snapshot": 2})
    READS[name](pieces)
    for plan in pieces.plans:
        assert not re.search(r"Seq Scan on (nodes|edges)\b", plan), plan
    assert {row.path for row in files.list_all(pieces, limit=500).rows} == {
        f"src/folder{number % 20}/module{number}.py" for number in range(1, DOCUMENTS + 1, 2)
    }
