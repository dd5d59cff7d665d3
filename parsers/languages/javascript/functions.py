"""Functions of every form, their parameters and what they give."""

from typing import NamedTuple

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.languages.javascript import comments, patterns
from parsers.languages.javascript.places import (
    decorate,
    definition_value,
    flags_of,
    local,
    typed,
    unbound,
)
from parsers.walk import Walk

_DECORATABLE = ("required_parameter", "optional_parameter")
_KEYWORDS = {
    "async": Flag.ASYNC,
    "*": Flag.GENERATOR,
    "static": Flag.STATIC,
    "abstract": Flag.ABSTRACT,
    "declare": Flag.DECLARATION,
    "readonly": 0,
    "accessor": 0,
}
# What may stand before a name or a parameter list without ending the search for keywords.
_SILENT = frozenset(
    {"function", "get", "set", "accessibility_modifier", "override_modifier", "decorator"}
)


def keywords(node: Node) -> tuple[int, str]:
    """The flags of the words before a name, and `get` or `set` if it is among them."""
    flags, accessor = 0, ""
    for child in node.children:
        kind = child.type
        flag = _KEYWORDS.get(kind)
        if flag is not None:
            flags |= flag
        elif kind not in _SILENT:
            break
        elif kind in ("get", "set"):
            accessor = kind
    return flags, accessor


def declaration(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`function name() {}`."""
    at = node.child_by_field_name("name")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    flags = flags_of(role) | keywords(node)[0] | Flag.RECEIVES
    index = walk.define(DefinitionKind.FUNCTION, walk.text(at), at, node, scope, flags)
    finish(walk, node, index, scope)


def signature(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`function name(): type;`: an overload, or declared for what is defined elsewhere."""
    at = node.child_by_field_name("name")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    flags = flags_of(role) | keywords(node)[0]
    flags |= 0 if flags & Flag.DECLARATION else Flag.OVERLOAD
    index = walk.define(DefinitionKind.FUNCTION, walk.text(at), at, node, scope, flags)
    finish(walk, node, index, scope)


def value(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A function that is a value: it has no name for others."""
    flags = keywords(node)[0]
    if node.type != "arrow_function":
        flags |= Flag.RECEIVES
    index = walk.define(DefinitionKind.LAMBDA, "", node, node, scope, flags)
    walk.expression(Op.DEFINITION, node, scope, dest, binding=index)
    finish(walk, node, index, scope)


def named(
    walk: Walk,
    kind: DefinitionKind,
    name: str,
    at: Node,
    whole: Node,
    function: Node,
    scope: int,
    flags: int = 0,
    around: int = NONE,
) -> int:
    """A function that its place gives a name: `const name = () => ...`, `name: function () {}`.

    The name is bound in `scope`; the function's body sees `around`, which is `scope` unless given.
    """
    flags |= keywords(function)[0]
    arrow = function.type == "arrow_function"
    index = walk.define(kind, name, at, whole, scope, flags if arrow else flags | Flag.RECEIVES)
    finish(walk, function, index, around if around >= 0 else scope, whole)
    return index


def assigned(walk: Walk, at: Node, whole: Node, function: Node, name: str, scope: int) -> int:
    """A function assigned to `name`, which something else declares: a slot with its value."""
    home = unbound(walk, scope)
    index = named(walk, DefinitionKind.FUNCTION, name, at, whole, function, home)
    return definition_value(walk, index, function, scope)


def finish(walk: Walk, node: Node, index: int, scope: int, whole: Node | None = None) -> int:
    """The inside of a function: its scope, body, result and parameters; give the scope."""
    body = node.child_by_field_name("body")
    definition = walk.definitions[index]
    inner = walk.open_scope(ScopeKind.FUNCTION, scope, index)
    if definition.name:
        first = whole if whole is not None else node
        definition.signature = walk.signature(first, body)
        definition.doc = comments.doc(walk, first)
    if node.type in ("function_expression", "generator_function"):
        _own_name(walk, node, index, inner)
    if body is not None and body.type == "statement_block":
        walk.push_all(body.named_children, inner)
    elif body is not None:
        slot = walk.slot()
        definition.values.append(slot)
        walk.push(body, inner, slot)
    result = node.child_by_field_name("return_type")
    if result is not None:
        definition.type = typed(walk, result, inner)
    parameters(walk, node, index, inner)
    return inner


def _own_name(walk: Walk, node: Node, index: int, inner: int) -> None:
    """The name of a function expression is known inside it only."""
    at = node.child_by_field_name("name")
    if at is not None:
        alias = walk.define(DefinitionKind.CONSTANT, walk.text(at), at, node, inner, Flag.LOCAL)
        walk.definitions[alias].values.append(definition_value(walk, index, at, inner))


def parameters(walk: Walk, node: Node, index: int, inner: int) -> None:
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
    type_parameters(walk, node, inner)


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
    if pattern is None or pattern.type == "this":
        walk.push(declared, inner, NONE, Role.TYPE)
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


def type_parameters(walk: Walk, node: Node, scope: int) -> None:
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


def result_slot(walk: Walk, scope: int) -> int:
    """A slot for a value that the function around `scope` gives, or NONE."""
    home = walk.scopes[walk.function_scope(scope)]
    if home.kind != ScopeKind.FUNCTION or home.definition < 0:
        return NONE
    slot = walk.slot()
    walk.definitions[home.definition].values.append(slot)
    return slot


def return_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A returned value belongs to the function around it."""
    children = node.named_children
    if children:
        walk.push_all(children[1:], scope)
        walk.push(children[0], scope, result_slot(walk, scope))


def yield_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A generator's value is an iterable of what it yields; `yield*` passes one through."""
    children = node.named_children
    if not children:
        return
    slot = result_slot(walk, scope)
    if all(child.type != "*" for child in node.children):
        index = walk.expression(Op.YIELD, node, scope, slot, count=1)
        slot = walk.expressions[index].first
    walk.push_all(children[1:], scope)
    walk.push(children[0], scope, slot)


__all__ = [
    "assigned",
    "declaration",
    "finish",
    "keywords",
    "local",
    "named",
    "parameters",
    "result_slot",
    "return_",
    "signature",
    "type_parameters",
    "value",
    "yield_",
]
