"""Types as TypeScript writes them."""

from tree_sitter import Node

from parsers import rules as common
from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.language import Rule
from parsers.languages.javascript import parameters
from parsers.languages.javascript.places import pass_on, typed
from parsers.walk import Walk

_NAMED = {"string": "String", "number": "Number", "boolean": "Boolean", "bigint": "BigInt"}


def through_type(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """What stands here is a type: an annotation, a constraint, parentheses."""
    children = node.named_children
    if children:
        walk.push_all(children[1:], scope, Role.TYPE)
        walk.push(children[0], scope, dest, Role.TYPE)


def parts(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """Types are used here, but what comes of it is not followed: `keyof T`, `T[K]`."""
    walk.push_all(node.named_children, scope, Role.TYPE)


def name(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """The name of a type."""
    walk.expression(Op.NAME, node, scope, dest, name=walk.text(node), role=role or Role.TYPE)


def qualified(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`A.B` in a type: A is a namespace."""
    at = node.child_by_field_name("name")
    if at is None:
        return
    index = walk.expression(
        Op.MEMBER, at, scope, dest, name=walk.text(at), role=role or Role.TYPE, count=1
    )
    walk.push(node.child_by_field_name("module"), scope, walk.expressions[index].first)


def predefined(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`string`, `any` and the like."""
    if dest >= 0:
        known = _NAMED.get(walk.text(node))
        if known is not None:
            walk.expression(Op.LITERAL, node, scope, dest, name=known, role=Role.TYPE)


def generic(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`Base<Arguments>`."""
    base = node.child_by_field_name("name")
    arguments = node.child_by_field_name("type_arguments")
    keys = arguments.named_children if arguments is not None else []
    role = role or Role.TYPE
    index = walk.expression(Op.INDEX, node, scope, dest, count=1 + len(keys), role=role)
    first = walk.expressions[index].first
    for offset in range(len(keys), 0, -1):
        walk.push(keys[offset - 1], scope, first + offset, Role.TYPE)
    walk.push(base, scope, first, role)


def composite(op: Op, kind: str = "") -> Rule:
    """A type made of all the types in it."""
    rule = common.composite(op, kind)

    def typed_rule(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
        rule(walk, node, dest, scope, Role.TYPE)

    return typed_rule


def tuple_part(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`name: Type` in a tuple; only the type matters."""
    walk.push(node.child_by_field_name("type"), scope, dest, Role.TYPE)


def function(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`(a: A) => R`, `new (a: A) => R` and the same as signatures in a type's body."""
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    result = node.child_by_field_name("return_type") or node.child_by_field_name("type")
    owner = walk.define(DefinitionKind.LAMBDA, "", node, node, inner)
    given = walk.slot()
    walk.push(result, inner, given, Role.TYPE)
    parameters.define(walk, node, owner, inner)
    taken = [walk.definitions[index].type for index in walk.definitions[owner].parameters]
    index = walk.expression(Op.FUNCTION_TYPE, node, scope, dest, count=1 + len(taken))
    first = walk.expressions[index].first
    for offset, part in enumerate([given, *taken]):
        if part >= 0:
            pass_on(walk, node, inner, first + offset, part)


def index_signature(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`[key: string]: Type`; with `in`, a type for each of several keys."""
    mapped = next((c for c in node.named_children if c.type == "mapped_type_clause"), None)
    if mapped is None:
        for child in reversed(node.named_children):
            if child.type != "identifier":
                walk.push(child, scope, NONE, Role.TYPE)
        return
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    walk.push(node.child_by_field_name("type"), inner, NONE, Role.TYPE)
    walk.push(mapped.child_by_field_name("alias"), inner, NONE, Role.TYPE)
    at = mapped.child_by_field_name("name")
    keys = typed(walk, mapped.child_by_field_name("type"), scope)
    if at is not None:
        index = walk.define(
            DefinitionKind.TYPE_PARAMETER, walk.text(at), at, mapped, inner, Flag.LOCAL
        )
        walk.definitions[index].type = keys


def conditional(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`A extends B ? C : D` is C or D; what B infers is known in C."""
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    walk.memory["infers", inner] = inner
    index = walk.expression(Op.UNION, node, scope, dest, count=2)
    first = walk.expressions[index].first
    walk.push(node.child_by_field_name("alternative"), scope, first + 1, Role.TYPE)
    walk.push(node.child_by_field_name("consequence"), inner, first, Role.TYPE)
    walk.push(node.child_by_field_name("right"), inner, NONE, Role.TYPE)
    walk.push(node.child_by_field_name("left"), scope, NONE, Role.TYPE)


def infer(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`infer T extends B` names a part of the type that a conditional type looks at."""
    children = node.named_children
    if not children:
        return
    home = scope
    while home >= 0 and ("infers", home) not in walk.memory:
        home = walk.scopes[home].parent
    at = children[0]
    index = walk.define(
        DefinitionKind.TYPE_PARAMETER, walk.text(at), at, node, max(home, 0), Flag.LOCAL
    )
    if len(children) > 1:
        walk.definitions[index].type = typed(walk, children[1], scope)
    del dest


def query(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`typeof value`: what has the type that the value has."""
    children = node.named_children
    if not children:
        return
    index = walk.expression(Op.TYPE_OF, node, scope, dest, count=1)
    walk.push(children[0], scope, walk.expressions[index].first)


def instantiation(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`value<Types>`: a function with its types chosen."""
    children = node.named_children
    if children:
        walk.push_all(children[1:], scope, Role.TYPE)
        walk.push(children[0], scope, dest, role)


def predicate(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`x is T`: a boolean that speaks about the parameter x."""
    if dest >= 0:
        walk.expression(Op.LITERAL, node, scope, dest, name="Boolean", role=Role.TYPE)
    walk.push(node.child_by_field_name("type"), scope, NONE, Role.TYPE)
    walk.push(node.child_by_field_name("name"), scope)


def asserts(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`asserts x is T`, `asserts x`: nothing comes of it."""
    walk.push_all(node.named_children, scope)


def cast(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`value as Type`, `<Type>value`; `as const` changes nothing."""
    children = [child for child in node.named_children if not child.is_extra]
    if len(children) != 2:  # noqa: PLR2004 - a value and a type
        common.through(walk, node, dest, scope, role)
        return
    value, type_ = reversed(children) if node.type == "type_assertion" else children
    index = walk.expression(Op.CAST, node, scope, dest, count=2)
    first = walk.expressions[index].first
    walk.push(type_, scope, first, Role.TYPE)
    walk.push(value, scope, first + 1)


def satisfies(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`value satisfies Type` is the value."""
    children = node.named_children
    if children:
        for child in reversed(children[1:]):
            walk.push(child, scope, NONE, Role.TYPE)
        walk.push(children[0], scope, dest, role)


def literal(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`'text'`, `1`, `true` as types."""
    children = node.named_children
    if children:
        walk.push(children[0], scope, dest)


__all__ = [
    "asserts",
    "cast",
    "composite",
    "conditional",
    "function",
    "generic",
    "index_signature",
    "infer",
    "instantiation",
    "literal",
    "name",
    "parts",
    "predefined",
    "predicate",
    "qualified",
    "query",
    "satisfies",
    "through_type",
    "tuple_part",
]
