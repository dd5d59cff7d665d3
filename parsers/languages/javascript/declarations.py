"""Declarations that only TypeScript has: interfaces, aliases, object types, enums, namespaces."""

from collections.abc import Sequence

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.languages.javascript import classes, comments, parameters
from parsers.languages.javascript.places import flags_of, plain_key, typed
from parsers.walk import Walk


def interface(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`interface Name<T> extends A, B {}`."""
    at, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    index = walk.define(DefinitionKind.INTERFACE, walk.text(at), at, node, scope, flags_of(role))
    inner = walk.open_scope(ScopeKind.CLASS, scope, index)
    _describe(walk, node, body, index)
    if body is not None:
        _members(walk, body.named_children, index, inner)
    for clause in node.named_children:
        if clause.type == "extends_type_clause":
            for base in reversed(clause.named_children):
                classes.record_base(walk, base, None, index, inner, Role.BASE)
    parameters.types(walk, node, inner)


def _describe(walk: Walk, node: Node, body: Node | None, index: int) -> None:
    definition = walk.definitions[index]
    definition.signature = walk.signature(node, body)
    definition.doc = comments.doc(walk, node)


def _members(walk: Walk, children: Sequence[Node], index: int, inner: int) -> None:
    pushed = walk.stack
    mark = len(pushed)
    groups = []
    for child in children:
        match child.type:
            case "comment":
                comments.comment(walk, child, NONE, inner, 0)
                continue
            case "property_signature":
                _property(walk, child, inner)
            case "method_signature":
                classes.method(walk, child, inner)
            case "call_signature" if walk.definitions[index].type < 0:
                # A call of the value runs this; `Types.underlying` reads it.
                slot = walk.definitions[index].type = walk.slot()
                walk.push(child, inner, slot)
            case _:
                walk.push(child, inner)
        groups.append(pushed[mark:])
        del pushed[mark:]
    for group in reversed(groups):
        pushed.extend(group)


def _property(walk: Walk, node: Node, inner: int) -> None:
    at = node.child_by_field_name("name")
    if at is None:
        walk.push_all(node.named_children, inner)
        return
    name = plain_key(walk, at)
    if not name:
        walk.push_all(node.named_children, inner)
        return
    index = walk.define(DefinitionKind.FIELD, name, at, node, inner, Flag.EXPORTED)
    definition = walk.definitions[index]
    definition.doc = comments.doc(walk, node)
    definition.type = typed(walk, node.child_by_field_name("type"), inner)
    walk.memory[inner, name] = index


def object_type(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`{ a: A; b(): B }` as a type."""
    children = node.named_children
    if len(children) == 1 and children[0].type == "index_signature":
        walk.push(children[0], scope)
        return
    index = walk.define(DefinitionKind.OBJECT, "", node, node, scope)
    walk.expression(Op.DEFINITION, node, scope, dest, binding=index, role=Role.TYPE)
    inner = walk.open_scope(ScopeKind.CLASS, scope, index)
    _members(walk, children, index, inner)


def alias(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`type Name<T> = ...`."""
    at = node.child_by_field_name("name")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    index = walk.define(DefinitionKind.TYPE_ALIAS, walk.text(at), at, node, scope, flags_of(role))
    _describe(walk, node, None, index)
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    slot = walk.slot()
    walk.definitions[index].values.append(slot)
    walk.push(node.child_by_field_name("value"), inner, slot, Role.TYPE)
    parameters.types(walk, node, inner)


def enum(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`enum Name { A, B = 1 }`: its members see each other."""
    at, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    index = walk.define(DefinitionKind.ENUM, walk.text(at), at, node, scope, flags_of(role))
    inner = walk.open_scope(ScopeKind.NAMESPACE, scope, index)
    _describe(walk, node, body, index)
    for child in body.named_children if body is not None else ():
        if child.type == "comment":
            comments.comment(walk, child, NONE, inner, 0)
            continue
        assigned = child.type == "enum_assignment"
        key = child.child_by_field_name("name") if assigned else child
        name = plain_key(walk, key) if key is not None else ""
        if key is not None and name:
            member = walk.define(DefinitionKind.ENUM_MEMBER, name, key, child, inner, Flag.EXPORTED)
            walk.definitions[member].doc = comments.doc(walk, child)
        if assigned:
            walk.push(child.child_by_field_name("value"), inner)


def namespace(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`namespace A.B {}`, `module A {}`, `declare module 'name' {}`."""
    at, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if at is None or body is None:
        return
    inner = scope
    for part in _path(at):
        inner = _opened(walk, part, node, inner, flags_of(role))
        role = Role.EXPORT
    # Everything in an ambient namespace is visible from outside.
    walk.push_all(body.named_children, inner)


def _path(node: Node) -> list[Node]:
    parts: list[Node] = []
    while node.type in ("nested_identifier", "member_expression"):
        name, rest = node.child_by_field_name("property"), node.child_by_field_name("object")
        if name is None or rest is None:
            break
        parts.append(name)
        node = rest
    parts.append(node)
    return parts[::-1]


def _opened(walk: Walk, at: Node, node: Node, scope: int, flags: int) -> int:
    """The scope of a namespace; declared again, it is the same."""
    name = walk.text(at)
    if at.type == "string":
        name, scope = name[1:-1], walk.open_scope(ScopeKind.BLOCK, scope)
    index = walk.define(DefinitionKind.NAMESPACE, name, at, node, scope, flags)
    walk.definitions[index].doc = comments.doc(walk, node)
    known = walk.memory.get(("namespace", scope, name), NONE)
    if known >= 0:
        walk.definitions[index].body = known
        return known
    inner = walk.open_scope(ScopeKind.NAMESPACE, scope, index)
    walk.memory["namespace", scope, name] = inner
    return inner


def import_alias(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`import Name = A.B`: another name for what may be a namespace, a type or a value."""
    children = node.named_children
    if len(children) != 2:  # noqa: PLR2004 - a name and what it stands for
        walk.push_all(children, scope)
        return
    at = children[0]
    index = walk.define(DefinitionKind.CONSTANT, walk.text(at), at, node, scope, flags_of(role))
    slot = walk.slot()
    walk.definitions[index].values.append(slot)
    walk.push(children[1], scope, slot)


__all__ = ["alias", "enum", "import_alias", "interface", "namespace", "object_type"]
