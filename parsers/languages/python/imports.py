"""Import statements."""

from tree_sitter import Node

from parsers.facts import Import
from parsers.walk import Walk


def import_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`import a.b` binds a; `import a.b as c` binds the module a.b."""
    home = walk.function_scope(scope)
    for child in node.children_by_field_name("name"):
        at, alias = _aliased(child)
        if at is None:
            continue
        line, column = walk.position(at)
        module = walk.text(at)
        record = Import(module, "", module.split(".", 1)[0], 0, home, line, column)
        if alias is not None:
            record.alias = walk.text(alias)
            record.alias_line, record.alias_column = walk.position(alias)
        walk.imports.append(record)


def import_from(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`from ..a import b as c, d` and `from a import *`."""
    home = walk.function_scope(scope)
    source = node.child_by_field_name("module_name")
    written = walk.text(source).replace(" ", "") if source is not None else "__future__"
    module = written.lstrip(".")
    level = len(written) - len(module)
    for child in node.children_by_field_name("name"):
        at, alias = _aliased(child)
        if at is None:
            continue
        line, column = walk.position(at)
        name = walk.text(at)
        record = Import(module, name, name, level, home, line, column, reexport=name)
        if alias is not None:
            record.alias = record.reexport = walk.text(alias)
            record.alias_line, record.alias_column = walk.position(alias)
        walk.imports.append(record)
    if any(child.type == "wildcard_import" for child in node.named_children):
        line, column = walk.position(source if source is not None else node)
        walk.imports.append(Import(module, "*", "", level, home, line, column, reexport="*"))


def _aliased(node: Node) -> tuple[Node | None, Node | None]:
    if node.type == "aliased_import":
        return node.child_by_field_name("name"), node.child_by_field_name("alias")
    return node, None


__all__ = ["import_", "import_from"]
