"""The syntax of types, as operands of declarations and expressions."""

from tree_sitter import Node

from parsers.facts import Op, Role
from parsers.walk import Walk

_READS = (Role.READ, Role.WRITE)


def identifier(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """The name of a type; `var` is none."""
    name = walk.text(node)
    if name != "var":
        role = Role.TYPE if role in _READS else role
        walk.expression(Op.NAME, node, scope, dest, name=name, role=role)


def scoped(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`Outer.Inner`, `java.util.List`."""
    parts = [child for child in node.named_children if child.type.endswith("type_identifier")]
    if not parts or parts[-1].type != "type_identifier":
        walk.push_all(node.named_children, scope, Role.TYPE)
        return
    at = parts[-1]
    role = Role.TYPE if role in _READS else role
    index = walk.expression(Op.MEMBER, at, scope, dest, name=walk.text(at), role=role, count=1)
    outer = next((child for child in node.named_children if not child.is_extra), None)
    if outer is not None and outer.start_byte != at.start_byte:
        walk.push(outer, scope, walk.expressions[index].first, Role.TYPE)


def generic(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`Name<A, B>`."""
    children = node.named_children
    declared = children[-1]
    arguments = [a for a in declared.named_children if not a.is_extra]
    if declared.type != "type_arguments":
        arguments = []
    index = walk.expression(Op.INDEX, node, scope, dest, role=Role.TYPE, count=1 + len(arguments))
    first = walk.expressions[index].first
    for offset in range(len(arguments), 0, -1):
        walk.push(arguments[offset - 1], scope, first + offset, Role.TYPE)
    walk.push(children[0], scope, first, Role.TYPE if role in _READS else role)


def array(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`T[]`."""
    index = walk.expression(Op.SEQUENCE, node, scope, dest, name="[]", role=Role.TYPE, count=1)
    first = walk.expressions[index].first
    walk.push(node.child_by_field_name("element"), scope, first, Role.TYPE)


def primitive(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`int`, `boolean`: types without members."""
    if dest >= 0:
        walk.expression(Op.LITERAL, node, scope, dest, name=walk.text(node), role=Role.TYPE)


def annotated(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`@NonNull T`, `? extends T`: the type is what comes last."""
    children = node.named_children
    if children:
        walk.push(children[-1], scope, dest, Role.TYPE if role in _READS else role)
        walk.push_all(children[:-1], scope)


def alternatives(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`A | B` of a catch clause, `A & B` of a bound."""
    children = [child for child in node.named_children if not child.is_extra]
    if len(children) == 1:
        walk.push(children[0], scope, dest, Role.TYPE)
        return
    index = walk.expression(Op.UNION, node, scope, dest, role=Role.TYPE, count=len(children))
    first = walk.expressions[index].first
    for offset in range(len(children) - 1, -1, -1):
        walk.push(children[offset], scope, first + offset, Role.TYPE)
