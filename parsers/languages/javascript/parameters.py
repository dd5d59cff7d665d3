"""Parameters and type parameters."""

from typing import NamedTuple

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Role, ScopeKind
from parsers.languages.javascript import patterns
from parsers.languages.javascript.places import decorate, definition_value, typed
from parsers.walk import Walk

_DECORATABLE = ("required_parameter", "optional_parameter")


def define(walk: Walk, node: Node, index: int, inner: int) -> None:
    """Define the parameters and type parameters of the function `index` in `inner`."""
    declared = node.child_by_field_name("parameters")
    if declared is not None:
        for child in reversed(declared.named_children):
            if not child.is_extra:
                _parameter(walk, child, index, inner)
    else:
        single = node.child_by_field_name("parameter")
        if single is not None:
            _parameter(walk, single, index, inner)
    types(walk, node, inner)


class _Written(NamedTuple):
    """A parameter as it is written."""

    pattern: Node | None
    type: Node | None
    default: Node | None
    flags: int


def _written(node: Node) -> _Written:
    match node.type:
        case "required_parameter" | "optional_parameter":
            return _Written(
                node.child_by_field_name("pattern"),
                node.child_by_field_name("type"),
                node.child_by_field_name("value"),
                Flag.OPTIONAL if node.type == "optional_parameter" else 0,
            )
        case "assignment_pattern":
            left = node.child_by_field_name("left")
            return _Written(left, None, node.child_by_field_name("right"), 0)
        case _:
            return _Written(node, None, None, 0)


def _parameter(walk: Walk, node: Node, index: int, inner: int) -> None:
    pattern, declared, default, flags = _written(node)
    if pattern is None:
        return
    if pattern.type == "this":
        _receiver(walk, pattern, declared, inner)
        return
    if pattern.type == "rest_pattern":
        flags |= Flag.VARIADIC
        pattern = pattern.named_children[0] if pattern.named_child_count else pattern
    if default is not None:
        flags |= Flag.OPTIONAL
    plain = pattern.type == "identifier"
    name = walk.text(pattern) if plain else ""
    own = walk.define(DefinitionKind.PARAMETER, name, pattern, node, inner, flags | Flag.LOCAL)
    definition = walk.definitions[own]
    walk.definitions[index].parameters.insert(0, own)
    if default is not None:
        slot = walk.slot()
        definition.values.append(slot)
        walk.push(default, inner, slot)
    definition.type = typed(walk, declared, inner)
    if plain:
        walk.memory[inner, name] = own
    else:
        source = definition_value(walk, own, pattern, inner)
        target = patterns.Target(inner, DefinitionKind.PARAMETER, Flag.LOCAL)
        patterns.bind(walk, pattern, source, target)
    if node.type in _DECORATABLE:
        _modifiers(walk, node, index, own, inner)


def _receiver(walk: Walk, at: Node, declared: Node | None, inner: int) -> None:
    """`this: Type` among the parameters says what the receiver is."""
    own = walk.define(DefinitionKind.PARAMETER, "", at, at, inner, Flag.LOCAL)
    walk.definitions[own].type = typed(walk, declared, inner)
    walk.memory["this", inner] = own
    walk.memory["this"] = own


def declared_receiver(walk: Walk, scope: int) -> int:
    """The parameter that says what `this` is in a scope, or NONE."""
    while scope >= 0:
        own = walk.memory.get(("this", scope), NONE)
        if own >= 0:
            return own
        entry = walk.scopes[scope]
        if entry.kind == ScopeKind.FUNCTION and entry.definition >= 0:
            function = walk.definitions[entry.definition]
            if function.kind != DefinitionKind.LAMBDA or function.flags & Flag.RECEIVES:
                return NONE
        scope = entry.parent
    return NONE


def _modifiers(walk: Walk, node: Node, index: int, own: int, inner: int) -> None:
    """Decorators of a parameter; with `private` and the like it is a field of the class too."""
    children = node.children
    first = children[0].type
    if first not in ("decorator", "accessibility_modifier", "override_modifier", "readonly"):
        return
    decorate(walk, [c for c in children if c.type == "decorator"], own, inner)
    home = walk.definitions[index].scope
    kinds = {child.type for child in children}
    if walk.scopes[home].kind != ScopeKind.CLASS or not kinds & {
        "accessibility_modifier",
        "override_modifier",
        "readonly",
    }:
        return
    parameter = walk.definitions[own]
    at = node.child_by_field_name("pattern")
    if at is None or not parameter.name:
        return
    field = walk.define(DefinitionKind.FIELD, parameter.name, at, node, home, Flag.EXPORTED)
    walk.definitions[field].type = parameter.type
    walk.definitions[field].values.append(definition_value(walk, own, at, inner))
    walk.memory[home, parameter.name] = field


def types(walk: Walk, node: Node, scope: int) -> None:
    """`<T extends Bound = Default>`: names that stand for types in `scope`."""
    declared = node.child_by_field_name("type_parameters")
    if declared is None:
        return
    for parameter in reversed(declared.named_children):
        at = parameter.child_by_field_name("name")
        if at is None:
            continue
        index = walk.define(
            DefinitionKind.TYPE_PARAMETER, walk.text(at), at, parameter, scope, Flag.LOCAL
        )
        walk.push(parameter.child_by_field_name("value"), scope, NONE, Role.TYPE)
        constraint = parameter.child_by_field_name("constraint")
        walk.definitions[index].type = typed(walk, constraint, scope)


__all__ = ["declared_receiver", "define", "types"]
