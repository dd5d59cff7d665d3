"""What a file takes from others and what it offers them, in all forms of both module systems."""

from tree_sitter import Node

from parsers.facts import NONE, Export, Flag, Import, Op, Role
from parsers.languages.javascript import patterns
from parsers.languages.javascript.builtins import PLATFORM_MODULES
from parsers.languages.javascript.patterns import Target
from parsers.languages.javascript.places import (
    AMBIENT,
    DEFAULT,
    EXPORTED,
    EXPORTED_AMBIENT,
)
from parsers.walk import Walk

# The name of what CommonJS exports as a whole, on both sides: `module.exports = value`.
WHOLE = "="
_TYPES = ("interface_declaration", "type_alias_declaration")


def _literal(walk: Walk, node: Node | None) -> str:
    """The text of a string node, or ""."""
    if node is None or node.type != "string":
        return ""
    return walk.text(node)[1:-1]


def _record(
    walk: Walk, module: str, name: str, at: Node, scope: int, alias: Node | None = None
) -> Import:
    line, column = walk.position(at)
    record = Import(module, name, "", 0, scope, line, column)
    if alias is not None:
        record.alias = walk.text(alias)
        record.alias_line, record.alias_column = walk.position(alias)
    walk.imports.append(record)
    return record


def import_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`import a, { b as c }, * as d from 'module'`, and `import x = require('module')`."""
    source = node.child_by_field_name("source")
    type_only = any(child.type == "type" for child in node.children)
    for clause in node.named_children:
        if clause.type == "import_clause" and source is not None:
            _clause(walk, clause, _literal(walk, source), scope, type_only)
        elif clause.type == "import_require_clause":
            source = clause.child_by_field_name("source")
            names = clause.named_children
            if source is not None and names:
                _record(walk, _literal(walk, source), WHOLE, source, scope, names[0])
            return
    if source is not None:
        _record(walk, _literal(walk, source), "", source, scope)


def _clause(walk: Walk, clause: Node, module: str, scope: int, type_only: bool) -> None:  # noqa: FBT001
    for part in clause.named_children:
        match part.type:
            case "identifier":
                record = _record(walk, module, "", part, scope, part)
                record.default, record.type_only = True, type_only
            case "namespace_import":
                at = part.named_children[0]
                _record(walk, module, "", at, scope, at).type_only = type_only
            case "named_imports":
                for specifier in part.named_children:
                    if specifier.type == "import_specifier":
                        _specifier(walk, specifier, module, scope, type_only)
            case _:
                pass


def _specifier(walk: Walk, node: Node, module: str, scope: int, type_only: bool) -> None:  # noqa: FBT001
    at = node.child_by_field_name("name")
    alias = node.child_by_field_name("alias")
    if at is None:
        at = next((child for child in node.children if child.type == "default"), None)
    if at is None:
        return
    name = _literal(walk, at) or walk.text(at)
    record = _record(walk, module, "" if name == "default" else name, at, scope, alias or at)
    if alias is None:
        record.alias_line = record.alias_column = 0
    record.default = name == "default"
    record.type_only = type_only or node.children[0].type == "type"


def required(walk: Walk, target: Node, value: Node, place: Target) -> bool:
    """Whether a declaration is `const x = require('y')` or `const { a, b: c } = require('y')`.

    Then its variables stand for what is imported.
    """
    call, taken = value, None
    if value.type == "member_expression":
        inner = value.child_by_field_name("object")
        taken = value.child_by_field_name("property")
        if inner is None or taken is None or target.type != "identifier":
            return False
        call = inner
    source = require_source(walk, call)
    if source is None:
        return False
    if target.type == "identifier":
        _stand_for(walk, target, source, taken, place)
    elif target.type == "object_pattern":
        parts = [child for child in target.named_children if not child.is_extra]
        if not all(_is_plain(part) for part in parts):
            return False
        for part in parts:
            alias = part.child_by_field_name("value") or part
            _stand_for(walk, alias, source, part.child_by_field_name("key") or part, place)
    else:
        return False
    if target.type != "identifier" or taken is not None:
        _record(walk, _literal(walk, source), "", source, place.scope)
    walk.push(call.child_by_field_name("function"), place.scope, NONE, Role.CALL)
    return True


def _stand_for(walk: Walk, name: Node, source: Node, taken: Node | None, place: Target) -> None:
    """Let a name stand for a module, or for what is taken from it.

    Of a package that this repository does not have, the variable is all that can be seen.
    """
    module, scope = _literal(walk, source), place.scope
    at = taken if taken is not None else source
    part = walk.text(taken) if taken is not None else WHOLE
    if module.removeprefix("node:").split("/", 1)[0] in PLATFORM_MODULES:
        _record(walk, module, part, at, place.home if place.home >= 0 else scope, name)
        return
    slot = walk.slot()
    patterns.bind_name(walk, name, slot, place._replace(flags=place.flags | Flag.ALIAS))
    imported(walk, source, part, at, at, scope, slot)


def _is_plain(part: Node) -> bool:
    if part.type == "shorthand_property_identifier_pattern":
        return True
    value = part.child_by_field_name("value")
    key = part.child_by_field_name("key")
    return (
        part.type == "pair_pattern"
        and value is not None
        and value.type == "identifier"
        and key is not None
        and key.type == "property_identifier"
    )


def require_source(walk: Walk, call: Node) -> Node | None:
    """The string of `require('module')`, if `call` is that."""
    start = call.start_byte
    if walk.data[start : start + 7] != b"require" or call.type != "call_expression":
        return None
    callee, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if callee is None or callee.type != "identifier" or arguments is None:
        return None
    values = arguments.named_children
    if walk.text(callee) != "require" or len(values) != 1 or values[0].type != "string":
        return None
    return values[0]


def imported(
    walk: Walk, source: Node, name: str, taken: Node, at: Node, scope: int, dest: int
) -> None:
    """An import written as an expression; `taken` is the name that is taken from the module."""
    _record(walk, _literal(walk, source), name, taken, scope)
    walk.expression(Op.IMPORT, at, scope, dest, binding=len(walk.imports) - 1)


def export(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`export ...` in all its forms."""
    source = node.child_by_field_name("source")
    declared = node.child_by_field_name("declaration")
    value = node.child_by_field_name("value")
    if source is not None:
        _reexport(walk, node, source, scope)
    elif declared is not None:
        _declared(walk, node, declared, scope, role)
    elif value is not None:
        _offer(walk, "default", value, scope)
    else:
        _listed(walk, node, scope)


def _declared(walk: Walk, node: Node, declared: Node, scope: int, role: int) -> None:
    """`export const x = 1`, `export default class Name {}`."""
    if all(child.type != "default" for child in node.children):
        ambient_ = role == AMBIENT or declared.type == "ambient_declaration"
        walk.push(declared, scope, NONE, EXPORTED_AMBIENT if ambient_ else EXPORTED)
    elif declared.child_by_field_name("name") is None:
        _offer(walk, "default", declared, scope)
    else:
        walk.push(declared, scope, NONE, DEFAULT)


def _listed(walk: Walk, node: Node, scope: int) -> None:
    """`export { a, b }`, `export = value`; `export as namespace Name` is for scripts."""
    words = {child.type for child in node.children if not child.is_named}
    if "as" in words:
        return
    for part in node.named_children:
        if part.type == "export_clause":
            _clause_of_own(walk, part, scope)
        elif "=" in words and not part.is_extra:
            _offer(walk, WHOLE, part, scope)
        elif part.type != "decorator":
            walk.push(part, scope)


def _offer(walk: Walk, name: str, value: Node, scope: int) -> None:
    """Offer an expression's value under a name."""
    slot = offer(walk, name, value, walk.slot())
    role = Role.EXPORT if value.type == "identifier" else Role.READ
    walk.push(value, scope, slot, role)


def offer(walk: Walk, name: str, at: Node, slot: int) -> int:
    """Let the file offer the value in the slot under a name; give the slot."""
    line, column = walk.position(at)
    walk.exports.append(Export(name, slot, line, column))
    return slot


def _clause_of_own(walk: Walk, clause: Node, scope: int) -> None:
    """`export { a, b as c }`."""
    for specifier in clause.named_children:
        at = specifier.child_by_field_name("name")
        if at is None:
            continue
        alias = specifier.child_by_field_name("alias")
        shown = alias if alias is not None else at
        name = _literal(walk, shown) or walk.text(shown)
        slot = offer(walk, name, shown, walk.slot()) if scope == 0 else NONE
        walk.expression(Op.NAME, at, scope, slot, name=walk.text(at), role=Role.EXPORT)


def _reexport(walk: Walk, node: Node, source: Node, scope: int) -> None:
    """`export { a as b } from`, `export * from`, `export * as name from`."""
    module = _literal(walk, source)
    wildcard = True
    for clause in node.named_children:
        if clause.type == "namespace_export":
            wildcard = False
            at = clause.named_children[0]
            _record(walk, module, "", at, scope).reexport = _literal(walk, at) or walk.text(at)
        elif clause.type == "export_clause":
            wildcard = False
            for specifier in clause.named_children:
                _passed_on(walk, specifier, module, scope)
    if wildcard:
        _record(walk, module, "*", source, scope).reexport = "*"
    else:
        _record(walk, module, "", source, scope)


def _passed_on(walk: Walk, node: Node, module: str, scope: int) -> None:
    if node.type != "export_specifier":
        return
    alias = node.child_by_field_name("alias")
    at = node.child_by_field_name("name") or next(
        (child for child in node.children if child.type == "default"), None
    )
    if at is None:
        return
    name = _literal(walk, at) or walk.text(at)
    record = _record(walk, module, "" if name == "default" else name, at, scope)
    record.default = name == "default"
    shown = alias if alias is not None else at
    record.reexport = _literal(walk, shown) or walk.text(shown)
    if alias is not None:
        record.alias_line, record.alias_column = walk.position(alias)


def ambient(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`declare ...`: what is defined elsewhere."""
    inner = EXPORTED_AMBIENT if role in (EXPORTED, EXPORTED_AMBIENT) else AMBIENT
    for child in reversed(node.named_children):
        if child.type == "statement_block":
            walk.push_all(child.named_children, scope, inner)  # declare global
        else:
            walk.push(child, scope, NONE, inner)


__all__ = [
    "WHOLE",
    "ambient",
    "export",
    "import_",
    "imported",
    "offer",
    "require_source",
    "required",
]
