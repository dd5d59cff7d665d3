"""Assignments: to variables, to members, and to what a CommonJS module offers.

A function assigned to a member is a definition; a value assigned to a member of something this file
defines may be one. Whose member it is can depend on what is declared further down: `members.settle`
decides it when the whole file has been read.
"""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role
from parsers.languages.javascript import classes, functions, modules, patterns
from parsers.languages.javascript.patterns import Target
from parsers.languages.javascript.places import (
    FUNCTIONS,
    definition_value,
    pass_on,
    unbound,
    unwrap,
)
from parsers.walk import Walk

_WHOLE = (b"module.exports", b"exports")
_OFFERED = (b"module.exports.", b"exports.")
_LONGEST_PATH = 200
# Parts of a path that name no place of their own.
_SILENT = frozenset({"module", "exports", "this", "self"})


def assignment(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`target = value`, which is also an expression with that value."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None:
        walk.push_all(node.named_children, scope)
        return
    slot = walk.slot()
    pass_on(walk, node, scope, dest, slot)
    held = unwrap(right)
    callable_ = held is not None and (held.type in FUNCTIONS or held.type == "class")
    match left.type:
        case "member_expression":
            if callable_ and held is not None:
                _callable_member(walk, node, left, held, slot, scope)
            else:
                _member(walk, left, right, slot, scope)
            return
        case "identifier" if callable_ and held is not None:
            home = unbound(walk, scope)
            index = _callable(walk, walk.text(left), left, node, held, home, scope)
            walk.expression(Op.DEFINITION, held, scope, slot, binding=index)
        case _:
            walk.push(right, scope, slot)
    patterns.bind(walk, left, slot, Target(scope, assigns=True))


def _callable(
    walk: Walk, name: str, at: Node, node: Node, value: Node, home: int, scope: int, flags: int = 0
) -> int:
    if value.type == "class":
        return classes.define(walk, name, at, node, value, home, flags)
    return functions.named(walk, DefinitionKind.FUNCTION, name, at, node, value, home, flags, scope)


def _callable_member(
    walk: Walk, node: Node, left: Node, value: Node, slot: int, scope: int
) -> None:
    """`object.name = function () {}`."""
    at = left.child_by_field_name("property")
    owner = left.child_by_field_name("object")
    if at is None or owner is None:
        return
    written = walk.data[left.start_byte : left.end_byte]
    whole = written == _WHOLE[0]
    name = "" if whole else walk.text(at)
    if whole and value.type in FUNCTIONS:
        modules.offer(walk, modules.WHOLE, at, slot)
        walk.push(value, scope, slot)
        return
    offered = not whole and written.startswith(_OFFERED) and written.count(b".") <= 2  # noqa: PLR2004
    flags = Flag.EXPORTED if offered or whole else 0
    home = unbound(walk, scope)
    index = _callable(walk, name, at, node, value, home, scope, flags)
    walk.expression(Op.DEFINITION, value, scope, slot, binding=index)
    if offered or whole:
        modules.offer(walk, name or modules.WHOLE, at, slot)
    else:
        walk.definitions[index].qualified_name = _path(written) or name
        root = walk.slot()
        walk.memory["method", index] = root
        walk.push(owner, scope, root)


def _path(written: bytes) -> str:
    """The dotted path of a member as it is written, without what names no place."""
    if len(written) > _LONGEST_PATH or b"(" in written or b"[" in written or b"\n" in written:
        return ""
    parts = written.decode("utf-8", "replace").replace(" ", "").replace("?", "").split(".")
    return ".".join(part.lstrip("#") for part in parts if part not in _SILENT)


def _member(walk: Walk, left: Node, right: Node, slot: int, scope: int) -> None:
    """`object.name = value`."""
    written = walk.data[left.start_byte : min(left.end_byte, left.start_byte + _LONGEST_PATH)]
    walk.push(right, scope, slot)
    at = left.child_by_field_name("property")
    if at is None:
        return
    if written == _WHOLE[0]:
        modules.offer(walk, modules.WHOLE, at, slot)
    elif written.startswith(_OFFERED) and written.count(b".") - written.startswith(b"module") == 1:
        _offered(walk, at, right, slot, scope)
    else:
        patterns.assign(walk, left, slot, scope)


def _offered(walk: Walk, at: Node, right: Node, slot: int, scope: int) -> None:
    """`exports.name = value`: a name for what the value is, or a variable of the module."""
    name = walk.text(at)
    if right.type in ("identifier", "member_expression"):
        modules.offer(walk, name, at, slot)
        return
    known = walk.memory.get(("exports", name), NONE)
    if known >= 0:
        walk.definitions[known].values.append(slot)
        return
    home = unbound(walk, 0)
    index = walk.define(DefinitionKind.VARIABLE, name, at, at, home, Flag.EXPORTED)
    walk.memory["exports", name] = index
    walk.definitions[index].values.append(slot)
    modules.offer(walk, name, at, definition_value(walk, index, at, scope))


def augmented(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`x += value` reads and writes; `x ??= value` may give it another value."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    if left is None or right is None:
        walk.push_all(node.named_children, scope)
        return
    if operator is None or operator.type not in ("??=", "||=", "&&="):
        walk.push(right, scope)
        walk.push(left, scope, NONE, Role.WRITE)
        return
    slot = walk.slot()
    pass_on(walk, node, scope, dest, slot)
    walk.push(right, scope, slot)
    patterns.bind(walk, left, slot, Target(scope, assigns=True))


__all__ = ["assignment", "augmented"]
