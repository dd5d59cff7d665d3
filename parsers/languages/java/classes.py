"""Classes, interfaces, enums, records, annotation types, and their fields.

The type parameters of a class stand in a scope of their own around its CLASS scope: the names of
its bases see them, but not the members that come from those very bases.
"""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.languages.java import comments
from parsers.walk import Walk

_KINDS = {
    "class_declaration": DefinitionKind.CLASS,
    "record_declaration": DefinitionKind.CLASS,
    "annotation_type_declaration": DefinitionKind.CLASS,
    "interface_declaration": DefinitionKind.INTERFACE,
    "enum_declaration": DefinitionKind.ENUM,
}
_FLAGS = {
    "public": Flag.EXPORTED,
    "protected": Flag.EXPORTED,
    "static": Flag.STATIC,
    "abstract": Flag.ABSTRACT,
}


def package(walk: Walk, node: Node, _dest: int, _scope: int, _role: int) -> None:
    """`package a.b;`."""
    for child in node.named_children:
        if child.type in ("scoped_identifier", "identifier"):
            walk.package = "".join(walk.text(child).split())


def body(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """The members of a class, or the declarations of a file."""
    children = node.named_children
    comments.remember(walk, children)
    walk.push_all(children, scope)


def modifiers(node: Node) -> tuple[Node | None, int]:
    """The modifiers of a declaration and the flags they stand for."""
    found = node.named_child(0) if node.named_child_count else None
    if found is None or found.type != "modifiers":
        return None, 0
    flags = 0
    for child in found.children:
        flags |= _FLAGS.get(child.type, 0)
    return found, flags


def public(walk: Walk, scope: int) -> int:
    """The flag of members that are public without saying so: those of an interface."""
    owner = walk.scopes[scope].definition
    interface = owner >= 0 and walk.definitions[owner].kind == DefinitionKind.INTERFACE
    return Flag.EXPORTED if interface else 0


def decorate(walk: Walk, node: Node | None, index: int, scope: int) -> None:
    """Attach the annotations among the modifiers to the definition `index`."""
    if node is None or not node.named_child_count:
        return
    for child in reversed(node.named_children):
        if child.is_extra:
            continue
        slot = walk.slot()
        walk.definitions[index].decorators.insert(0, slot)
        walk.push(child, scope, slot)


def class_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """Any declaration of a named type."""
    at = node.child_by_field_name("name")
    members = node.child_by_field_name("body")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    annotations, flags = modifiers(node)
    flags |= public(walk, scope)
    index = walk.define(_KINDS[node.type], walk.text(at), at, node, scope, flags)
    definition = walk.definitions[index]
    definition.signature = walk.signature(annotated_start(node, annotations), members)
    definition.doc = comments.doc(walk, node)
    declared = node.child_by_field_name("type_parameters")
    header = walk.open_scope(ScopeKind.BLOCK, scope) if declared is not None else scope
    inner = walk.open_scope(ScopeKind.CLASS, header, index)
    walk.push(members, inner)
    if node.type == "record_declaration":
        _components(walk, node, members, inner)
    _heritage(walk, node, index, header)
    type_parameters(walk, declared, header)
    decorate(walk, annotations, index, scope)


def annotated_start(node: Node, annotations: Node | None) -> Node:
    """Where a signature begins: behind the annotations."""
    if annotations is None:
        return node
    for child in annotations.children:
        if not child.is_named:
            return child
    following = annotations.next_sibling
    return following if following is not None else node


def _heritage(walk: Walk, node: Node, index: int, scope: int) -> None:
    bases: list[tuple[Node, Role]] = []
    for child in node.named_children:
        match child.type:
            case "superclass":
                bases += [(part, Role.BASE) for part in child.named_children]
            case "super_interfaces" | "extends_interfaces":
                role = Role.INTERFACE if child.type == "super_interfaces" else Role.BASE
                for types in child.named_children:
                    bases += [(part, role) for part in types.named_children]
            case "permits":
                walk.push_all(child.named_children, scope, Role.TYPE)
            case _:
                pass
    for base, role in reversed(bases):
        if not base.is_extra:
            slot = walk.slot()
            walk.definitions[index].bases.insert(0, slot)
            walk.push(base, scope, slot, role)


def type_parameters(walk: Walk, declared: Node | None, scope: int) -> None:
    """`<T extends Bound & Other>`."""
    for parameter in declared.named_children if declared is not None else ():
        at = next((c for c in parameter.named_children if c.type == "type_identifier"), None)
        if at is None:
            continue
        flags = Flag.LOCAL
        index = walk.define(
            DefinitionKind.TYPE_PARAMETER, walk.text(at), at, parameter, scope, flags
        )
        for child in parameter.named_children:
            if child.type == "type_bound":
                slot = walk.definitions[index].type = walk.slot()
                walk.push(child, scope, slot, Role.TYPE)


def _components(walk: Walk, node: Node, members: Node | None, scope: int) -> None:
    """A record's components are fields, each with an accessor unless the body declares it."""
    declared = node.child_by_field_name("parameters")
    own = set()
    for member in members.named_children if members is not None else ():
        parameters = member.child_by_field_name("parameters")
        at = member.child_by_field_name("name")
        if at is not None and parameters is not None and not parameters.named_child_count:
            own.add(walk.text(at))
    for parameter in reversed(declared.named_children) if declared is not None else ():
        at, type_ = parameter_parts(parameter)
        if at is None:
            continue
        name = walk.text(at)
        slot = walk.slot()
        index = walk.define(DefinitionKind.FIELD, name, at, parameter, scope)
        walk.definitions[index].type = slot
        walk.memory["component", scope, name] = slot
        if name not in own:
            accessor = walk.define(DefinitionKind.METHOD, name, at, parameter, scope, Flag.EXPORTED)
            walk.definitions[accessor].type = slot
        walk.push(type_, scope, slot, Role.TYPE)
        decorate(walk, modifiers(parameter)[0], index, scope)


def parameter_parts(parameter: Node) -> tuple[Node | None, Node | None]:
    """The name and the type of a parameter."""
    if parameter.type != "spread_parameter":
        return parameter.child_by_field_name("name"), parameter.child_by_field_name("type")
    parts = [c for c in parameter.named_children if c.type != "modifiers" and not c.is_extra]
    if len(parts) < 2 or parts[-1].type != "variable_declarator":  # noqa: PLR2004 - type and name
        return None, None
    return parts[-1].child_by_field_name("name"), parts[0]


def field(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`T a = 1, b;` in a class, and constants of an interface."""
    annotations, flags = modifiers(node)
    if node.type == "constant_declaration":
        flags |= Flag.EXPORTED | Flag.STATIC
    slot = walk.slot()
    doc = comments.doc(walk, node)
    signature = walk.signature(annotated_start(node, annotations), None)
    for declarator in reversed(node.children_by_field_name("declarator")):
        at = declarator.child_by_field_name("name")
        if at is None:
            continue
        index = walk.define(DefinitionKind.FIELD, walk.text(at), at, node, scope, flags)
        definition = walk.definitions[index]
        definition.type, definition.doc, definition.signature = slot, doc, signature
        value = declarator.child_by_field_name("value")
        if value is not None:
            value_slot = walk.slot()
            definition.values.append(value_slot)
            walk.push(value, scope, value_slot)
        decorate(walk, annotations, index, scope)
        annotations = None
    walk.push(node.child_by_field_name("type"), scope, slot, Role.TYPE)


def enum_constant(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`NAME(arguments) { members }`: a member that runs the enum's constructor."""
    at = node.child_by_field_name("name")
    if at is None:
        return
    flags = Flag.EXPORTED | Flag.STATIC
    index = walk.define(DefinitionKind.ENUM_MEMBER, walk.text(at), at, node, scope, flags)
    walk.definitions[index].doc = comments.doc(walk, node)
    owner = walk.scopes[scope].definition
    slot = walk.slot()
    walk.definitions[index].values.append(slot)
    if owner < 0:
        return
    listed = node.child_by_field_name("arguments")
    arguments = [a for a in listed.named_children if not a.is_extra] if listed is not None else []
    new = walk.expression(Op.NEW, at, scope, slot, count=1 + len(arguments))
    first = walk.expressions[new].first
    name = walk.definitions[owner].name
    walk.expression(Op.NAME, at, scope, first, name=name, role=Role.CONSTRUCT)
    members = node.child_by_field_name("body")
    if members is not None:
        anonymous_class(walk, members, first, scope, NONE)
    for offset in range(len(arguments), 0, -1):
        walk.push(arguments[offset - 1], scope, first + offset)
    decorate(walk, modifiers(node)[0], index, scope)


def anonymous_class(walk: Walk, members: Node, base_slot: int, scope: int, dest: int) -> None:
    """The body of a class without a name, whose base is the type in `base_slot`."""
    index = walk.define(DefinitionKind.OBJECT, "", members, members, scope)
    walk.definitions[index].bases.append(base_slot)
    walk.push(members, walk.open_scope(ScopeKind.CLASS, scope, index))
    if dest >= 0:
        walk.expression(Op.DEFINITION, members, scope, dest, binding=index)
