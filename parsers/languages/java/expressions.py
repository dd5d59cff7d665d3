"""Calls, constructions, members, operators and literals."""

from tree_sitter import Node

from parsers import rules as common
from parsers.facts import NONE, Op, Role
from parsers.language import Rule
from parsers.languages.java import classes
from parsers.walk import Walk

_SUFFIXES = {
    b"L": "long",
    b"l": "long",
    b"f": "float",
    b"F": "float",
    b"d": "double",
    b"D": "double",
}
_HEXADECIMAL = (b"0x", b"0X")
_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">=", "&&", "||"})


def scoped_identifier(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`a.b.C` outside imports: the name of an annotation."""
    at = node.child_by_field_name("name")
    if at is None:
        return
    index = walk.expression(Op.MEMBER, at, scope, dest, name=walk.text(at), role=role, count=1)
    walk.push(node.child_by_field_name("scope"), scope, walk.expressions[index].first)


def annotation(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`@Name(key = value)`: each key is an element of the annotation type."""
    slot = dest if dest >= 0 else walk.slot()
    listed = node.child_by_field_name("arguments")
    for argument in reversed(listed.named_children) if listed is not None else ():
        at = argument.child_by_field_name("key")
        if argument.type != "element_value_pair" or at is None:
            walk.push(argument, scope)
            continue
        walk.push(argument.child_by_field_name("value"), scope)
        index = walk.expression(Op.MEMBER, at, scope, NONE, name=walk.text(at))
        walk.expressions[index].first, walk.expressions[index].count = slot, 1
    walk.push(node.child_by_field_name("name"), scope, slot, Role.DECORATOR)


def invocation(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`name(...)`, `object.name(...)`, `Outer.super.name(...)`."""
    at = node.child_by_field_name("name")
    listed = node.child_by_field_name("arguments")
    receiver = node.child_by_field_name("object")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    arguments = [a for a in listed.named_children if not a.is_extra] if listed is not None else []
    index = walk.expression(Op.CALL, at, scope, dest, count=1 + len(arguments))
    first = walk.expressions[index].first
    for offset in range(len(arguments), 0, -1):
        walk.push(arguments[offset - 1], scope, first + offset)
    walk.push(node.child_by_field_name("type_arguments"), scope, NONE, Role.TYPE)
    name = walk.text(at)
    if receiver is None:
        walk.expression(Op.NAME, at, scope, first, name=name, role=Role.CALL)
        return
    callee = walk.expression(Op.MEMBER, at, scope, first, name=name, role=Role.CALL, count=1)
    walk.push(receiver, scope, walk.expressions[callee].first)


def creation(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`new T(...)`, `outer.new T(...)`, `new T(...) { members }`."""
    type_ = node.child_by_field_name("type")
    listed = node.child_by_field_name("arguments")
    arguments = [a for a in listed.named_children if not a.is_extra] if listed is not None else []
    last = node.named_children[-1]
    members = last if last.type == "class_body" else None
    index = walk.expression(
        Op.NEW, node, scope, NONE if members is not None else dest, count=1 + len(arguments)
    )
    first = walk.expressions[index].first
    if members is not None:
        classes.anonymous_class(walk, members, first, scope, dest)
    for offset in range(len(arguments), 0, -1):
        walk.push(arguments[offset - 1], scope, first + offset)
    outer = node.named_children[0]
    if outer == type_ or outer.type.endswith("annotation") or type_ is None:
        walk.push(type_, scope, first, Role.CONSTRUCT)
    else:
        _inner_type(walk, type_, outer, first, scope)


def _inner_type(walk: Walk, type_: Node, outer: Node, dest: int, scope: int) -> None:
    """The type of `outer.new Inner()`: a member of what outer is an instance of."""
    at = type_
    if type_.type == "generic_type":
        at = type_.named_children[0]
        walk.push_all(type_.named_children[1:], scope, Role.TYPE)
    index = walk.expression(
        Op.MEMBER, at, scope, dest, name=walk.text(at), role=Role.CONSTRUCT, count=1
    )
    walk.push(outer, scope, walk.expressions[index].first)


def array_creation(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`new T[n]`, `new T[] {...}`."""
    index = walk.expression(Op.INSTANCE, node, scope, dest, count=1)
    sequence = walk.expression(
        Op.SEQUENCE,
        node,
        scope,
        walk.expressions[index].first,
        name="[]",
        role=Role.TYPE,
        count=1,
    )
    walk.push(node.child_by_field_name("value"), scope)
    walk.push_all(node.children_by_field_name("dimensions"), scope)
    type_ = node.child_by_field_name("type")
    walk.push(type_, scope, walk.expressions[sequence].first, Role.TYPE)


def field_access(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`object.name`; `Outer.this` is an instance of Outer."""
    at = node.child_by_field_name("field")
    receiver = node.child_by_field_name("object")
    if at is None or receiver is None:
        return
    if at.type == "this":
        index = walk.expression(Op.INSTANCE, at, scope, dest, count=1)
        walk.push(receiver, scope, walk.expressions[index].first, Role.TYPE)
        return
    index = walk.expression(Op.MEMBER, at, scope, dest, name=walk.text(at), role=role, count=1)
    walk.push(receiver, scope, walk.expressions[index].first)


def method_reference(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`object::name`, `Type::new`."""
    children = [child for child in node.named_children if child.type != "type_arguments"]
    receiver = children[0]
    at = children[-1]
    if len(children) == 1:
        index = walk.expression(Op.FUNCTION_TYPE, node, scope, dest, count=1)
        walk.push(receiver, scope, walk.expressions[index].first, Role.TYPE)
        return
    index = walk.expression(Op.MEMBER, at, scope, dest, name=walk.text(at), count=1)
    walk.push(receiver, scope, walk.expressions[index].first)


def number(plain: str) -> Rule:
    """A number: its last letter can say another type than the plain one."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
        if dest >= 0:
            suffix = walk.data[node.end_byte - 1 : node.end_byte]
            name = _SUFFIXES.get(suffix, plain)
            if name != "long" and walk.data[node.start_byte : node.start_byte + 2] in _HEXADECIMAL:
                name = plain
            walk.expression(Op.LITERAL, node, scope, dest, name=name)

    return rule


def binary(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """Comparisons are boolean, a sum with a string is one; else the operands tell the type."""
    children = node.named_children
    if dest < 0 or len(children) < 2:  # noqa: PLR2004 - two operands
        walk.push_all(children, scope)
        return
    operator = node.children[1].type
    text = operator == "+" and any(child.type == "string_literal" for child in children)
    if text or operator in _COMPARISONS:
        walk.expression(Op.LITERAL, node, scope, dest, name="String" if text else "boolean")
        walk.push_all(children, scope)
    elif operator == "+":
        common.composite(Op.UNION)(walk, node, dest, scope, Role.READ)
    else:
        common.through(walk, node, dest, scope, Role.READ)


def cast(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`(T) value`, `(A & B) value`."""
    index = walk.expression(Op.CAST, node, scope, dest, count=2)
    first = walk.expressions[index].first
    walk.push(node.child_by_field_name("value"), scope, first + 1)
    declared = node.children_by_field_name("type")
    walk.push_all(declared[1:], scope, Role.TYPE)
    if declared:
        walk.push(declared[0], scope, first, Role.TYPE)


def class_literal(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`T.class`: a `Class<T>`."""
    index = walk.expression(Op.INSTANCE, node, scope, dest, count=1)
    slot = walk.expressions[index].first
    type_ = walk.expression(Op.SEQUENCE, node, scope, slot, name="Class", role=Role.TYPE, count=1)
    children = node.named_children
    walk.push_all(children[1:], scope, Role.TYPE)
    walk.push(children[0], scope, walk.expressions[type_].first, Role.TYPE)


def ternary(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`condition ? a : b` is one of a and b."""
    index = walk.expression(Op.UNION, node, scope, dest, count=2)
    first = walk.expressions[index].first
    walk.push(node.child_by_field_name("alternative"), scope, first + 1)
    walk.push(node.child_by_field_name("consequence"), scope, first)
    walk.push(node.child_by_field_name("condition"), scope)


def assignment(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`target = value`, which is the value."""
    walk.push(node.child_by_field_name("right"), scope, dest)
    walk.push(node.child_by_field_name("left"), scope, NONE, Role.WRITE)


def update(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`x++`."""
    children = node.named_children
    if children:
        walk.push(children[0], scope, dest, Role.WRITE)


def receiver(op: Op) -> Rule:
    """`this` and `super`."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
        if dest >= 0:
            walk.expression(op, node, scope, dest)

    return rule


def string(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A string or text block; interpolation is visited for its facts."""
    if dest >= 0:
        walk.expression(Op.LITERAL, node, scope, dest, name="String")
    if node.named_child_count > 1:
        walk.push_all([c for c in node.named_children if c.type == "string_interpolation"], scope)
