"""Reads out of a snapshot over HTTP: their common shape, their pages, their entity tags."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.testclient import TestClient

from graph.model.ids import NodeId
from service import shapes
from tests import seeding
from tests.seeding import Shop
from tests.service.conftest import Member, bearer
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings


class Reader:
    """One key's view of one repository."""

    def __init__(self, client: TestClient, key: str, shop: Shop) -> None:
        self.client, self.headers = client, bearer(key)
        self.base = f"/v1/repositories/{shop.repository.id}/"

    def get(self, path: str, /, **query: Any) -> Any:
        url = httpx.URL(self.base + path).copy_merge_params(query)
        answer = self.client.get(str(url), headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def reader(client: TestClient, acme: Member, shop: Shop) -> Reader:
    return Reader(client, acme.read, shop)


def lists(shop: Shop) -> list[str]:
    add, checkout = shapes.symbol_id(shop.add), shapes.symbol_id(shop.checkout)
    return [
        "symbols",
        "symbols?q=c&match=fuzzy",
        "symbols?kind=method&kind=class",
        f"symbols/{add}/references",
        f"symbols/{add}/callers",
        f"symbols/{checkout}/callees",
        "files",
        "files?path=src",
        "files/src/cart.py/outline",
    ]


def test_every_answer_names_its_snapshot_and_what_that_covers(reader: Reader, shop: Shop) -> None:
    checkout = shapes.symbol_id(shop.checkout)
    single = [f"symbols/{checkout}", "definition?path=src/cart.py&line=3&column=6", "stats"]
    for path in lists(shop) + single:
        answer = reader.get(path)
        assert answer["snapshot"]["id"] == str(shop.snapshot.id)
        assert answer["snapshot"]["commit"] == seeding.COMMIT
        assert answer["snapshot"]["published_at"]
        assert answer["coverage"] == {
            "files": 4,
            "parsed": 3,
            "skipped": {"binary": 1},
            "unresolved_ratio": 0.3333,
        }


def test_every_edge_carries_its_evidence(reader: Reader, shop: Shop) -> None:
    (first, _) = reader.get(f"symbols/{shapes.symbol_id(shop.add)}/callers")["items"]
    assert first["edge"] == {
        "kind": "calls",
        "certainty": "inferred",
        "rule": "inferred_type",
        "candidates": 1,
        "site": {"path": "src/checkout.py", "line": 6, "column": 9},
    }
    assert first["symbol"]["qualified_name"] == "checkout"


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_cursors_lead_through_every_list_without_gap_or_repetition(
    limit: int, reader: Reader, shop: Shop
) -> None:
    for path in lists(shop):
        whole = reader.get(path, limit=500)
        assert whole["next_cursor"] is None
        items: list[Any] = []
        cursor = None
        while True:
            page = reader.get(path, limit=limit, **({"cursor": cursor} if cursor else {}))
            assert len(page["items"]) <= limit
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert items == whole["items"], path


def test_the_pages_of_one_walk_agree_though_a_newer_snapshot_appears(
    reader: Reader, settings: "Settings", acme: Member, shop: Shop
) -> None:
    first = reader.get("files", limit=2)
    page = seeding.Page(shop.repository.number, "zebra.py")
    seeding.ingest(settings, acme.tenant_id, shop.repository, [page], commit="3" * 40)
    second = reader.get("files", limit=2, cursor=first["next_cursor"])
    assert second["snapshot"]["commit"] == seeding.COMMIT
    assert [item["path"] for item in second["items"]] == ["src/cart.py", "src/checkout.py"]
    assert reader.get("files")["snapshot"]["commit"] == "3" * 40


def test_a_cursor_is_refused_where_it_does_not_belong(
    client: TestClient, settings: "Settings", acme: Member, rival: Member, shop: Shop
) -> None:
    reader = Reader(client, acme.read, shop)
    cursor = reader.get("symbols", q="c", limit=1)["next_cursor"]
    twin = seeding.shop(settings, rival.tenant_id)
    elsewhere = [
        (acme, shop, "symbols", {"q": "d"}),
        (acme, shop, "symbols", {}),
        (acme, shop, "symbols", {"q": "c", "kind": "class"}),
        (acme, shop, "files", {}),
        (rival, twin, "symbols", {"q": "c"}),
    ]
    for member, owned, path, query in elsewhere:
        answer = client.get(
            f"/v1/repositories/{owned.repository.id}/{path}",
            params={**query, "cursor": cursor},
            headers=bearer(member.read),
        )
        assert (answer.status_code, problem(answer)["code"]) == (400, "cursor_invalid")
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for broken in (changed, cursor[:-1], cursor + "A", "nonsense", "", "é"):
        answer = client.get(
            reader.base + "symbols", params={"q": "c", "cursor": broken}, headers=reader.headers
        )
        assert (answer.status_code, problem(answer)["code"]) == (400, "cursor_invalid"), broken
    # With another page size it goes on all the same.
    assert reader.get("symbols", q="c", limit=3, cursor=cursor)["items"]


def test_an_unchanged_snapshot_is_not_sent_again(
    client: TestClient, settings: "Settings", acme: Member, shop: Shop
) -> None:
    address = f"/v1/repositories/{shop.repository.id}/symbols"
    first = client.get(address, headers=bearer(acme.read))
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert "authorization" in first.headers["vary"].lower()
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.get(address, headers={**bearer(acme.read), "if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = client.get(address, headers={**bearer(acme.read), "if-none-match": '"other"'})
    assert other.status_code == 200
    page = seeding.Page(shop.repository.number, "zebra.py")
    seeding.ingest(settings, acme.tenant_id, shop.repository, [page], commit="3" * 40)
    newer = client.get(address, headers={**bearer(acme.read), "if-none-match": tag})
    assert (newer.status_code, newer.headers["etag"] != tag) == (200, True)


def test_ref_commit_and_snapshot_choose_what_answers(
    reader: Reader, settings: "Settings", acme: Member, shop: Shop
) -> None:
    page = seeding.Page(shop.repository.number, "zebra.py")
    newer = seeding.ingest(
        settings,
        acme.tenant_id,
        shop.repository,
        [page],
        commit="3" * 40,
        heads=("HEAD", "release/1.0"),
    )
    chosen = [
        ({}, newer),
        ({"ref": "main"}, shop.snapshot),
        ({"ref": "release/1.0"}, newer),
        ({"commit": seeding.COMMIT}, shop.snapshot),
        ({"snapshot": str(shop.snapshot.id)}, shop.snapshot),
    ]
    for query, expected in chosen:
        snapshot = reader.get("files", **query)["snapshot"]
        assert snapshot["id"] == str(expected.id), query
        assert snapshot["ref"] == query.get("ref", "main")


def test_a_symbol_is_told_with_all_its_definitions(reader: Reader, shop: Shop) -> None:
    answer = reader.get(f"symbols/{shapes.symbol_id(shop.total)}")
    assert answer["symbol"]["parent"] == shapes.symbol_id(shop.cart)
    assert answer["symbol"]["flags"] == ["exported"]
    assert answer["definitions"] == [{"path": "src/cart.py", "line": 9, "column": 8}]
    external = reader.get(f"symbols/{shapes.symbol_id(shop.dumps)}")
    assert (external["symbol"]["external"], external["definitions"]) == (True, [])
    assert external["symbol"]["path"] == "<json.dumps>"


def test_ids_of_symbols_go_there_and_back() -> None:
    for node in (0, 1, -1, 2**63 - 1, -(2**63), 77, -77):
        text = shapes.symbol_id(NodeId(node))
        assert len(text) == 16
        assert shapes.node_id(text) == node


def test_a_place_is_answered_with_what_is_known(reader: Reader) -> None:
    use = reader.get("definition", path="src/checkout.py", line=6, column=9)
    assert use["outcome"] == "found"
    assert use["items"][0]["symbol"]["qualified_name"] == "Cart.add"
    assert use["items"][0]["edge"]["rule"] == "inferred_type"
    own = reader.get("definition", path="src/cart.py", line=3, column=6)
    assert own["items"][0]["edge"] is None
    nothing = reader.get("definition", path="src/cart.py", line=99, column=0)
    assert (nothing["outcome"], nothing["items"]) == ("unknown", [])
    assert [use["columns"], own["columns"], nothing["columns"]] == [[], [], []]
    beside = reader.get("definition", path="src/cart.py", line=3, column=0)
    assert (beside["outcome"], beside["columns"]) == ("unknown", [6])
    first = reader.get("definition", path="src/cart.py", line=3)
    assert (first["items"], first["columns"]) == (own["items"], [6])
    none = reader.get("definition", path="src/cart.py", line=99)
    assert (none["outcome"], none["items"], none["columns"]) == ("unknown", [], [])
    skipped = reader.get("definition", path="logo.png", line=1, column=0)
    assert (skipped["outcome"], skipped["items"]) == ("not_indexed", [])


def test_paths_with_slashes_and_odd_bytes_have_outlines(client: TestClient, reader: Reader) -> None:
    assert [one["name"] for one in reader.get("files/src/cart.py/outline")["items"]] == [
        "Cart",
        "add",
        "total",
        "money",
    ]
    assert reader.get("files/src%2Fcart.py/outline")["items"]
    assert reader.get("files/src/caf%5Cxe9.py/outline")["items"] == []
    assert reader.get("files/logo.png/outline")["items"] == []
    for absent in ("nothing.py", "src", "../src/cart.py", "%2E%2E/x", "src/cart.py/outline"):
        answer = client.get(f"{reader.base}files/{absent}/outline", headers=reader.headers)
        assert answer.status_code == 404, absent


def test_what_is_not_there_is_a_typed_404(client: TestClient, reader: Reader) -> None:
    for path, code in [
        ("symbols/0123456789abcdef", "symbol_not_found"),
        ("symbols/0123456789abcdef/callers", "symbol_not_found"),
        ("files/none.py/outline", "file_not_found"),
        ("definition?path=none.py&line=1&column=0", "file_not_found"),
        ("files?ref=none", "snapshot_not_found"),
        ("files?commit=" + "9" * 40, "snapshot_not_found"),
    ]:
        answer = client.get(reader.base + path, headers=reader.headers)
        assert (answer.status_code, problem(answer)["code"]) == (404, code)


def test_stats_count_and_rank(reader: Reader) -> None:
    stats = reader.get("stats", most=1)
    assert stats["languages"] == {"python": 4}
    assert [(one["symbol"]["name"], one["uses"]) for one in stats["most_used"]] == [("add", 2)]
    assert reader.get("stats", kind="class")["most_used"][0]["symbol"]["name"] == "Cart"


def test_snapshots_are_listed_newest_first_and_told_in_full(
    client: TestClient, reader: Reader, settings: "Settings", acme: Member, shop: Shop
) -> None:
    page = seeding.Page(shop.repository.number, "zebra.py")
    newer = seeding.ingest(settings, acme.tenant_id, shop.repository, [page], commit="3" * 40)
    listed = reader.get("snapshots")
    assert [one["id"] for one in listed["items"]] == [str(newer.id), str(shop.snapshot.id)]
    first = reader.get("snapshots", limit=1)
    second = reader.get("snapshots", limit=1, cursor=first["next_cursor"])
    assert [one["id"] for one in first["items"] + second["items"]] == [
        one["id"] for one in listed["items"]
    ]
    assert second["next_cursor"] is None
    assert len(reader.get("snapshots", commit="3" * 40)["items"]) == 1
    assert reader.get("snapshots", ref="none")["items"] == []
    detail = client.get(f"/v1/snapshots/{newer.id}", headers=reader.headers).json()
    assert detail["report"]["files"]["total"] == 1
    assert detail["repository_id"] == str(shop.repository.id)
    assert detail["coverage"]["files"] == 1
