"""The comment right above a declaration, remembered while walking down.

The walk meets a comment just before what follows it, so the last one met is the one above. Asking
a node for its predecessor would make the library scan all its siblings.
"""

from tree_sitter import Node

from parsers.walk import Walk

_START, _END = "comment start", "comment end"
_NOWHERE = -9  # a row that no comment above a declaration ends on
# Orders to tools say nothing about the code below them.
_ORDERS = ("eslint", "@ts-", "prettier-", "istanbul", "c8 ", "v8 ", "jshint", "biome-", "tslint")


def comment(walk: Walk, node: Node, _dest: int, _scope: int, _role: int) -> None:
    """Remember the comment, or the first of several lines of them; one behind code is no doc."""
    start = node.start_byte
    row, column = node.start_point
    if column and not walk.data[start - column : start].isspace():
        return
    memory = walk.memory
    if memory.get(_END, _NOWHERE) != row - 1 or walk.data[start + 1] != ord("/"):
        memory[_START] = start
    memory[_END] = node.end_point[0]


def doc(walk: Walk, node: Node) -> str:
    """What the comment right above `node` says first."""
    row = node.start_point[0]
    if row - walk.memory.get(_END, _NOWHERE) not in (0, 1):
        return ""
    start = walk.memory[_START]
    if start > node.start_byte:
        return ""
    said = walk.doc(walk.data[start : node.start_byte].decode("utf-8", "replace"))
    return "" if said.startswith(_ORDERS) else said


__all__ = ["comment", "doc"]
