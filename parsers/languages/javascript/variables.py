"""Variables: their declarations, loops and catch clauses."""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.languages.javascript import classes, comments, functions, modules, patterns
from parsers.languages.javascript.patterns import Target
from parsers.languages.javascript.places import (
    FUNCTIONS,
    derived,
    flags_of,
    local,
    typed,
    unwrap,
)
from parsers.walk import Walk


def declaration(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`const a = 1, { b } = c;` with const, let, var or using."""
    target = _target(walk, node.children[0].type, scope, flags_of(role))
    for child in reversed(node.named_children):
        if child.type == "variable_declarator":
            _declarator(walk, child, node, target)
        elif not child.is_extra:
            walk.push(child, scope)


def _target(walk: Walk, keyword: str, scope: int, flags: int) -> Target:
    hoisted = keyword == "var"
    home = walk.function_scope(scope) if hoisted else scope
    kind = DefinitionKind.CONSTANT if keyword == "const" else DefinitionKind.VARIABLE
    return Target(scope, kind, flags | local(walk, home), home, hoisted)


def _declarator(walk: Walk, node: Node, whole: Node, target: Target) -> None:
    name = node.child_by_field_name("name")
    value = node.child_by_field_name("value")
    declared = node.child_by_field_name("type")
    scope = target.scope
    if name is None:
        walk.push_all(node.named_children, scope)
        return
    if value is not None and modules.required(walk, name, value, target):
        return
    if name.type == "identifier":
        inner = unwrap(value)
        if inner is not None and (inner.type in FUNCTIONS or inner.type == "class"):
            _callable(walk, name, node, whole, inner, target)
            walk.push(declared, scope, NONE, Role.TYPE)
            return
        slot = walk.slot() if value is not None else NONE
        index = patterns.bind_name(walk, name, slot, target)
        definition = walk.definitions[index]
        if not definition.flags & Flag.LOCAL and not definition.doc:
            definition.doc = comments.doc(walk, whole)
            definition.signature = walk.signature(node, None)
        if declared is not None and definition.type < 0:
            definition.type = typed(walk, declared, scope)
        walk.push(value, scope, slot)
        return
    slot = walk.slot()
    walk.push(value, scope, slot)
    if declared is not None:
        cast = walk.slot()
        index = walk.expression(Op.CAST, declared, scope, cast, count=1)
        walk.push(declared, scope, walk.expressions[index].first, Role.TYPE)
        slot = cast
    patterns.bind(walk, name, slot, target)


def _callable(walk: Walk, at: Node, node: Node, whole: Node, value: Node, target: Target) -> None:
    """A variable that is given a function or class where it is declared is one."""
    flags = target.flags & ~Flag.LOCAL
    home = target.home if target.home >= 0 else target.scope
    name = walk.text(at)
    if value.type == "class":
        index = classes.define(walk, name, at, node, value, home, flags)
    else:
        index = functions.named(
            walk, DefinitionKind.FUNCTION, name, at, node, value, home, flags, target.scope
        )
    definition = walk.definitions[index]
    if not definition.doc:
        definition.doc = comments.doc(walk, whole)


def for_in(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`for (const x of y)`, `for (x in y)`."""
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    left = node.child_by_field_name("left")
    right = node.child_by_field_name("right")
    keyword = node.child_by_field_name("kind")
    operator = node.child_by_field_name("operator")
    body = node.child_by_field_name("body")
    walk.push(body, inner)
    keys = operator is not None and operator.type == "in"
    source = walk.slot()
    walk.push(right, scope, source)
    slot = derived(walk, Op.ITERATE, node, inner, source, name="key" if keys else "")
    if left is None:
        return
    if keyword is not None:
        target = _target(walk, keyword.type, inner, 0)
        patterns.bind(walk, left, slot, target)
    else:
        patterns.bind(walk, left, slot, Target(inner, assigns=True))


def catch(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`catch (error) {}`: the parameter and the body share a scope."""
    inner = walk.open_scope(ScopeKind.BLOCK, scope)
    body = node.child_by_field_name("body")
    if body is not None:
        walk.push_all(body.named_children, inner)
    parameter = node.child_by_field_name("parameter")
    declared = node.child_by_field_name("type")
    slot = walk.slot()
    if declared is not None:
        walk.push(declared, inner, NONE, Role.TYPE)
    if parameter is not None:
        patterns.bind(walk, parameter, slot, Target(inner, DefinitionKind.VARIABLE, Flag.LOCAL))


__all__ = ["catch", "declaration", "for_in"]
