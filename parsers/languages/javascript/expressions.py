"""Calls, constructions, templates, JSX and the operators whose value is one of their operands."""

from tree_sitter import Node

from parsers import rules as common
from parsers.facts import NONE, Op, Role
from parsers.languages.javascript import modules, parameters
from parsers.languages.javascript.places import push_type_arguments
from parsers.walk import Walk

_SPECIAL = ("identifier", "import")
_EITHER = frozenset({"||", "??", "&&"})


def call(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A call, an import written as a call, or a tagged template."""
    parts = node.named_children
    if len(parts) < 2:  # noqa: PLR2004 - callee and arguments
        walk.push_all(parts, scope)
        return
    callee, arguments = parts[0], parts[-1]
    kind = callee.type
    if kind in _SPECIAL and _imported(walk, node, callee, arguments, dest, scope):
        return
    for part in parts[1:-1]:
        if part.type == "type_arguments":
            walk.push_all(part.named_children, scope, Role.TYPE)
    values = [value for value in arguments.named_children if not value.is_extra]
    index = walk.expression(Op.CALL, node, scope, dest, count=1 + len(values))
    first = walk.expressions[index].first
    stack = walk.stack
    at = first + len(values)
    for value in reversed(values):
        stack.append((value, at, scope, 0))
        at -= 1
    if kind == "super":
        _base_constructor(walk, node, scope, first)
    elif kind != "import":
        stack.append((callee, first, scope, Role.CALL))


def _imported(walk: Walk, node: Node, callee: Node, arguments: Node, dest: int, scope: int) -> bool:
    """Whether the call is `require('module')` or `import('module')`."""
    if callee.type == "identifier":
        source = modules.require_source(walk, node)
        if source is None:
            return False
        walk.push(callee, scope, NONE, Role.CALL)
        modules.imported(walk, source, modules.WHOLE, source, node, scope, dest)
        return True
    values = arguments.named_children
    if callee.type != "import" or not values or values[0].type != "string":
        return False
    walk.push_all(values[1:], scope)
    modules.imported(walk, values[0], "", values[0], node, scope, dest)
    return True


def member(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`object.name`, positioned at the name."""
    parts = node.named_children
    if len(parts) < 2:  # noqa: PLR2004 - an object and a name
        walk.push_all(parts, scope)
        return
    at = parts[-1]
    index = walk.expression(Op.MEMBER, at, scope, dest, name=walk.text(at), role=role, count=1)
    walk.stack.append((parts[0], walk.expressions[index].first, scope, 0))


def _base_constructor(walk: Walk, at: Node, scope: int, dest: int) -> None:
    """`super(...)` runs the constructor of the base."""
    index = walk.expression(Op.MEMBER, at, scope, dest, name="constructor", role=Role.CALL, count=1)
    walk.expression(Op.SUPER, at, scope, walk.expressions[index].first)


def new(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`new Type(...)`, also without arguments."""
    if node.named_child_count > 2:  # noqa: PLR2004 - more than type and arguments
        push_type_arguments(walk, node, scope)
    callee = node.child_by_field_name("constructor")
    arguments = node.child_by_field_name("arguments")
    common.record_call(walk, node, callee, arguments, scope, dest, op=Op.NEW, role=Role.CONSTRUCT)


def binary(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`a || b` is one of both; of other operators only the operands matter."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if dest >= 0 and operator is not None and operator.type in _EITHER:
        index = walk.expression(Op.UNION, node, scope, dest, count=2)
        first = walk.expressions[index].first
        walk.push(right, scope, first + 1)
        walk.push(left, scope, first)
    else:
        walk.push(right, scope)
        walk.push(left, scope)


def conditional(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`condition ? a : b` is one of a and b."""
    index = walk.expression(Op.UNION, node, scope, dest, count=2)
    first = walk.expressions[index].first
    walk.push(node.child_by_field_name("alternative"), scope, first + 1)
    walk.push(node.child_by_field_name("consequence"), scope, first)
    walk.push(node.child_by_field_name("condition"), scope)


def sequence(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`a, b` is b."""
    children = node.named_children
    if children:
        walk.push(children[-1], scope, dest, role)
        walk.push_all(children[:-1], scope)


def update(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`x++`."""
    walk.push(node.child_by_field_name("argument"), scope, NONE, Role.WRITE)


def template(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A string with expressions in it."""
    if dest >= 0:
        walk.expression(Op.LITERAL, node, scope, dest, name="String")
    walk.push_all(node.named_children, scope)


def this(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """The receiver; where nothing is done with it, nothing is said."""
    if dest < 0:
        return
    declared = parameters.declared_receiver(walk, scope) if "this" in walk.memory else NONE
    if declared >= 0:
        walk.expression(Op.DEFINITION, node, scope, dest, binding=declared)
    else:
        walk.expression(Op.THIS, node, scope, dest)


def super_(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """The receiver seen as its base."""
    if dest >= 0:
        walk.expression(Op.SUPER, node, scope, dest)


def element(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """The tags of JSX: components are used, what the browser knows is not ours."""
    name = node.child_by_field_name("name")
    rest = [child for child in node.named_children if child != name]
    walk.push_all(rest, scope)
    if name is None:
        return
    if name.type == "member_expression" or (
        name.type == "identifier" and not 97 <= walk.data[name.start_byte] <= 122  # noqa: PLR2004 - a to z
    ):
        walk.push(name, scope)


def attribute(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`name={value}`: the name belongs to the component."""
    walk.push_all(node.named_children[1:], scope)


__all__ = [
    "attribute",
    "binary",
    "call",
    "conditional",
    "element",
    "member",
    "new",
    "sequence",
    "super_",
    "template",
    "this",
    "update",
]
