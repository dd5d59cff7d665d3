"""Composite literals: `Point{X: 1}`, `[]Point{{X: 1}}`, `map[string]Point{"a": {X: 1}}`.

The keys of a struct's literal are members of an instance of the struct. An element that leaves out
its type has that of the container's elements, however deep.
"""

from tree_sitter import Node

from parsers.facts import NONE, Op, Role
from parsers.walk import Walk

_CONTAINERS = frozenset({"slice_type", "array_type", "implicit_length_array_type", "map_type"})


def composite(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`T{...}`: an instance of T."""
    declared = node.child_by_field_name("type")
    body = node.child_by_field_name("body")
    if declared is None:
        walk.push_all(node.named_children, scope)
        return
    unnamed = declared.type in _CONTAINERS or declared.type == "struct_type"
    slot = dest if dest >= 0 else walk.slot()
    index = walk.expression(Op.INSTANCE if unnamed else Op.NEW, node, scope, slot, count=1)
    if body is not None:
        _Braces(walk, scope).work(body, declared, slot)
    role = Role.TYPE if unnamed else Role.CONSTRUCT
    walk.push(declared, scope, walk.expressions[index].first, role)


class _Braces:
    """What stands between the braces of one literal; nested braces are worked off in a loop."""

    def __init__(self, walk: Walk, scope: int) -> None:
        self.walk = walk
        self.scope = scope
        self.pending: list[tuple[Node, Node | None, int]] = []
        self.values: list[Node] = []

    def work(self, body: Node, declared: Node, slot: int) -> None:
        """Record the member keys and push all values of the literal in `slot`."""
        self.pending.append((body, declared, slot))
        while self.pending:
            self._elements(*self.pending.pop())
        self.walk.push_all(self.values, self.scope)

    def _elements(self, braces: Node, declared: Node | None, value: int) -> None:
        while declared is not None and declared.type in ("pointer_type", "parenthesized_type"):
            declared = declared.named_children[0]
        elements = [child for child in braces.named_children if not child.is_extra]
        container = declared is not None and declared.type in _CONTAINERS
        members = not container and _has_member_keys(elements)
        for element in elements:
            if element.type != "keyed_element":
                self._part(element, declared, "value", value)
                continue
            key = _content(element.child_by_field_name("key"))
            if members and key is not None:
                self._member(key, value)
            else:
                self._part(key, declared, "key", value)
            self._part(element.child_by_field_name("value"), declared, "value", value)

    def _member(self, at: Node, value: int) -> None:
        name = self.walk.text(at)
        index = self.walk.expression(Op.MEMBER, at, self.scope, NONE, name=name, role=Role.WRITE)
        self.walk.expressions[index].first, self.walk.expressions[index].count = value, 1

    def _part(self, node: Node | None, declared: Node | None, part: str, value: int) -> None:
        """One key or value: an expression to visit, or braces without a type."""
        node = _content(node)
        if node is None:
            return
        if node.type != "literal_value":
            self.values.append(node)
            return
        slot = self.walk.slot()
        index = self.walk.expression(Op.ITERATE, node, self.scope, slot, name=part)
        self.walk.expressions[index].first, self.walk.expressions[index].count = value, 1
        inner = None
        if declared is not None:
            inner = declared.child_by_field_name(part) or declared.child_by_field_name("element")
        self.pending.append((node, inner, slot))


def _has_member_keys(elements: list[Node]) -> bool:
    """Keys that are all plain names are a struct's fields; others index a named map or slice."""
    for element in elements:
        if element.type == "keyed_element":
            at = _content(element.child_by_field_name("key"))
            if at is None or at.type != "identifier":
                return False
    return True


def _content(node: Node | None) -> Node | None:
    """What stands in a `literal_element`."""
    if node is not None and node.type == "literal_element":
        children = [child for child in node.named_children if not child.is_extra]
        return children[0] if children else None
    return node
