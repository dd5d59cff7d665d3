"""Rules that many languages share, made from the names a grammar gives its fields.

Each factory returns a `Rule`: `call("function", "arguments")` is the rule of a node whose callee
stands in the field `function`. What a factory cannot say, a language writes as a function.
"""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Op, Role, ScopeKind
from parsers.language import Rule
from parsers.walk import Walk

# Places where brackets after a type are its arguments: `class A(Generic[T])`.
_DECLARING = (Role.TYPE, Role.BASE, Role.INTERFACE)


# Keys longer than this are not told apart.
_LONGEST_KEY = 80


def ignore(_walk: Walk, _node: Node, _dest: int, _scope: int, _role: int) -> None:
    """Nothing in here is a fact: comments, numbers, operators."""


def through(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """The node's value is that of its first named child: parentheses, statements of one part."""
    children = node.named_children
    if children:
        walk.push_all(children[1:], scope)
        walk.push(children[0], scope, dest, role)


def through_field(field: str) -> Rule:
    """The node's value is that of one field; the other children are visited for their facts."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
        value = node.child_by_field_name(field)
        for child in reversed(node.named_children):
            if child == value:
                walk.push(child, scope, dest, role)
            else:
                walk.push(child, scope)

    return rule


def name(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """An identifier in use."""
    walk.expression(Op.NAME, node, scope, dest, name=walk.text(node), role=role)


def member(object_field: str, name_field: str) -> Rule:
    """`object.name`: positioned at the name."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
        at = node.child_by_field_name(name_field)
        if at is None:
            walk.push_all(node.named_children, scope)
            return
        index = walk.expression(Op.MEMBER, at, scope, dest, name=walk.text(at), role=role, count=1)
        walk.push(
            node.child_by_field_name(object_field),
            scope,
            walk.expressions[index].first,
            Role.TYPE if role == Role.TYPE else Role.READ,
        )

    return rule


def call(callee_field: str, arguments_field: str, *, op: Op = Op.CALL) -> Rule:
    """`callee(arguments)`; with `op=NEW`, the construction of an instance of the callee."""
    callee_role = Role.CALL if op == Op.CALL else Role.CONSTRUCT

    def rule(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
        callee = node.child_by_field_name(callee_field)
        arguments = node.child_by_field_name(arguments_field)
        record_call(walk, node, callee, arguments, scope, dest, op=op, role=callee_role)

    return rule


def record_call(
    walk: Walk,
    node: Node,
    callee: Node | None,
    arguments: Node | None,
    scope: int,
    dest: int,
    *,
    op: Op = Op.CALL,
    role: int = Role.CALL,
) -> int:
    """Record a call or construction; every named child of `arguments` is one argument."""
    values = arguments.named_children if arguments is not None else []
    values = [value for value in values if not value.is_extra]
    index = walk.expression(op, node, scope, dest, count=1 + len(values))
    first = walk.expressions[index].first
    for offset in range(len(values), 0, -1):
        walk.push(values[offset - 1], scope, first + offset)
    walk.push(callee, scope, first, role)
    return index


def literal(type_name: str) -> Rule:
    """A literal of a builtin type, or of none; recorded only where its value goes somewhere."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
        if dest >= 0:
            walk.expression(Op.LITERAL, node, scope, dest, name=type_name)

    return rule


def composite(op: Op, type_name: str = "") -> Rule:
    """An expression whose operands are all its named children: sequences, unions."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
        children = [child for child in node.named_children if not child.is_extra]
        index = walk.expression(op, node, scope, dest, name=type_name, count=len(children))
        first = walk.expressions[index].first
        inner = role if role == Role.TYPE else Role.READ
        for offset in range(len(children) - 1, -1, -1):
            walk.push(children[offset], scope, first + offset, inner)

    return rule


def wrapped(op: Op, field: str = "") -> Rule:
    """An expression with one operand: await, yield, spread. Without a field, the first child."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
        children = node.named_children
        value = node.child_by_field_name(field) if field else (children[0] if children else None)
        index = walk.expression(op, node, scope, dest, count=1)
        walk.push(value, scope, walk.expressions[index].first)

    return rule


def subscript(object_field: str, key_field: str) -> Rule:
    """`object[key]`; a literal key is kept as the expression's name."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
        keys = node.children_by_field_name(key_field)
        text = walk.text(keys[0]).strip("\"'`") if len(keys) == 1 and is_plain(keys[0]) else ""
        declares = role in _DECLARING
        inner = Role.TYPE if declares else Role.READ
        index = walk.expression(
            Op.INDEX, node, scope, dest, name=text, count=1 + len(keys), role=role
        )
        first = walk.expressions[index].first
        for offset in range(len(keys), 0, -1):
            walk.push(keys[offset - 1], scope, first + offset, inner)
        walk.push(node.child_by_field_name(object_field), scope, first, role if declares else inner)

    return rule


def is_plain(node: Node) -> bool:
    """Whether a key is a literal short enough to be told apart by its text."""
    return (
        node.type in ("string", "integer", "number")
        and node.end_byte - node.start_byte < _LONGEST_KEY
    )


def block(kind: ScopeKind = ScopeKind.BLOCK) -> Rule:
    """A region with names of its own."""

    def rule(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
        walk.push_all(node.named_children, walk.open_scope(kind, scope))

    return rule


def anonymous_function(walk: Walk, node: Node, scope: int, dest: int) -> tuple[int, int]:
    """Record a function without a name and its value; give its definition and its scope."""
    definition = walk.define(DefinitionKind.LAMBDA, "", node, node, scope)
    walk.expression(Op.DEFINITION, node, scope, dest, binding=definition)
    return definition, walk.open_scope(ScopeKind.FUNCTION, scope, definition)


__all__ = [
    "NONE",
    "anonymous_function",
    "block",
    "call",
    "composite",
    "ignore",
    "is_plain",
    "literal",
    "member",
    "name",
    "record_call",
    "subscript",
    "through",
    "through_field",
    "wrapped",
]
