"""The top of a file: package, imports, and the variables and constants of `var` and `const`."""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Import, Role
from parsers.languages.go import comments, variables
from parsers.languages.go.variables import exported
from parsers.walk import Walk


def source_file(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """Types come before all else, so that methods written above their type find its scope."""
    types: list[Node] = []
    rest: list[Node] = []
    for child, comment in comments.documented(node.named_children):
        comments.remember(walk, child, comment)
        (types if child.type == "type_declaration" else rest).append(child)
        if child.type == "function_declaration":
            at = child.child_by_field_name("name")
            if at is not None:
                walk.memory[0, walk.text(at)] = 0
    walk.push_all(rest, scope)
    walk.push_all(types, scope)


def package_clause(walk: Walk, node: Node, _dest: int, _scope: int, _role: int) -> None:
    """`package name`."""
    children = node.named_children
    if children:
        walk.package = walk.text(children[0])


def import_spec(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`import alias "path"`; a dot takes every name, a blank none."""
    path = node.child_by_field_name("path")
    if path is None:
        return
    content = path.named_children[0] if path.named_children else path
    module = walk.text(content).strip('"`')
    line, column = walk.position(content)
    record = Import(module, "", "", 0, scope, line, column)
    alias = node.child_by_field_name("name")
    if alias is None:
        record.alias = default_alias(module)
    elif alias.type == "dot":
        record.name = "*"
    elif alias.type == "package_identifier":
        record.alias = walk.text(alias)
        record.alias_line, record.alias_column = walk.position(alias)
    walk.imports.append(record)
    if record.alias:
        walk.memory[scope, record.alias] = 0


def default_alias(path: str) -> str:
    """The package name an import path most likely leads to; only its own source knows for sure."""
    parts = path.split("/")
    last = parts[-1]
    if len(parts) > 1 and last[:1] == "v" and last[1:].isdigit():
        last = parts[-2]
    stem, dot, version = last.rpartition(".")
    if dot and (version == "go" or (version[:1] == "v" and version[1:].isdigit())):
        last = stem
    last = last.removeprefix("go-").removesuffix("-go")
    return last.rpartition("-")[2] if "-" in last else last


def grouped(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`var (...)`, `const (...)`, `type (...)`: a lone part has the comment of the whole."""
    children = node.named_children
    if len(children) == 1:
        start = walk.memory.get(("doc", node.start_byte), NONE)
        if start >= 0:
            walk.memory["doc", children[0].start_byte] = start
    if len(children) > 1 or node.type == "var_spec_list":
        for child, comment in comments.documented(children):
            comments.remember(walk, child, comment)
    walk.memory["constants", "first"] = walk.memory["constants", "type"] = NONE
    walk.push_all(children, scope)


def variable_spec(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`a, b T = values` of a `var`."""
    names = node.children_by_field_name("name")
    declared = node.child_by_field_name("type")
    value = node.child_by_field_name("value")
    inner = variables.settle(walk, names, value, scope) if scope else scope
    slots = variables.assigned(walk, names, variables.names_of(value), scope)
    type_slot = _type_slot(walk, declared, scope)
    for at, slot in zip(names, slots, strict=True):
        _declare(walk, at, node, inner, value=slot, declared=type_slot)


def constant_spec(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`a, b T = values` of a `const`; without values it repeats the type and values before it."""
    names = node.children_by_field_name("name")
    declared = node.child_by_field_name("type")
    value = node.child_by_field_name("value")
    inner = variables.settle(walk, names, value, scope) if scope else scope
    memory = walk.memory
    if value is not None:
        values = variables.names_of(value)
        slots = variables.assigned(walk, names, values, scope)
        memory["constants", "first"] = slots[0] if slots else NONE
        memory["constants", "count"] = len(values)
        memory["constants", "type"] = _type_slot(walk, declared, scope)
    first = memory.get(("constants", "first"), NONE)
    type_slot = memory.get(("constants", "type"), NONE)
    count = memory["constants", "count"] if first >= 0 else 0
    for position, at in enumerate(names):
        slot = first + position if position < count else NONE
        _declare(walk, at, node, inner, value=slot, declared=type_slot)


def _type_slot(walk: Walk, declared: Node | None, scope: int) -> int:
    if declared is None:
        return NONE
    slot = walk.slot()
    walk.push(declared, scope, slot, Role.TYPE)
    return slot


def _declare(walk: Walk, at: Node, whole: Node, scope: int, *, value: int, declared: int) -> None:
    name = walk.text(at)
    if name == "_":
        return
    constant = whole.type == "const_spec"
    kind = DefinitionKind.CONSTANT if constant else DefinitionKind.VARIABLE
    flags = Flag.LOCAL if scope else exported(name)
    index = walk.define(kind, name, at, whole, scope, flags)
    definition = walk.definitions[index]
    definition.type = declared
    if value >= 0:
        definition.values.append(value)
    if scope:
        walk.memory[scope, name] = index
    else:
        definition.doc = comments.doc(walk, whole)
        definition.signature = walk.signature(whole, None)
