"""With a million rows no request reads those of all tenants to answer one.

Every operation is asked for the large tenant, as the role and under the policies that requests
have, and every statement is explained before it runs. That none takes long is bounded as it is in
production: by the time that the role may spend on a statement.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from graph.storage.engine import engine
from tests.service.isolation.building import place
from tests.service.isolation.locks import explained, touches_tenants
from tests.service.isolation.operations import Operation, operations
from tests.service.isolation.world import TENANT_TABLES

if TYPE_CHECKING:
    import psycopg

    from graph.settings import Settings
    from tests.service.isolation.million import Million
    from tests.service.isolation.wire import Reply, Wire

Nodes = list[dict[str, Any]]

# What an index alone has to answer: the operation, the table and the index.
FROM_THE_INDEX_ALONE = {
    ("list_references", "nodes", "nodes_id"),  # is there such a symbol
    ("search_symbols", "nodes", "nodes_name"),  # names that have the part
    ("get_stats", "edges", "edges_dst"),  # how often each symbol is used
}


@pytest.fixture(scope="module")
def million(
    module_settings: "Settings", superuser: "psycopg.Connection[Any]"
) -> "Iterator[Million]":
    from graph.storage.engine import dispose
    from tests.service.isolation.million import fill

    yield fill(module_settings, superuser)
    dispose(module_settings)


@pytest.fixture(scope="module")
def wire(million: "Million") -> "Iterator[Wire]":
    from service.app import create_app
    from tests.service.isolation.wire import connected

    with connected(create_app(million.settings)) as made:
        yield made


@pytest.fixture(scope="module")
def asked(wire: "Wire") -> list[Operation]:
    found = operations(wire.app.openapi())
    return [each for each in found if not (each.is_open or each.is_of_operators)]


@contextmanager
def plans(settings: "Settings") -> Iterator[Nodes]:
    """The nodes of the plans of all statements about tenants that run meanwhile."""
    found: Nodes = []

    def explain(
        conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool
    ) -> None:
        if touches_tenants(statement):
            found.extend(explained(conn, statement, values))

    app = engine(settings, "app")
    event.listen(app, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(app, "before_cursor_execute", explain)


def ask(wire: "Wire", million: "Million", operation: Operation, **given: Any) -> "Reply":
    ids = given.pop("ids", million.ids)
    query = {**operation.required_query(ids), **given.pop("query", {})}
    body = operation.sample_body(ids)
    path = operation.at(ids)
    return wire.ask(operation.method, path, key=million.key, query=query, json=body, **given)


def scanned(nodes: Nodes) -> set[str]:
    """Tables of tenants that are read from their beginning to their end."""
    return {
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in TENANT_TABLES
    }


SEARCHES: tuple[dict[str, str], ...] = (
    {"q": "name_77", "match": "exact"},
    {"q": "name_7", "match": "prefix"},
    {"q": "Class7.name_7", "match": "prefix"},
    {"q": "ME_77", "match": "fuzzy"},
)


def test_no_read_is_a_scan_of_what_all_tenants_have(
    wire: "Wire", million: "Million", asked: list[Operation]
) -> None:
    found: dict[str, set[str]] = {}
    alone = set()
    for operation in asked:
        if operation.method != "get":
            continue
        with plans(million.settings) as nodes:
            reply = ask(wire, million, operation)
            assert reply.status == 200, f"{operation}: {reply.text}"
            if operation.is_paged and reply.json()["next_cursor"]:
                following = {"cursor": reply.json()["next_cursor"]}
                assert ask(wire, million, operation, query=following).status == 200
            if "match" in operation.query:
                for search in SEARCHES:
                    assert ask(wire, million, operation, query=search).status == 200
        if tables := scanned(nodes):
            found[operation.id] = tables
        alone |= {
            (operation.id, node["Relation Name"], node["Index Name"])
            for node in nodes
            if node["Node Type"] == "Index Only Scan"
        }
    assert found == {}
    assert alone >= FROM_THE_INDEX_ALONE


def test_no_write_is_one_either(wire: "Wire", million: "Million", asked: list[Operation]) -> None:
    found: dict[str, set[str]] = {}
    for number, operation in enumerate(sorted(asked, key=lambda each: each.method == "delete")):
        if operation.method == "get":
            continue
        ids = place(million.settings, million.tenant_id, f"victim {number}")
        with plans(million.settings) as nodes:
            reply = ask(wire, million, operation, ids=ids)
        assert reply.status < 300 or reply.status == 409, f"{operation}: {reply.text}"
        if tables := scanned(nodes):
            found[operation.id] = tables
    assert found == {}


def test_a_scan_would_be_seen(million: "Million") -> None:
    from sqlalchemy import text

    from graph.storage.session import tenant_session

    with (
        plans(million.settings) as nodes,
        tenant_session(million.tenant_id, settings=million.settings) as connection,
    ):
        connection.execute(text("select count(*) from nodes where doc like 'x%'"))
        connection.execute(text("select min(line) from edges where line = 7"))
    assert scanned(nodes) & {"nodes", "edges"}
