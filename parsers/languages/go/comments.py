"""The comment above a declaration, found while walking down.

Asking a node for its predecessor would make the library scan all its siblings.
"""

from collections.abc import Iterator, Sequence

from tree_sitter import Node

from parsers.facts import NONE
from parsers.walk import Walk


def documented(children: Sequence[Node]) -> Iterator[tuple[Node, Node | None]]:
    """Each node that is no comment, with the first of the comment lines right above it."""
    first: Node | None = None
    last_row = -2
    for child in children:
        if child.type != "comment":
            yield child, first if last_row == child.start_point[0] - 1 else None
            first = None
            last_row = child.end_point[0]
        elif first is not None and child.start_point[0] == last_row + 1:
            last_row = child.end_point[0]
        elif child.start_point[0] != last_row:
            first, last_row = child, child.end_point[0]


def remember(walk: Walk, node: Node, comment: Node | None) -> None:
    """Keep a comment for when the definition in `node` is recorded."""
    if comment is not None:
        walk.memory["doc", node.start_byte] = comment.start_byte


def doc(walk: Walk, node: Node) -> str:
    """The first line of the comment that was kept for `node`."""
    start = walk.memory.get(("doc", node.start_byte), NONE)
    if start < 0:
        return ""
    return walk.doc(walk.data[start : node.start_byte].decode("utf-8", "replace"))
