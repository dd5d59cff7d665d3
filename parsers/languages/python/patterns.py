"""Patterns of a `case`, and dotted names."""

from tree_sitter import Node

from parsers import rules as common
from parsers.facts import NONE, Op, Role
from parsers.languages.python import targets
from parsers.walk import Walk


def case_pattern(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """In a pattern a bare name is bound, a dotted one is compared."""
    children = node.named_children
    if node.type == "keyword_pattern":
        children = children[1:]  # the attribute's name
    for child in reversed(children):
        if child.type != "dotted_name":
            walk.push(child, scope, dest if len(children) == 1 else NONE)
        elif child.named_child_count > 1:
            dotted(walk, child, NONE, scope, Role.READ)
        elif walk.text(child) != "_":
            targets.bind(walk, child.named_children[0], walk.slot(), scope)


def class_pattern(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`case Type(...)`: what matches is an instance of the type."""
    children = node.named_children
    if not children:
        return
    walk.push_all(children[1:], scope)
    if dest >= 0:
        index = walk.expression(Op.INSTANCE, node, scope, dest, count=1)
        dest = walk.expressions[index].first
    walk.push(children[0], scope, dest)


def splat_pattern(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`*rest` and `**rest` in a pattern."""
    for child in node.named_children:
        targets.bind(walk, child, walk.slot(), scope)


def dotted(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`a.b.c` as one node: members of members."""
    parts = node.named_children
    slot = dest
    for part in reversed(parts[1:]):
        index = walk.expression(
            Op.MEMBER, part, scope, slot, name=walk.text(part), role=role, count=1
        )
        slot, role = walk.expressions[index].first, Role.READ
    if parts:
        common.name(walk, parts[0], slot, scope, role)


__all__ = ["case_pattern", "class_pattern", "dotted", "splat_pattern"]
