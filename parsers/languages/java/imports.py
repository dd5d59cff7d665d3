"""Imports: of one type, of a static member, of everything in a package or type."""

from tree_sitter import Node

from parsers.facts import Import
from parsers.walk import Walk


def import_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`import a.B;`, `import a.*;`, `import static a.B.c;`."""
    path = next((c for c in node.named_children if c.type.endswith("identifier")), None)
    if path is None:
        return
    module = "".join(walk.text(path).split())
    if any(child.type == "asterisk" for child in node.named_children):
        line, column = walk.position(path)
        walk.imports.append(Import(module, "*", "", 0, scope, line, column))
        _outer_types(walk, path, scope)
        return
    module, _, name = module.rpartition(".")
    at = path.child_by_field_name("name") or path
    line, column = walk.position(at)
    walk.imports.append(Import(module, name, name, 0, scope, line, column))
    _outer_types(walk, path.child_by_field_name("scope"), scope)


def _outer_types(walk: Walk, path: Node | None, scope: int) -> None:
    """`import a.Outer.Inner` names Outer too, without binding it; types have a capital letter."""
    while path is not None and path.type == "scoped_identifier":
        at = path.child_by_field_name("name")
        outer = path.child_by_field_name("scope")
        if at is None or outer is None or not walk.text(at)[:1].isupper():
            return
        line, column = walk.position(at)
        module = "".join(walk.text(outer).split())
        walk.imports.append(Import(module, walk.text(at), "", 0, scope, line, column))
        path = outer
