"""What the reads answer, on a graph small enough to know by heart."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from graph.errors import (
    FileNotInSnapshot,
    RepositoryNotFound,
    SnapshotNotFound,
    SymbolNotFound,
)
from graph.model.edges import Certainty, EdgeKind, Rule
from graph.model.ids import NodeId, RepositoryId, SnapshotId, TenantId
from graph.model.nodes import NodeKind
from graph.queries import files, neighbors, positions, references, snapshots, stats, symbols
from graph.queries.page import Page
from graph.queries.references import Direction
from graph.queries.snapshots import Reading, Selection, SelectionAmbiguous
from graph.storage import tenants
from graph.storage.session import system_session, tenant_session
from tests import seeding
from tests.seeding import Shop

if TYPE_CHECKING:
    from graph.settings import Settings


@pytest.fixture
def tenant_id(settings: "Settings") -> TenantId:
    with system_session("administration", settings=settings) as connection:
        return tenants.create(connection, name="acme").id


@pytest.fixture
def shop(settings: "Settings", tenant_id: TenantId) -> Shop:
    return seeding.shop(settings, tenant_id)


@pytest.fixture
def reading(settings: "Settings", tenant_id: TenantId, shop: Shop) -> Iterator[Reading]:
    with tenant_session(tenant_id, settings=settings) as connection:
        yield snapshots.open_reading(
            connection, repository_id=shop.repository.id, selection=Selection()
        )


def names(page: Page[symbols.Symbol]) -> list[str]:
    return [row.brief.qualified_name for row in page.rows]


def walk(read: Callable[..., Page[Any]], limit: int) -> list[Any]:
    """Every row of a list, page by page."""
    rows, after = [], None
    while True:
        page = read(after=after, limit=limit)
        assert len(page.rows) <= limit
        rows += page.rows
        after = page.next_key
        if after is None:
            return rows


@pytest.mark.parametrize(
    ("query", "match", "found"),
    [
        ("Cart", "exact", ["Cart"]),
        ("cart", "exact", []),
        ("add", "exact", ["Cart.add"]),
        ("Cart.add", "exact", ["Cart.add"]),
        ("art.add", "exact", []),
        ("cart.py", "exact", ["src/cart.py"]),
        ("json.dumps", "exact", ["json.dumps"]),
        ("c", "prefix", ["src/caf\\xe9.py", "src/cart.py", "checkout", "src/checkout.py"]),
        ("Cart.", "prefix", ["Cart.add", "Cart.total"]),
        ("Cart.t", "prefix", ["Cart.total"]),
        ("", "exact", None),
        ("CHECK", "fuzzy", ["checkout", "src/checkout.py"]),
        ("RT.TO", "fuzzy", ["Cart.total"]),
        ("%", "fuzzy", []),
        ("_", "fuzzy", []),
        ("nothing", "prefix", []),
    ],
)
def test_symbols_are_found_by_name(
    query: str, match: symbols.Match, found: list[str] | None, reading: Reading
) -> None:
    page = symbols.search(reading, query=query, match=match, limit=50)
    assert len(page.rows) == 10 if found is None else names(page) == found


def test_symbols_can_be_narrowed_to_kinds_and_paths(reading: Reading) -> None:
    methods = symbols.search(reading, kinds=[NodeKind.METHOD], limit=50)
    assert names(methods) == ["Cart.add", "Cart.total"]
    by_file = symbols.search(reading, path="src/checkout.py", limit=50)
    assert names(by_file) == ["checkout", "src/checkout.py", "json.dumps"]
    assert len(symbols.search(reading, path="src", limit=50).rows) == 9
    assert len(symbols.search(reading, path="src/", limit=50).rows) == 9
    assert symbols.search(reading, path="sr", limit=50).rows == []


def test_an_external_symbol_is_told_once_and_without_a_place(reading: Reading, shop: Shop) -> None:
    (found,) = symbols.search(reading, query="dumps", match="exact", limit=50).rows
    assert (found.brief.id, found.brief.path, found.brief.line) == (shop.dumps, "<json.dumps>", 0)
    assert (found.brief.external, found.language, found.parent) == (True, None, None)
    assert len(symbols.get(reading, symbol=shop.dumps)) == 2


def test_a_symbol_is_told_with_its_definition(reading: Reading, shop: Shop) -> None:
    (found,) = symbols.get(reading, symbol=shop.total)
    assert found.brief.kind is NodeKind.METHOD
    assert (found.brief.path, found.brief.line, found.brief.column) == ("src/cart.py", 9, 8)
    assert (found.parent, found.doc, found.flags) == (shop.cart, "What it costs.", ("exported",))


def test_an_unknown_symbol_is_an_error_everywhere(reading: Reading) -> None:
    unknown = NodeId(1)
    with pytest.raises(SymbolNotFound):
        symbols.get(reading, symbol=unknown)
    with pytest.raises(SymbolNotFound):
        neighbors.callers(reading, symbol=unknown, limit=5)
    with pytest.raises(SymbolNotFound):
        references.links(
            reading, Direction.INCOMING, symbol=unknown, kinds=references.USES, limit=5
        )


def test_callers_are_told_site_by_site_with_their_evidence(reading: Reading, shop: Shop) -> None:
    first, second = neighbors.callers(reading, symbol=shop.add, limit=50).rows
    assert {first.symbol.id, second.symbol.id} == {shop.checkout}
    assert (first.edge.path, first.edge.line, first.edge.column) == ("src/checkout.py", 6, 9)
    assert (first.edge.certainty, first.edge.rule) == (Certainty.INFERRED, Rule.INFERRED_TYPE)
    assert (second.edge.certainty, second.edge.candidates) == (Certainty.AMBIGUOUS, 2)


def test_callees_are_told_in_the_order_of_their_sites(reading: Reading, shop: Shop) -> None:
    page = neighbors.callees(reading, symbol=shop.checkout, limit=50)
    assert [link.symbol.id for link in page.rows] == [
        shop.cart,
        shop.add,
        *sorted([shop.add, shop.total]),
        shop.dumps,
    ]
    assert page.rows[-1].symbol.external


def test_references_are_uses_of_every_kind_or_of_those_asked_for(
    reading: Reading, shop: Shop
) -> None:
    every = references.links(
        reading, Direction.INCOMING, symbol=shop.cart, kinds=references.USES, limit=50
    )
    assert [link.edge.kind for link in every.rows] == [EdgeKind.IMPORTS, EdgeKind.INSTANTIATES]
    assert every.rows[0].symbol.kind is NodeKind.FILE
    imports = references.links(
        reading, Direction.INCOMING, symbol=shop.cart, kinds=[EdgeKind.IMPORTS], limit=50
    )
    assert len(imports.rows) == 1


def test_references_to_an_external_symbol_come_from_every_file(
    reading: Reading, shop: Shop
) -> None:
    page = references.links(
        reading, Direction.INCOMING, symbol=shop.dumps, kinds=references.USES, limit=50
    )
    assert [link.edge.path for link in page.rows] == ["src/cart.py", "src/checkout.py"]


def test_one_place_that_two_rules_link_is_told_once_by_the_more_certain(
    settings: "Settings", tenant_id: TenantId
) -> None:
    repository = seeding.register(settings, tenant_id, "twice")
    page = seeding.Page(repository.number, "a.py")
    source, target = page.define("source", 1), page.define("target", 5)
    page.link(source, target, 2, certainty=Certainty.AMBIGUOUS, rule=Rule.WILDCARD)
    page.link(source, target, 2, certainty=Certainty.EXACT, rule=Rule.IMPORT)
    page.link(source, target, 3)
    seeding.ingest(settings, tenant_id, repository, [page])
    with tenant_session(tenant_id, settings=settings) as connection:
        reading = snapshots.open_reading(
            connection, repository_id=repository.id, selection=Selection()
        )
        found = neighbors.callers(reading, symbol=target, limit=50).rows
    assert [(link.edge.line, link.edge.rule) for link in found] == [
        (2, Rule.IMPORT),
        (3, Rule.LEXICAL),
    ]


@pytest.mark.parametrize(
    ("path", "line", "column", "found"),
    [
        ("src/cart.py", 3, 6, ["Cart"]),
        ("src/cart.py", 3, 9, ["Cart"]),
        ("src/cart.py", 3, 10, []),
        ("src/cart.py", 3, 5, []),
        ("src/checkout.py", 5, 12, ["Cart"]),
        ("src/checkout.py", 6, 9, ["Cart.add"]),
        ("src/checkout.py", 6, 11, ["Cart.add"]),
        ("src/checkout.py", 6, 12, []),
        ("src/checkout.py", 7, 9, ["Cart.add", "Cart.total"]),
        ("src/cart.py", 6, 8, ["json.dumps"]),
        ("src/cart.py", 1, 0, []),
        ("logo.png", 1, 0, []),
    ],
)
def test_a_place_stands_for_a_definition(
    path: str, line: int, column: int, found: list[str], reading: Reading
) -> None:
    file = files.get(reading, path=path)
    answer = positions.definitions(reading, file=file, line=line, column=column)
    assert [one.symbol.brief.qualified_name for one in answer] == found


@pytest.mark.parametrize(
    ("path", "line", "found"),
    [
        ("src/cart.py", 3, [6]),
        ("src/checkout.py", 6, [9]),
        ("src/cart.py", 2, []),
        ("logo.png", 1, []),
    ],
)
def test_a_line_tells_where_its_known_names_begin(
    path: str, line: int, found: list[int], reading: Reading
) -> None:
    file = files.get(reading, path=path)
    columns = positions.columns(reading, file=file, line=line)
    assert columns == found
    assert all(
        positions.definitions(reading, file=file, line=line, column=column) for column in columns
    )


def test_files_are_told_in_the_order_of_their_paths_with_what_became_of_them(
    reading: Reading,
) -> None:
    page = files.list_all(reading, limit=50)
    assert [(file.path, file.status, file.skip_reason) for file in page.rows] == [
        ("logo.png", "skipped", "binary"),
        ("src/caf\\xe9.py", "parsed", None),
        ("src/cart.py", "parsed", None),
        ("src/checkout.py", "parsed", None),
    ]
    assert len(files.list_all(reading, path="src", limit=50).rows) == 3
    assert [file.path for file in files.list_all(reading, status="skipped", limit=9).rows] == [
        "logo.png"
    ]
    assert len(files.list_all(reading, language="python", limit=50).rows) == 3


def test_a_file_is_found_by_its_path_as_it_is_shown(reading: Reading) -> None:
    assert files.get(reading, path="src/caf\\xe9.py").raw_path == b"src/caf\xe9.py"
    for absent in ("src", "src/", "src/none.py", "", "src/caf\\xea.py", "src/caf\ufffd.py"):
        with pytest.raises(FileNotInSnapshot):
            files.get(reading, path=absent)


def test_an_outline_goes_from_top_to_bottom_without_what_is_elsewhere(reading: Reading) -> None:
    page = files.outline(reading, file=files.get(reading, path="src/cart.py"), limit=50)
    assert names(page) == ["Cart", "Cart.add", "Cart.total", "money"]


def test_the_most_used_come_first(reading: Reading) -> None:
    used = stats.most_used(reading, node_kinds=[NodeKind.METHOD, NodeKind.FUNCTION], limit=2)
    assert (used[0].symbol.name, used[0].uses) == ("add", 2)
    assert len(used) == 2


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_hold_every_row_once_and_in_order(limit: int, reading: Reading, shop: Shop) -> None:
    lists: list[Callable[..., Page[Any]]] = [
        lambda **page: symbols.search(reading, **page),
        lambda **page: symbols.search(reading, query="c", match="fuzzy", **page),
        lambda **page: neighbors.callees(reading, symbol=shop.checkout, **page),
        lambda **page: references.links(
            reading, Direction.INCOMING, symbol=shop.add, kinds=references.USES, **page
        ),
        lambda **page: files.list_all(reading, **page),
        lambda **page: files.outline(reading, file=files.get(reading, path="src/cart.py"), **page),
        lambda **page: snapshots.list_all(
            reading.connection, repository_id=shop.repository.id, **page
        ),
    ]
    for read in lists:
        assert walk(read, limit) == walk(read, 1000)


def test_a_snapshot_is_chosen_by_ref_commit_or_id(
    settings: "Settings", tenant_id: TenantId, shop: Shop
) -> None:
    first = shop.snapshot
    second = seeding.ingest(
        settings, tenant_id, shop.repository, shop.pages[:1], commit="3" * 40, heads=("HEAD",)
    )
    chosen = {
        Selection(): second,
        Selection(ref="main"): first,
        Selection(ref="HEAD"): second,
        Selection(commit=seeding.COMMIT): first,
        Selection(commit="3" * 40): second,
        Selection(snapshot_id=first.id): first,
    }
    with tenant_session(tenant_id, settings=settings) as connection:
        for selection, expected in chosen.items():
            found = snapshots.open_reading(
                connection, repository_id=shop.repository.id, selection=selection
            )
            assert found.snapshot.id == expected.id, selection


def test_a_snapshot_shows_only_its_own_documents(
    settings: "Settings", tenant_id: TenantId, shop: Shop
) -> None:
    # The same file with other content, and the other one gone: rows of both commits are stored.
    page = seeding.Page(shop.repository.number, "src/cart.py", version=2)
    page.define("Cart", 30, kind=NodeKind.CLASS)
    seeding.ingest(settings, tenant_id, shop.repository, [page], commit="3" * 40)
    with tenant_session(tenant_id, settings=settings) as connection:
        new, old = (
            snapshots.open_reading(
                connection, repository_id=shop.repository.id, selection=Selection(commit=commit)
            )
            for commit in ("3" * 40, seeding.COMMIT)
        )
        assert [symbols.get(one, symbol=shop.cart)[0].brief.line for one in (new, old)] == [30, 3]
        assert neighbors.callers(new, symbol=shop.cart, limit=9).rows == []
        assert len(neighbors.callers(old, symbol=shop.cart, limit=9).rows) == 1
        assert [file.path for file in files.list_all(new, limit=9).rows] == ["src/cart.py"]
        with pytest.raises(SymbolNotFound):
            symbols.get(new, symbol=shop.add)
        with pytest.raises(FileNotInSnapshot):
            files.get(new, path="src/checkout.py")


def test_what_was_never_published_is_not_found(
    settings: "Settings", tenant_id: TenantId, shop: Shop
) -> None:
    repository_id = shop.repository.id
    empty = seeding.register(settings, tenant_id, "empty")
    with tenant_session(tenant_id, settings=settings) as connection:
        for selection in (
            Selection(ref="gone"),
            Selection(commit="9" * 40),
            Selection(snapshot_id=SnapshotId(uuid4())),
        ):
            with pytest.raises(SnapshotNotFound):
                snapshots.open_reading(connection, repository_id=repository_id, selection=selection)
        with pytest.raises(SnapshotNotFound):
            snapshots.open_reading(connection, repository_id=empty.id, selection=Selection())
        # A snapshot of another repository is none of this one's.
        with pytest.raises(SnapshotNotFound):
            snapshots.open_reading(
                connection,
                repository_id=empty.id,
                selection=Selection(snapshot_id=shop.snapshot.id),
            )
        with pytest.raises(RepositoryNotFound):
            snapshots.open_reading(
                connection, repository_id=RepositoryId(uuid4()), selection=Selection()
            )
        with pytest.raises(SelectionAmbiguous):
            snapshots.open_reading(
                connection,
                repository_id=repository_id,
                selection=Selection(ref="main", commit=seeding.COMMIT),
            )


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("ab", "ac"),
        ("", "\U0010ffff"),
        ("a\U0010ffff", "b"),
        ("\ud7ff", "\ue000"),
        ("get_", "get`"),
    ],
)
def test_the_end_of_a_prefix_is_the_next_text_that_does_not_begin_so(prefix: str, end: str) -> None:
    assert symbols.prefix_end(prefix) == end


def test_coverage_says_what_the_graph_does_not_know(reading: Reading) -> None:
    coverage = reading.snapshot.coverage
    assert (coverage.files, coverage.parsed, coverage.skipped) == (4, 3, {"binary": 1})
    assert coverage.unresolved_ratio == pytest.approx(4 / 12)
