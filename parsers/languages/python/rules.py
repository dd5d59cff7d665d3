"""What each node of the Python grammar means."""

from tree_sitter import Node

from parsers import rules as common
from parsers.facts import (
    NONE,
    Export,
    Op,
    Role,
    ScopeKind,
)
from parsers.language import Rule
from parsers.languages.python import functions, imports, patterns, targets, types
from parsers.walk import Walk

# Passed to a function they say little about it, and a fifth of all expressions would be these.
_LITERALS = frozenset({"string", "integer", "float", "true", "false", "none"})


def assignment(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`target: type = value`; a chain `a = b = value` shares one value."""
    slot = walk.slot()
    type_slot = NONE
    declared = node.child_by_field_name("type")
    value = node.child_by_field_name("right")
    target = node.child_by_field_name("left")
    if dest >= 0:
        index = walk.expression(Op.UNION, node, scope, dest)
        walk.expressions[index].first, walk.expressions[index].count = slot, 1
    if declared is not None:
        type_slot = walk.slot()
        walk.push(declared, scope, type_slot, Role.TYPE)
    if target is not None and value is not None and target.type == "identifier":
        _public_names(walk, target, value, scope)
    walk.push(value, scope, slot)
    targets.bind(walk, target, slot, scope, type_slot=type_slot)


def _public_names(walk: Walk, target: Node, value: Node, scope: int) -> None:
    """`__all__ = [...]` lists what a wildcard import takes."""
    if scope == 0 and value.type in ("list", "tuple") and walk.text(target) == "__all__":
        for element in value.named_children:
            if element.type == "string":
                line, column = walk.position(element)
                text = walk.text(element).strip("\"'")
                walk.exports.append(Export("*" + text, NONE, line, column))


def augmented(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`x += value` reads and writes what was bound before."""
    walk.push(node.child_by_field_name("right"), scope)
    walk.push(node.child_by_field_name("left"), scope, NONE, Role.WRITE)


def walrus(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`(name := value)` binds in the function and is the value."""
    slot = walk.slot()
    index = walk.expression(Op.UNION, node, scope, dest)
    walk.expressions[index].first, walk.expressions[index].count = slot, 1
    walk.push(node.child_by_field_name("value"), scope, slot)
    home = walk.function_scope(scope)
    targets.bind(walk, node.child_by_field_name("name"), slot, home)


def loop(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`for target in iterable`: the target is one element."""
    slot = _derived(walk, Op.ITERATE, node, scope, node.child_by_field_name("right"))
    skipped = (node.child_by_field_name("left"), node.child_by_field_name("right"))
    rest = [child for child in node.named_children if child not in skipped]
    iterate = walk.stack.pop()
    walk.push_all(rest, scope)
    walk.stack.append(iterate)
    targets.bind(walk, node.child_by_field_name("left"), slot, scope)


def _derived(walk: Walk, op: Op, at: Node, scope: int, value: Node | None) -> int:
    """A slot that holds `op` of `value`; visiting `value` is the top of the stack."""
    slot = walk.slot()
    index = walk.expression(op, at, scope, slot, count=1)
    if value is not None:
        walk.push(value, scope, walk.expressions[index].first)
    else:
        walk.push(at, scope)
    return slot


def comprehension(op: Op, type_name: str) -> Rule:
    """A comprehension has a scope of its own for what its clauses bind."""

    def rule(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
        inner = walk.open_scope(ScopeKind.COMPREHENSION, scope)
        body = node.child_by_field_name("body")
        pair = body is not None and body.type == "pair"
        index = walk.expression(op, node, scope, dest, name=type_name, count=2 if pair else 1)
        first = walk.expressions[index].first
        if body is not None and pair:
            walk.push(body.child_by_field_name("value"), inner, first + 1)
            walk.push(body.child_by_field_name("key"), inner, first)
        else:
            walk.push(body, inner, first)
        walk.push_all([c for c in node.named_children if c != body], inner)

    return rule


def as_pattern(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`manager as target` in a with statement; `pattern as name` in a case."""
    children = node.named_children
    alias = node.child_by_field_name("alias")
    if not children:
        return
    if alias is None:
        slot = walk.slot()
        walk.push(children[0], scope, slot)
        targets.bind(walk, children[-1] if len(children) > 1 else None, slot, scope)
        return
    slot = _derived(walk, Op.ENTER, node, scope, children[0])
    targets.bind(walk, alias, slot, scope)
    del dest


def except_clause(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`except Type as name`: the name is an instance of the type."""
    children = list(node.named_children)
    alias = node.child_by_field_name("alias")
    value = node.child_by_field_name("value")
    if children and children[0].type == "as_pattern":
        pattern = children.pop(0)
        value = pattern.named_children[0] if pattern.named_children else None
        alias = pattern.child_by_field_name("alias")
    rest = [child for child in children if child not in (alias, value)]
    walk.push_all(rest, scope)
    if alias is None or value is None:
        walk.push(value, scope)
        return
    slot = _derived(walk, Op.INSTANCE, value, scope, value)
    targets.bind(walk, alias, slot, scope)


def outer_names(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`global` and `nonlocal` redirect where later assignments bind."""
    home = walk.function_scope(scope)
    for child in node.named_children:
        name = walk.text(child)
        target = 0
        if node.type == "nonlocal_statement":
            target = walk.function_scope(walk.scopes[home].parent)
            while target > 0 and (target, name) not in walk.memory:
                parent = walk.scopes[target].parent
                target = walk.function_scope(parent) if parent >= 0 else 0
        walk.memory[("outer", home, name)] = target
        walk.push(child, scope)


def call(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A call; `super()` is the receiver seen as its base types."""
    callee = node.child_by_field_name("function")
    arguments = node.child_by_field_name("arguments")
    if callee is not None and callee.type == "identifier" and walk.text(callee) == "super":
        walk.expression(Op.SUPER, callee, scope, dest)
        if arguments is not None:
            walk.push_all(arguments.named_children, scope)
        return
    if arguments is not None and arguments.type == "generator_expression":
        index = walk.expression(Op.CALL, node, scope, dest, count=2)
        first = walk.expressions[index].first
        walk.push(arguments, scope, first + 1)
        walk.push(callee, scope, first, Role.CALL)
        return
    values = arguments.named_children if arguments is not None else []
    values = [value for value in values if not value.is_extra]
    index = walk.expression(Op.CALL, node, scope, dest, count=1 + len(values))
    first = walk.expressions[index].first
    for offset in range(len(values), 0, -1):
        value = values[offset - 1]
        walk.push(value, scope, NONE if value.type in _LITERALS else first + offset)
    walk.push(callee, scope, first, Role.CALL)


def keyword_argument(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`name=value` in a call."""
    at = node.child_by_field_name("name")
    if at is None:
        return
    value = node.child_by_field_name("value")
    if value is None or value.type in _LITERALS:
        walk.push(value, scope)
        return
    index = walk.expression(Op.KEYWORD, at, scope, dest, name=walk.text(at), count=1)
    walk.push(value, scope, walk.expressions[index].first)


def arithmetic(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`a | b` of types is a union; any other operator is taken to keep its left side's type."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if role == Role.TYPE:
        index = walk.expression(Op.UNION, node, scope, dest, count=2)
        first = walk.expressions[index].first
        walk.push(right, scope, first + 1, Role.TYPE)
        walk.push(left, scope, first, Role.TYPE)
    else:
        walk.push(right, scope)
        walk.push(left, scope, dest)


def conditional(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`a if condition else b` is one of a and b."""
    parts = node.named_children
    if len(parts) != 3:  # noqa: PLR2004 - value, condition, alternative
        walk.push_all(parts, scope)
        return
    index = walk.expression(Op.UNION, node, scope, dest, count=2)
    first = walk.expressions[index].first
    walk.push(parts[2], scope, first + 1)
    walk.push(parts[1], scope)
    walk.push(parts[0], scope, first)


def mapping(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A dictionary, as alternating keys and values."""
    parts: list[Node | None] = []
    for child in node.named_children:
        if child.type == "pair":
            parts += [child.child_by_field_name("key"), child.child_by_field_name("value")]
        elif not child.is_extra:
            parts += [None, child]
    index = walk.expression(Op.MAPPING, node, scope, dest, name="dict", count=len(parts))
    first = walk.expressions[index].first
    for offset in range(len(parts) - 1, -1, -1):
        walk.push(parts[offset], scope, first + offset)


RULES: dict[str, Rule] = {
    "aliased_import": common.ignore,
    "as_pattern": as_pattern,
    "assignment": assignment,
    "attribute": common.member("object", "attribute"),
    "augmented_assignment": augmented,
    "await": common.wrapped(Op.AWAIT),
    "binary_operator": arithmetic,
    "boolean_operator": common.composite(Op.UNION),
    "call": call,
    "case_pattern": patterns.case_pattern,
    "class_definition": functions.class_,
    "class_pattern": patterns.class_pattern,
    "comment": common.ignore,
    "conditional_expression": conditional,
    "decorated_definition": functions.decorated,
    "dictionary": mapping,
    "dictionary_comprehension": comprehension(Op.MAPPING, "dict"),
    "dictionary_splat": common.wrapped(Op.SPREAD),
    "dotted_name": patterns.dotted,
    "ellipsis": common.ignore,
    "except_clause": except_clause,
    "expression_list": common.composite(Op.SEQUENCE, "tuple"),
    "false": common.literal("bool"),
    "float": common.literal("float"),
    "for_in_clause": loop,
    "for_statement": loop,
    "function_definition": functions.function,
    "future_import_statement": imports.import_from,
    "generator_expression": comprehension(Op.SEQUENCE, "Generator"),
    "generic_type": types.generic_type,
    "global_statement": outer_names,
    "identifier": common.name,
    "import_from_statement": imports.import_from,
    "import_statement": imports.import_,
    "integer": common.literal("int"),
    "interpolation": common.through,
    "keyword_argument": keyword_argument,
    "keyword_pattern": patterns.case_pattern,
    "lambda": functions.lambda_,
    "list": common.composite(Op.SEQUENCE, "list"),
    "list_comprehension": comprehension(Op.SEQUENCE, "list"),
    "list_splat": common.wrapped(Op.SPREAD),
    "named_expression": walrus,
    "none": types.none,
    "nonlocal_statement": outer_names,
    "parenthesized_expression": common.through,
    "return_statement": functions.return_,
    "set": common.composite(Op.SEQUENCE, "set"),
    "splat_pattern": patterns.splat_pattern,
    "set_comprehension": comprehension(Op.SEQUENCE, "set"),
    "string": types.string,
    "subscript": common.subscript("value", "subscript"),
    "true": common.literal("bool"),
    "tuple": common.composite(Op.SEQUENCE, "tuple"),
    "type": common.through,
    "type_alias_statement": types.type_alias,
    "union_type": common.composite(Op.UNION),
    "yield": functions.yield_,
}
