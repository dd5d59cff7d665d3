"""Types, and strings, which may hold some."""

from tree_sitter import Node

from parsers.facts import DefinitionKind, Flag, Op, Role
from parsers.languages.python import annotations
from parsers.walk import Walk

_PREFIXED = frozenset(b"fFrRtTbBuU")


def string(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """A string: an annotation where a type is expected, else its text and what it interpolates."""
    prefixed = walk.data[node.start_byte] in _PREFIXED
    if dest < 0 and role != Role.TYPE and not prefixed:
        return  # most strings: nobody asks for their value
    children = node.named_children
    if prefixed:
        walk.push_all([c for c in children if c.type == "interpolation"], scope)
        if dest >= 0:
            walk.expression(Op.LITERAL, node, scope, dest, name="str")
        return
    content = children[1] if len(children) == 3 else None  # noqa: PLR2004 - quotes around text
    if role == Role.TYPE and content is not None:  # noqa: SIM102 - reading is the condition's work
        if annotations.record(walk, node, walk.text(content), dest, scope):
            return
    if dest >= 0:
        short = content is not None and content.end_byte - content.start_byte < 80  # noqa: PLR2004
        if short and content is not None:
            walk.expression(Op.STRING, node, scope, dest, name=walk.text(content))
        else:
            walk.expression(Op.LITERAL, node, scope, dest, name="str")


def none(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`None` is a type of its own only where it stands alone: it has no member to look for."""
    parent = node.parent if role == Role.TYPE and dest >= 0 else None
    if parent is not None and parent.type not in ("binary_operator", "union_type"):
        walk.expression(Op.LITERAL, node, scope, dest, name="None")


def generic_type(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`List[Foo]` as an annotation."""
    children = node.named_children
    keys = children[1].named_children if len(children) > 1 else []
    index = walk.expression(Op.INDEX, node, scope, dest, count=1 + len(keys), role=Role.TYPE)
    first = walk.expressions[index].first
    for offset in range(len(keys), 0, -1):
        walk.push(keys[offset - 1], scope, first + offset, Role.TYPE)
    if children:
        walk.push(children[0], scope, first, Role.TYPE)


def type_alias(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`type Name = ...`."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    at = left
    while at is not None and at.named_children and at.type != "identifier":
        at = at.named_children[0]
    if at is None:
        return
    home = walk.function_scope(scope)
    index = walk.define(DefinitionKind.TYPE_ALIAS, walk.text(at), at, node, home, Flag.EXPORTED)
    slot = walk.slot()
    walk.definitions[index].values.append(slot)
    walk.push(right, scope, slot, Role.TYPE)


__all__ = ["generic_type", "none", "string", "type_alias"]
