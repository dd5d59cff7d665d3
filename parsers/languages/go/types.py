"""Type declarations and the syntax of types.

`type A = B` is a TYPE_ALIAS with B as its value. A defined type is a type of its own: a STRUCT, an
INTERFACE, or a CLASS whose `type` is the underlying one, as in `type Names []string`.
"""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.languages.go import comments, functions
from parsers.languages.go.variables import exported
from parsers.walk import Walk

_KINDS = {
    "struct_type": DefinitionKind.STRUCT,
    "interface_type": DefinitionKind.INTERFACE,
}


def type_spec(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`type Name ...`, and `type Name = ...`."""
    at = node.child_by_field_name("name")
    value = node.child_by_field_name("type")
    if at is None or value is None:
        walk.push_all(node.named_children, scope)
        return
    name = walk.text(at)
    alias = node.type == "type_alias"
    kind = _KINDS.get(value.type, DefinitionKind.CLASS)
    if alias:
        kind = DefinitionKind.TYPE_ALIAS
    index = walk.define(kind, name, at, node, scope, exported(name))
    definition = walk.definitions[index]
    definition.doc = comments.doc(walk, node)
    opening = _members(value) if value.type in _KINDS and not alias else None
    definition.signature = "type " + walk.signature(node, opening)
    generic = node.child_by_field_name("type_parameters") is not None
    header = walk.open_scope(ScopeKind.BLOCK, scope) if generic else scope
    inner = walk.open_scope(ScopeKind.CLASS, header, index)
    if scope == 0:
        walk.memory["type", name] = inner
    if alias:
        slot = walk.slot()
        definition.values.append(slot)
        walk.push(value, inner, slot, Role.TYPE)
    elif value.type in _KINDS:
        fill(walk, value, index, inner)
    else:
        definition.type = walk.slot()
        walk.push(value, inner, definition.type, Role.TYPE)
    functions.type_parameters(walk, node, header)


def _members(node: Node) -> Node | None:
    """Where the members begin: the brace of a struct or interface."""
    if node.type == "struct_type":
        return node.named_children[0] if node.named_children else None
    return next((child for child in node.children if child.type == "{"), None)


def fill(walk: Walk, node: Node, index: int, scope: int) -> None:
    """The members of a struct or interface, into the CLASS scope of the definition `index`."""
    children = node.named_children
    if node.type == "struct_type" and children:
        children = children[0].named_children
    for child, comment in comments.documented(children):
        comments.remember(walk, child, comment)
        if child.type == "type_elem":
            _embedded_interface(walk, child, index, scope)
    walk.push_all([child for child in children if child.type != "type_elem"], scope)


def _embedded_interface(walk: Walk, node: Node, index: int, scope: int) -> None:
    """An interface takes over the methods of another; a union only constrains."""
    parts = node.named_children
    if len(parts) != 1 or parts[0].type == "negated_type":
        walk.push_all(parts, scope, Role.TYPE)
        return
    slot = walk.slot()
    walk.definitions[index].bases.append(slot)
    walk.push(parts[0], scope, slot, Role.BASE)


def literal_type(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A struct or interface type without a name."""
    index = walk.define(DefinitionKind.OBJECT, "", node, node, scope)
    walk.expression(Op.DEFINITION, node, scope, dest, role=Role.TYPE, binding=index)
    fill(walk, node, index, walk.open_scope(ScopeKind.CLASS, scope, index))


def field(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`A, B T` in a struct; a type alone is embedded and gives the field its name."""
    names = node.children_by_field_name("name")
    declared = node.child_by_field_name("type")
    flags = 0
    if not names:
        flags = Flag.EMBEDDED
        at = _type_name(declared)
        if at is None:
            return
        names = [at]
    slot = walk.slot()
    walk.push(declared, scope, slot, Role.TYPE)
    doc = comments.doc(walk, node)
    for at in names:
        name = walk.text(at)
        if name == "_":
            continue
        index = walk.define(DefinitionKind.FIELD, name, at, node, scope, flags | exported(name))
        definition = walk.definitions[index]
        definition.type = slot
        definition.doc = doc
        definition.signature = walk.signature(node, None)


def _type_name(node: Node | None) -> Node | None:
    """The last identifier of a type's name."""
    while node is not None and node.type != "type_identifier":
        inner = node.child_by_field_name("name") or node.child_by_field_name("type")
        children = node.named_children
        node = inner if inner is not None else (children[0] if children else None)
    return node


def method_element(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A method of an interface."""
    at = node.child_by_field_name("name")
    if at is None:
        return
    name = walk.text(at)
    flags = Flag.ABSTRACT | exported(name)
    index = walk.define(DefinitionKind.METHOD, name, at, node, scope, flags)
    definition = walk.definitions[index]
    definition.signature = walk.signature(node, None)
    definition.doc = comments.doc(walk, node)
    inner = walk.open_scope(ScopeKind.FUNCTION, scope, index)
    functions.signature(walk, node, inner, inner, definition)


def identifier(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """The name of a type; in a conversion or construction the role says so."""
    if role in (Role.READ, Role.WRITE):
        role = Role.TYPE
    walk.expression(Op.NAME, node, scope, dest, name=walk.text(node), role=role)


def qualified(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`package.Name`."""
    children = node.named_children
    if len(children) != 2:  # noqa: PLR2004 - package and name
        return
    package, at = children
    if role in (Role.READ, Role.WRITE):
        role = Role.TYPE
    index = walk.expression(Op.MEMBER, at, scope, dest, name=walk.text(at), role=role, count=1)
    first = walk.expressions[index].first
    walk.expression(Op.NAME, package, scope, first, name=walk.text(package))


def sequence(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`[]T`, `[n]T`, `chan T`."""
    name, field_name = ("chan", "value") if node.type == "channel_type" else ("[]", "element")
    index = walk.expression(Op.SEQUENCE, node, scope, dest, name=name, role=Role.TYPE, count=1)
    first = walk.expressions[index].first
    walk.push(node.child_by_field_name(field_name), scope, first, Role.TYPE)
    walk.push(node.child_by_field_name("length"), scope)


def mapping(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`map[K]V`."""
    index = walk.expression(Op.MAPPING, node, scope, dest, name="map", role=Role.TYPE, count=2)
    first = walk.expressions[index].first
    walk.push(node.child_by_field_name("value"), scope, first + 1, Role.TYPE)
    walk.push(node.child_by_field_name("key"), scope, first, Role.TYPE)


def function_type(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`func(A) B`; the names of its parameters mean nothing."""
    index = walk.expression(Op.FUNCTION_TYPE, node, scope, dest, role=Role.TYPE, count=1)
    result = node.child_by_field_name("result")
    if result is not None:
        functions.result_type(walk, result, walk.expressions[index].first, scope)
    declared = node.child_by_field_name("parameters")
    for parameter in reversed(declared.named_children) if declared is not None else ():
        walk.push(parameter.child_by_field_name("type"), scope, NONE, Role.TYPE)


def generic(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`Name[A, B]`."""
    declared = node.child_by_field_name("type_arguments")
    arguments = [a for a in declared.named_children if not a.is_extra] if declared else []
    index = walk.expression(Op.INDEX, node, scope, dest, role=Role.TYPE, count=1 + len(arguments))
    first = walk.expressions[index].first
    for offset in range(len(arguments), 0, -1):
        walk.push(arguments[offset - 1], scope, first + offset, Role.TYPE)
    walk.push(node.child_by_field_name("type"), scope, first, role or Role.TYPE)


def union(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`A | ~B` in a constraint; one alternative alone is itself."""
    parts = [child for child in node.named_children if not child.is_extra]
    if len(parts) == 1:
        walk.push(parts[0], scope, dest, role or Role.TYPE)
        return
    index = walk.expression(Op.UNION, node, scope, dest, role=Role.TYPE, count=len(parts))
    first = walk.expressions[index].first
    for offset in range(len(parts) - 1, -1, -1):
        walk.push(parts[offset], scope, first + offset, Role.TYPE)
