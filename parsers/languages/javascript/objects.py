"""Object literals: definitions without a name whose members others can reach."""

from tree_sitter import Node

from parsers.facts import DefinitionKind, Op, Role, ScopeKind
from parsers.languages.javascript import classes
from parsers.languages.javascript.places import plain_key
from parsers.walk import Walk


def literal(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`{ a, b: 1, c() {}, ...d }`."""
    index = walk.define(DefinitionKind.OBJECT, "", node, node, scope)
    walk.expression(Op.DEFINITION, node, scope, dest, binding=index)
    inner = walk.open_scope(ScopeKind.CLASS, scope, index)
    pushed = walk.stack
    mark = len(pushed)
    groups = []
    for child in node.named_children:
        match child.type:
            case "pair":
                _pair(walk, child, inner, scope)
            case "method_definition":
                classes.method(walk, child, inner)
            case "shorthand_property_identifier":
                _shorthand(walk, child, inner, scope)
            case "spread_element":
                _spread(walk, child, index, scope)
            case _:
                walk.push(child, scope)
        groups.append(pushed[mark:])
        del pushed[mark:]
    for group in reversed(groups):
        pushed.extend(group)


def _pair(walk: Walk, node: Node, inner: int, scope: int) -> None:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    if key is None:
        walk.push_all(node.named_children, scope)
        return
    classes.field(walk, plain_key(walk, key), key, node, value, inner, scope, 0)


def _shorthand(walk: Walk, node: Node, inner: int, scope: int) -> None:
    """`{ name }` uses a variable and defines a property of its name."""
    name = walk.text(node)
    index = walk.define(DefinitionKind.FIELD, name, node, node, inner)
    slot = walk.slot()
    walk.definitions[index].values.append(slot)
    walk.memory[inner, name] = index
    walk.expression(Op.NAME, node, scope, slot, name=name)


def _spread(walk: Walk, node: Node, index: int, scope: int) -> None:
    """`...other`: the members of another object are its own."""
    children = node.named_children
    if children:
        slot = walk.slot()
        walk.definitions[index].bases.append(slot)
        at = walk.expression(Op.SPREAD, node, scope, slot, count=1)
        walk.push(children[0], scope, walk.expressions[at].first, Role.READ)


__all__ = ["literal"]
