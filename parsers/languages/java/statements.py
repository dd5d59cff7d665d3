"""Local variables and the statements and patterns that bind them."""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Expression, Flag, Op, Role, ScopeKind
from parsers.languages.java import classes
from parsers.walk import Walk

_LABEL = "label"


def _local(walk: Walk, at: Node, scope: int, type_: Node | None) -> int:
    """Define a local variable; visiting its type is pushed."""
    index = walk.define(DefinitionKind.VARIABLE, walk.text(at), at, at, scope, Flag.LOCAL)
    if type_ is not None and walk.text(type_) != "var":
        slot = walk.definitions[index].type = walk.slot()
        walk.push(type_, scope, slot, Role.TYPE)
    return index


def declaration(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`T a = 1, b;`."""
    type_ = node.child_by_field_name("type")
    written = type_ is not None and walk.text(type_) != "var"
    slot = walk.slot() if written else NONE
    found = classes.modifiers(node)[0]
    for declarator in reversed(node.children_by_field_name("declarator")):
        at = declarator.child_by_field_name("name")
        if at is None:
            continue
        index = walk.define(DefinitionKind.VARIABLE, walk.text(at), at, at, scope, Flag.LOCAL)
        walk.definitions[index].type = slot
        value = declarator.child_by_field_name("value")
        if value is not None:
            value_slot = walk.slot()
            walk.definitions[index].values.append(value_slot)
            walk.push(value, scope, value_slot)
    if written:
        walk.push(type_, scope, slot, Role.TYPE)
    walk.push(found, scope)


def enhanced_for(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`for (T element : container)`."""
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    at = node.child_by_field_name("name")
    walk.push(node.child_by_field_name("body"), inner)
    if at is not None:
        index = _local(walk, at, inner, node.child_by_field_name("type"))
        slot = walk.slot()
        walk.definitions[index].values.append(slot)
        iterate = walk.expression(Op.ITERATE, at, scope, slot, count=1)
        value = node.child_by_field_name("value")
        walk.push(value, scope, walk.expressions[iterate].first)


def resource(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`T name = value` in the head of a try, or a variable that exists already."""
    at = node.child_by_field_name("name")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    value = node.child_by_field_name("value")
    slot = walk.slot()
    walk.push(value, scope, slot)
    index = _local(walk, at, scope, node.child_by_field_name("type"))
    walk.definitions[index].values.append(slot)


def catch_parameter(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`catch (A | B name)`."""
    at = node.child_by_field_name("name")
    if at is not None:
        type_ = next((c for c in node.named_children if c.type == "catch_type"), None)
        _local(walk, at, scope, type_)


def if_statement(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A pattern's variable lives in the branches, or after `if (!(x instanceof T v)) return;`."""
    condition = node.child_by_field_name("condition")
    negated = condition is not None and walk.data[condition.start_byte + 1] == ord("!")
    inner = scope if negated else walk.open_scope(ScopeKind.BLOCK, scope)
    walk.push_all(node.named_children, inner)


def instanceof(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`value instanceof T name`, or a record pattern."""
    if dest >= 0:
        walk.expression(Op.LITERAL, node, scope, dest, name="boolean")
    at = node.child_by_field_name("name")
    type_ = node.child_by_field_name("right")
    pattern = node.child_by_field_name("pattern")
    walk.push(pattern, scope)
    if at is not None:
        _local(walk, at, scope, type_)
    else:
        walk.push(type_, scope, NONE, Role.TYPE)
    walk.push(node.child_by_field_name("left"), scope)


def typed_pattern(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`T name`: a type pattern, or a component of a record pattern."""
    parts = [child for child in node.named_children if not child.is_extra]
    if len(parts) >= 2 and parts[-1].type == "identifier":  # noqa: PLR2004 - type and name
        _local(walk, parts[-1], scope, parts[-2])
    else:
        walk.push_all(parts, scope)


def record_pattern(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`Point(int x, int y)`."""
    children = node.named_children
    walk.push_all(children[1:], scope)
    walk.push(children[0], scope, NONE, Role.TYPE)


def switch(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A switch; its labels may name constants of the enum that is switched on."""
    condition = node.child_by_field_name("condition")
    block = node.child_by_field_name("body")
    slot = walk.slot()
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    groups = block.named_children if block is not None else []
    for group in groups:
        for label in group.named_children:
            if label.type == "switch_label":
                walk.memory[_LABEL, "of", label.start_byte] = slot
    walk.push_all(groups, inner)
    walk.push(condition, scope, slot)
    del dest


def switch_label(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`case A, B ->`: a bare name is a constant of the enum, if it is not a constant in sight."""
    slot = walk.memory.get((_LABEL, "of", node.start_byte), NONE)
    for child in reversed(node.named_children):
        if child.type != "identifier" or slot < 0:
            walk.push(child, scope)
            continue
        index = walk.expression(Op.MEMBER, child, scope, NONE, name=walk.text(child))
        walk.expressions[index].first, walk.expressions[index].count = slot, 1
        walk.memory[_LABEL, "use", index] = slot


def settle_labels(walk: Walk) -> None:
    """Labels are plain names after all where each of a switch is a field or import of this file."""
    switches: dict[int, list[Expression]] = {}
    for key, slot in walk.memory.items():
        if isinstance(key, tuple) and key[:2] == (_LABEL, "use"):
            switches.setdefault(slot, []).append(walk.expressions[key[2]])
    if not switches:
        return
    fields = {d.name for d in walk.definitions if d.kind == DefinitionKind.FIELD}
    fields.update(record.alias for record in walk.imports)
    for labels in switches.values():
        if fields.issuperset(label.name for label in labels):
            for label in labels:
                label.op, label.count = Op.NAME, 0


def labeled(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """The label is no name of a value."""
    walk.push_all(node.named_children[1:], scope)
