"""What is asked of a snapshot."""

from service.examples.story import COMMIT, FINISHED_AT, LAST_PAGE, SNAPSHOT, Examples

_ANSWERED_BY = {
    "snapshot": {"id": SNAPSHOT, "commit": COMMIT, "ref": "main", "published_at": FINISHED_AT},
    "coverage": {
        "files": 214,
        "parsed": 201,
        "skipped": {"binary": 13},
        "unresolved_ratio": 0.0312,
    },
}
_ADD = {
    "id": "8d1f0c2a9be47731",
    "kind": "method",
    "name": "add",
    "qualified_name": "Cart.add",
    "external": False,
    "path": "src/cart.py",
    "line": 12,
    "column": 8,
    "language": "python",
    "start_line": 12,
    "end_line": 19,
    "parent": "c7702be15f0d9a46",
    "flags": ["exported"],
    "signature": "def add(self, item: Item, count: int = 1) -> None",
    "doc": "Put an item into the cart.",
}
_CALL = {
    "symbol": {
        "id": "41c09e7d5b2a6f83",
        "kind": "function",
        "name": "checkout",
        "qualified_name": "checkout",
        "external": False,
        "path": "src/checkout.py",
        "line": 4,
        "column": 4,
    },
    "edge": {
        "kind": "calls",
        "certainty": "inferred",
        "rule": "inferred_type",
        "candidates": 1,
        "site": {"path": "src/checkout.py", "line": 7, "column": 9},
    },
}

EXAMPLES = {
    "search_symbols": Examples(
        answers={"a method": {**_ANSWERED_BY, "items": [_ADD], **LAST_PAGE}}
    ),
    "list_callers": Examples(answers={"one call": {**_ANSWERED_BY, "items": [_CALL], **LAST_PAGE}}),
}
