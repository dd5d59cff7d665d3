"""Patterns: what `{ a, b: [c = 1], ...rest }` binds, in declarations and in assignments.

A value that several names share goes into one operand slot; a part of it is a new expression whose
operand is that slot.
"""

from typing import NamedTuple

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Op, Role
from parsers.languages.javascript.places import derived, plain_key
from parsers.walk import Walk


class Target(NamedTuple):
    """What the names of a pattern become."""

    scope: int  # where the pattern stands
    kind: DefinitionKind = DefinitionKind.VARIABLE
    flags: int = 0
    home: int = NONE  # where the names are bound, if that is another scope
    hoisted: bool = False  # `var`: one variable, however often it is declared
    assigns: bool = False  # names are assigned to, not declared


_Pending = list[tuple[Node, int]]


def bind(walk: Walk, pattern: Node, slot: int, target: Target) -> None:
    """Bind what `pattern` names to the parts of the value in `slot`."""
    pending: _Pending = [(pattern, slot)]
    while pending:
        node, value = pending.pop()
        match node.type:
            case "identifier" | "shorthand_property_identifier_pattern":
                bind_name(walk, node, value, target)
            case "object_pattern":
                for child in reversed(node.named_children):
                    _property(walk, child, value, target, pending)
            case "array_pattern":
                _elements(walk, node, value, target, pending)
            case "assignment_pattern":
                left = node.child_by_field_name("left")
                if left is not None:
                    pending.append((left, _defaulted(walk, node, value, target.scope)))
            case "rest_pattern" | "parenthesized_expression" | "non_null_expression":
                pending.extend((child, value) for child in node.named_children)
            case "member_expression" | "subscript_expression":
                assign(walk, node, value, target.scope)
            case _:
                walk.push(node, target.scope)


def _property(walk: Walk, node: Node, value: int, target: Target, pending: _Pending) -> None:
    """One part of an object pattern."""
    scope = target.scope
    match node.type:
        case "shorthand_property_identifier_pattern":
            part = derived(walk, Op.MEMBER, node, scope, value, name=walk.text(node))
            bind_name(walk, node, part, target)
        case "pair_pattern":
            key, inner = node.child_by_field_name("key"), node.child_by_field_name("value")
            if key is not None and inner is not None:
                pending.append((inner, _keyed(walk, key, value, scope)))
        case "object_assignment_pattern":
            left = node.child_by_field_name("left")
            if left is not None:
                part = value
                if left.type == "shorthand_property_identifier_pattern":
                    part = derived(walk, Op.MEMBER, left, scope, value, name=walk.text(left))
                pending.append((left, _defaulted(walk, node, part, scope)))
        case _:
            pending.append((node, value))


def _keyed(walk: Walk, key: Node, value: int, scope: int) -> int:
    """A slot that holds the property `key` of the value."""
    name = plain_key(walk, key)
    if name:
        return derived(walk, Op.MEMBER, key, scope, value, name=name)
    walk.push(key, scope)
    return walk.slot()


def _elements(walk: Walk, node: Node, value: int, target: Target, pending: _Pending) -> None:
    position = 0
    for child in node.children:
        if child.type == ",":
            position += 1
        elif child.type == "rest_pattern":
            pending.append((child, value))
        elif child.is_named and not child.is_extra:
            part = derived(walk, Op.ELEMENT, child, target.scope, value, name=str(position))
            pending.append((child, part))


def _defaulted(walk: Walk, node: Node, value: int, scope: int) -> int:
    """A slot that holds the value, or the default written in `node`."""
    slot = walk.slot()
    index = walk.expression(Op.UNION, node, scope, slot, count=2)
    first = walk.expressions[index].first
    inner = walk.expression(Op.UNION, node, scope, first)
    walk.expressions[inner].first = value
    walk.expressions[inner].count = 1
    walk.push(node.child_by_field_name("right"), scope, first + 1)
    return slot


def bind_name(walk: Walk, node: Node, slot: int, target: Target) -> int:
    """Bind one name to the value in `slot`; give its definition, or NONE for an assignment."""
    name = walk.text(node)
    scope = target.scope
    if target.assigns:
        walk.expression(Op.NAME, node, scope, NONE, name=name, role=Role.WRITE)
        # Which variable it is may be declared further down: `members.settle` finds it.
        walk.memory["assigned", name, scope, slot] = slot
        return NONE
    home = target.home if target.home >= 0 else scope
    if target.hoisted:
        known = (home, name) in walk.memory
        index = walk.variable(target.kind, name, node, node, home, target.flags)
        if known:
            walk.expression(Op.NAME, node, scope, NONE, name=name, role=Role.WRITE)
    else:
        index = walk.define(target.kind, name, node, node, home, target.flags)
    if slot >= 0:
        walk.definitions[index].values.append(slot)
    return index


def assign(walk: Walk, target: Node, value: int, scope: int) -> int:
    """An assignment to a member or element; give the expression of the target's slot."""
    index = walk.expression(Op.ASSIGN, target, scope, NONE, count=1, binding=value)
    first = walk.expressions[index].first
    walk.push(target, scope, first, Role.WRITE)
    walk.memory["member", first] = value
    return first
