"""What the place of a declaration says about it, and parts that many rules need.

A declaration below `export` or `declare` is visited with one of the roles here, which say so; every
other declaration is visited with whatever role its place has.
"""

from collections.abc import Sequence

from tree_sitter import Node

from parsers.facts import NONE, Flag, Op, Role, ScopeKind
from parsers.walk import Walk

EXPORTED = int(Role.EXPORT)
DEFAULT = 100
AMBIENT = 101
EXPORTED_AMBIENT = 102

_FLAGS = {
    EXPORTED: Flag.EXPORTED,
    DEFAULT: Flag.DEFAULT_EXPORT,
    AMBIENT: Flag.DECLARATION,
    EXPORTED_AMBIENT: Flag.EXPORTED | Flag.DECLARATION,
}
FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})
_WRAPPERS = frozenset(
    {
        "parenthesized_expression",
        "as_expression",
        "satisfies_expression",
        "non_null_expression",
        "type_assertion",
    }
)


def flags_of(role: int) -> int:
    """What `export` and `declare` around a declaration say about it."""
    return _FLAGS.get(role, 0)


def unwrap(node: Node | None) -> Node | None:
    """A value without the parentheses and type assertions around it."""
    while node is not None and node.type in _WRAPPERS:
        children = node.named_children
        if not children:
            return node
        node = children[-1] if node.type == "type_assertion" else children[0]
    return node


def is_exportable(walk: Walk, scope: int) -> bool:
    """Whether names bound in `scope` can be seen from outside their function."""
    return walk.scopes[scope].kind in (ScopeKind.FILE, ScopeKind.NAMESPACE)


def local(walk: Walk, scope: int) -> int:
    """The flag of a variable bound in `scope`."""
    return 0 if is_exportable(walk, scope) else Flag.LOCAL


def definition_value(walk: Walk, index: int, at: Node, scope: int) -> int:
    """A slot that holds what the definition `index` stands for, without naming it."""
    slot = walk.slot()
    walk.expression(Op.DEFINITION, at, scope, slot, binding=index)
    return slot


def derived(walk: Walk, op: Op, at: Node, scope: int, value: int, *, name: str = "") -> int:
    """A slot that holds `op` of the value in the slot `value`."""
    slot = walk.slot()
    index = walk.expression(op, at, scope, slot, name=name)
    walk.expressions[index].first = value
    walk.expressions[index].count = 1
    return slot


def pass_on(walk: Walk, at: Node, scope: int, dest: int, value: int) -> None:
    """Let `dest`, if anything waits there, have the value in the slot `value` too."""
    if dest >= 0:
        index = walk.expression(Op.UNION, at, scope, dest)
        walk.expressions[index].first = value
        walk.expressions[index].count = 1


def typed(walk: Walk, node: Node | None, scope: int) -> int:
    """A slot for the type that stands in `node`, or NONE."""
    if node is None:
        return NONE
    slot = walk.slot()
    walk.push(node, scope, slot, Role.TYPE)
    return slot


def unbound(walk: Walk, scope: int) -> int:
    """A scope for a definition whose name nothing in `scope` can use."""
    return walk.open_scope(ScopeKind.BLOCK, scope)


def plain_key(walk: Walk, node: Node) -> str:
    """The name that a property's key gives, or "" where it is computed."""
    match node.type:
        case "property_identifier" | "private_property_identifier" | "number" | "identifier":
            return walk.text(node)
        case "string":
            return walk.text(node)[1:-1]
        case "computed_property_name":
            inner = node.named_children
            if len(inner) == 1 and inner[0].type in ("string", "number"):
                return walk.text(inner[0]).strip("\"'")
            return ""
        case _:
            return ""


def push_type_arguments(walk: Walk, node: Node, scope: int) -> None:
    """The types written after a callee."""
    arguments = node.child_by_field_name("type_arguments")
    if arguments is not None:
        walk.push_all(arguments.named_children, scope, Role.TYPE)


def decorate(walk: Walk, decorators: Sequence[Node], index: int, scope: int) -> None:
    """Attach decorators to the definition `index`."""
    for decorator in reversed(decorators):
        children = decorator.named_children
        if children:
            slot = walk.slot()
            walk.definitions[index].decorators.insert(0, slot)
            walk.push(children[0], scope, slot, Role.DECORATOR)
