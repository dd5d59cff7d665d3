"""What variables are bound to, and from where on their names are visible.

A Go variable is visible from the end of its declaration to the end of the block; until then the
same name may mean something further out: `path := path.Join(a, b)`. Where that can matter, the rest
of the block gets a scope of its own, nested in the block's: the declaration *splits* the block.
"""

from collections.abc import Sequence

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.walk import Walk

# Later declarations of one block are visible from its start on instead: nesting costs lookups time.
_MAX_SPLITS = 100


def exported(name: str) -> int:
    """The flag of a name that other packages see."""
    return Flag.EXPORTED if name[:1].isupper() else 0


def alias(walk: Walk, slot: int, at: Node, scope: int, dest: int) -> None:
    """Let `dest` have the value that goes into `slot`."""
    index = walk.expression(Op.UNION, at, scope, dest)
    walk.expressions[index].first = slot
    walk.expressions[index].count = 1


def derived(walk: Walk, op: Op, name: str, slot: int, *, at: Node, scope: int) -> int:
    """A slot that holds `op` of the value in `slot`."""
    result = walk.slot()
    index = walk.expression(op, at, scope, result, name=name)
    walk.expressions[index].first = slot
    walk.expressions[index].count = 1
    return result


def names_of(left: Node | None) -> list[Node]:
    """The targets of an assignment."""
    if left is None:
        return []
    return [child for child in left.named_children if not child.is_extra]


def short_declaration(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`a, b := value`, also as the receiving case of a `select`."""
    targets = names_of(node.child_by_field_name("left"))
    right = node.child_by_field_name("right")
    if right is not None and right.type == "expression_list":
        values = names_of(right)
    else:
        values = [right] if right is not None else []
    inner = settle(walk, targets, right, scope)
    slots = assigned(walk, targets, values, scope)
    for target, slot in zip(targets, slots, strict=True):
        bind(walk, target, slot, inner)


def receive_statement(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`v, ok := <-channel`, `v = <-channel` or `<-channel` in a `select`."""
    if any(child.type == ":=" for child in node.children):
        short_declaration(walk, node, dest, scope, role)
    else:
        assignment(walk, node, dest, scope, role)


def settle(walk: Walk, targets: Sequence[Node], value: Node | None, scope: int) -> int:
    """The scope that new variables are bound in: `scope`, or what a split makes of it."""
    for target in targets:
        if target.type == "identifier":
            name = walk.text(target)
            if name != "_" and known(walk, name, scope) < 0 and _hides(walk, name, value, scope):
                return _split(walk, scope)
    return scope


def known(walk: Walk, name: str, scope: int) -> int:
    """The variable of the same block that `name` already is, or NONE."""
    memory = walk.memory
    while scope >= 0:
        index = memory.get((scope, name), NONE)
        if index >= 0:
            return index
        scope = memory.get(("after", scope), NONE)
    return NONE


def _hides(walk: Walk, name: str, value: Node | None, scope: int) -> bool:
    """Whether the declaration gives a new meaning to a name that has been, or is being, used."""
    memory, scopes = walk.memory, walk.scopes
    if value is not None and walk.data.find(name.encode(), value.start_byte, value.end_byte) >= 0:
        return True
    while scope >= 0:
        if (scope, name) in memory:
            return True
        scope = scopes[scope].parent
    return False


def _split(walk: Walk, scope: int) -> int:
    """A new scope for the rest of the block: for the entries of the stack that wait in `scope`."""
    depth = walk.memory.get(("splits", scope), 0) + 1
    if depth > _MAX_SPLITS:
        return scope
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    walk.memory["after", inner] = scope
    walk.memory["splits", inner] = depth
    stack = walk.stack
    for position in range(len(stack) - 1, -1, -1):
        node, dest, home, role = stack[position]
        if home != scope:
            break
        stack[position] = (node, dest, inner, role)
    return inner


def assigned(walk: Walk, targets: Sequence[Node], values: Sequence[Node], scope: int) -> list[int]:
    """One slot for each target; the values are pushed to fill them.

    One value for several targets is a call with several results, or a lookup, assertion or receive
    whose second result says whether there was something.
    """
    count = len(targets)
    slots = [walk.slot() for _ in values]
    pushed = list(zip(values, slots, strict=True))
    if len(values) == 1 and count > 1:
        first = slots[0]
        if values[0].type == "call_expression":
            slots = [
                derived(walk, Op.ELEMENT, str(position), first, at=target, scope=scope)
                for position, target in enumerate(targets)
            ]
        else:
            slots = [first]
            for target in targets[1:]:
                slot = walk.slot()
                walk.expression(Op.LITERAL, target, scope, slot, name="bool")
                slots.append(slot)
    for value, slot in reversed(pushed):
        walk.push(value, scope, slot)
    return slots[:count] + [NONE] * (count - len(slots))


def bind(walk: Walk, target: Node, slot: int, scope: int) -> None:
    """Define the target of a `:=`, or write to it if the block has it already."""
    if target.type != "identifier":
        walk.push(target, scope, NONE, Role.WRITE)
        return
    name = walk.text(target)
    if name == "_":
        return
    if known(walk, name, scope) >= 0:
        walk.expression(Op.NAME, target, scope, NONE, name=name, role=Role.WRITE)
        return
    local(walk, target, name, scope, slot)


def local(walk: Walk, at: Node, name: str, scope: int, slot: int, *, type_slot: int = NONE) -> int:
    """A variable of a function."""
    index = walk.define(DefinitionKind.VARIABLE, name, at, at, scope, Flag.LOCAL)
    walk.memory[scope, name] = index
    definition = walk.definitions[index]
    if slot >= 0:
        definition.values.append(slot)
    definition.type = type_slot
    return index


def assignment(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`a, b.c = value`: every name and member on the left is written."""
    walk.push(node.child_by_field_name("right"), scope)
    walk.push_all(names_of(node.child_by_field_name("left")), scope, Role.WRITE)


def increment(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`a++`."""
    walk.push_all(node.named_children, scope, Role.WRITE)


def range_clause(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`key, value := range container`."""
    targets = names_of(node.child_by_field_name("left"))
    container = node.child_by_field_name("right")
    if not any(child.type == ":=" for child in node.children):
        walk.push(container, scope)
        walk.push_all(targets, scope, Role.WRITE)
        return
    inner = settle(walk, targets, container, scope)
    slot = walk.slot()
    walk.push(container, scope, slot)
    for target, name in zip(targets, ("key", "value"), strict=False):
        bind(walk, target, derived(walk, Op.ITERATE, name, slot, at=target, scope=scope), inner)


def type_switch(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`switch v := x.(type)`: every clause has its own `v`."""
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    aliases = names_of(node.child_by_field_name("alias"))
    value = node.child_by_field_name("value")
    initializer = node.child_by_field_name("initializer")
    value_slot = walk.slot()
    clauses = [child for child in node.named_children if child.type.endswith("_case")]
    if aliases:
        for clause in reversed(clauses):
            _clause(walk, clause, aliases[0], inner, value_slot)
    else:
        walk.push_all(clauses, inner)
    walk.push(value, inner, value_slot)
    walk.push(initializer, inner)


def _clause(walk: Walk, clause: Node, at: Node, scope: int, value_slot: int) -> None:
    """With one type the variable is an instance of it, else it is what was switched on."""
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    types = clause.children_by_field_name("type")
    known_types = [child.id for child in types]
    walk.push_all([c for c in clause.named_children if c.id not in known_types], inner)
    slot = value_slot
    if len(types) == 1 and walk.text(types[0]) != "nil":
        slot = walk.slot()
        index = walk.expression(Op.INSTANCE, types[0], scope, slot, count=1)
        walk.push(types[0], scope, walk.expressions[index].first, Role.TYPE)
    else:
        walk.push_all(types, scope, Role.TYPE)
    name = walk.text(at)
    if name != "_":
        local(walk, at, name, inner, slot)
