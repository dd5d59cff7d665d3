"""Assignment targets: what a name, an attribute or a pattern on the left binds.

A value that several targets share goes into one operand slot. A plain name takes the slot itself;
an element of a pattern takes a new expression whose operand is that slot.
"""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.walk import Walk

_PATTERNS = frozenset({"pattern_list", "tuple_pattern", "list_pattern", "tuple", "list"})


def bind(walk: Walk, target: Node | None, slot: int, scope: int, *, type_slot: int = NONE) -> None:
    """Bind what `target` names to the value in `slot`."""
    pending: list[tuple[Node | None, int]] = [(target, slot)]
    while pending:
        node, value = pending.pop()
        if node is None:
            continue
        kind = node.type
        if kind == "identifier":
            _bind_name(walk, node, value, scope, type_slot)
        elif kind == "attribute":
            _bind_attribute(walk, node, value, scope, type_slot)
        elif kind in _PATTERNS:
            elements = [child for child in node.named_children if not child.is_extra]
            for position, element in enumerate(elements):
                pending.append((element, _element(walk, element, position, value, scope)))
        elif kind in ("list_splat_pattern", "parenthesized_expression", "as_pattern_target"):
            pending.extend((child, value) for child in node.named_children)
        elif kind == "subscript":
            _assign(walk, node, value, scope)
        else:
            walk.push(node, scope)


def _assign(walk: Walk, target: Node, value: int, scope: int) -> None:
    """An assignment to an attribute or a subscript of some object."""
    index = walk.expression(Op.ASSIGN, target, scope, NONE, count=1, binding=value)
    walk.push(target, scope, walk.expressions[index].first, Role.WRITE)


def _element(walk: Walk, at: Node, position: int, value: int, scope: int) -> int:
    """A slot that holds one element of the container in `value`."""
    slot = walk.slot()
    op, name = (Op.UNION, "") if at.type == "list_splat_pattern" else (Op.ELEMENT, str(position))
    index = walk.expression(op, at, scope, slot, name=name)
    walk.expressions[index].first = value
    walk.expressions[index].count = 1
    return slot


def _bind_name(walk: Walk, node: Node, slot: int, scope: int, type_slot: int) -> None:
    name = walk.text(node)
    home = binding_scope(walk, name, scope)
    known = (home, name) in walk.memory
    index = variable(walk, name, node, home)
    definition = walk.definitions[index]
    definition.values.append(slot)
    if type_slot >= 0 and definition.type < 0:
        definition.type = type_slot
    if known:
        walk.expression(Op.NAME, node, scope, NONE, name=name, role=Role.WRITE)


def _bind_attribute(walk: Walk, node: Node, slot: int, scope: int, type_slot: int) -> None:
    """`self.x = value` defines a field of the class; any other attribute is an assignment."""
    receiver = node.child_by_field_name("object")
    at = node.child_by_field_name("attribute")
    if receiver is None or at is None:
        return
    owner = _receiver_class(walk, receiver, scope)
    name = walk.text(at)
    if owner >= 0:
        known = (owner, name) in walk.memory
        flags = 0 if name.startswith("_") else Flag.EXPORTED
        index = walk.variable(DefinitionKind.FIELD, name, at, node, owner, flags)
        definition = walk.definitions[index]
        definition.values.append(slot)
        if type_slot >= 0 and definition.type < 0:
            definition.type = type_slot
        if not known:
            walk.push(receiver, scope)
            return
        walk.push(node, scope, NONE, Role.WRITE)
        return
    _assign(walk, node, slot, scope)


def _receiver_class(walk: Walk, receiver: Node, scope: int) -> int:
    """The class scope, if `receiver` is the first parameter of a method around `scope`."""
    if receiver.type != "identifier":
        return NONE
    home = walk.function_scope(scope)
    while home >= 0 and walk.scopes[home].kind == ScopeKind.FUNCTION:
        function = walk.scopes[home].definition
        parameters = walk.definitions[function].parameters
        if parameters:
            first = walk.definitions[parameters[0]]
            if first.flags & Flag.RECEIVER:
                return walk.definitions[function].scope if first.name == walk.text(receiver) else -1
        home = walk.function_scope(walk.scopes[home].parent)
    return NONE


def binding_scope(walk: Walk, name: str, scope: int) -> int:
    """The scope an assignment binds `name` in, as `global` and `nonlocal` direct it."""
    home = scope if walk.scopes[scope].kind == ScopeKind.COMPREHENSION else NONE
    if home < 0:
        home = walk.function_scope(scope)
        redirected = walk.memory.get(("outer", home, name))
        if redirected is not None:
            return redirected
    return home


def variable(walk: Walk, name: str, node: Node, home: int) -> int:
    """The definition of the variable `name` in `home`, made if this is its first binding."""
    flags = 0 if name.startswith("_") else Flag.EXPORTED
    match walk.scopes[home].kind:
        case ScopeKind.CLASS:
            return walk.variable(DefinitionKind.FIELD, name, node, node, home, flags | Flag.STATIC)
        case ScopeKind.FILE:
            return walk.variable(DefinitionKind.VARIABLE, name, node, node, home, flags)
        case _:
            return walk.variable(DefinitionKind.VARIABLE, name, node, node, home, Flag.LOCAL)
