"""Functions of every form, their parameters and what they give."""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, ScopeKind
from parsers.languages.javascript import comments, parameters
from parsers.languages.javascript.places import (
    definition_value,
    flags_of,
    typed,
    unbound,
)
from parsers.walk import Walk

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
    parameters.define(walk, node, index, inner)
    return inner


def _own_name(walk: Walk, node: Node, index: int, inner: int) -> None:
    """The name of a function expression is known inside it only."""
    at = node.child_by_field_name("name")
    if at is not None:
        alias = walk.define(DefinitionKind.CONSTANT, walk.text(at), at, node, inner, Flag.LOCAL)
        walk.definitions[alias].values.append(definition_value(walk, index, at, inner))


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
    "named",
    "result_slot",
    "return_",
    "signature",
    "value",
    "yield_",
]
