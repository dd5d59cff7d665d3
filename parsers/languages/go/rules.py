"""What each node of the Go grammar means: expressions, and the table of all rules."""

from tree_sitter import Node

from parsers import rules as common
from parsers.facts import NONE, Op, Role
from parsers.language import Rule
from parsers.languages.go import files, functions, literals, types, variables
from parsers.walk import Walk


def identifier(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """A name in use; the blank one means nothing."""
    name = walk.text(node)
    if name != "_":
        walk.expression(Op.NAME, node, scope, dest, name=name, role=role)


def call(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A call; `new`, `make` and `append` give back what their first argument says."""
    children = node.named_children
    callee, arguments = children[0], children[-1]
    builtin = ""
    if callee.type == "identifier" and callee.end_byte - callee.start_byte <= len("append"):
        builtin = walk.text(callee)
    if builtin in ("new", "make", "append") and arguments.named_child_count:
        index = common.record_call(walk, node, callee, arguments, scope, -1)
        slot = walk.expressions[index].first + 1
        if dest >= 0:
            result = walk.expression(
                Op.UNION if builtin == "append" else Op.INSTANCE, node, scope, dest
            )
            walk.expressions[result].first, walk.expressions[result].count = slot, 1
        return
    common.record_call(walk, node, callee, arguments, scope, dest)
    if len(children) > 2:  # noqa: PLR2004 - type arguments between callee and arguments
        walk.push_all(children[1:-1], scope, Role.TYPE)


def conversion(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`[]T(value)`; but `F[T](value)` is as likely a call of a generic function."""
    target = node.child_by_field_name("type")
    value = node.child_by_field_name("operand")
    generic = target is not None and target.type == "generic_type"
    index = walk.expression(Op.CALL if generic else Op.CAST, node, scope, dest, count=2)
    first = walk.expressions[index].first
    walk.push(value, scope, first + 1)
    if target is not None and generic:
        walk.push(target.child_by_field_name("type_arguments"), scope, NONE, Role.TYPE)
        walk.push(target.child_by_field_name("type"), scope, first, Role.CALL)
    else:
        walk.push(target, scope, first, Role.TYPE)


def assertion(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`value.(T)`."""
    index = walk.expression(Op.CAST, node, scope, dest, count=2)
    first = walk.expressions[index].first
    walk.push(node.child_by_field_name("type"), scope, first, Role.TYPE)
    walk.push(node.child_by_field_name("operand"), scope, first + 1)


def index(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`container[key]`; as a callee also `Function[Type]`."""
    container = node.child_by_field_name("operand")
    key = node.child_by_field_name("index")
    text = walk.text(key).strip('"`') if key is not None and common.is_plain(key) else ""
    at = walk.expression(Op.INDEX, node, scope, dest, name=text, count=2)
    first = walk.expressions[at].first
    walk.push(key, scope, first + 1)
    walk.push(container, scope, first, Role.CALL if role == Role.CALL else Role.READ)


def unary(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`<-channel` is one element; addresses and pointers are taken for the value itself."""
    operand = node.named_children[-1]
    if walk.data[node.start_byte] == ord("<"):
        index = walk.expression(Op.ITERATE, node, scope, dest, count=1)
        dest = walk.expressions[index].first
    walk.push(operand, scope, dest)


def value(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """Slices and arithmetic are taken to keep the type of what they start from."""
    common.through(walk, node, dest, scope, Role.READ)


def labeled(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """The label is no name of a value."""
    walk.push_all([c for c in node.named_children if c.type != "label_name"], scope)


RULES: dict[str, Rule] = {
    "array_type": types.sequence,
    "assignment_statement": variables.assignment,
    "binary_expression": value,
    "block": common.block(),
    "break_statement": common.ignore,
    "call_expression": call,
    "channel_type": types.sequence,
    "comment": common.ignore,
    "communication_case": common.block(),
    "composite_literal": literals.composite,
    "const_declaration": files.grouped,
    "const_spec": files.constant_spec,
    "continue_statement": common.ignore,
    "dec_statement": variables.increment,
    "default_case": common.block(),
    "expression_case": common.block(),
    "expression_switch_statement": common.block(),
    "false": common.literal("bool"),
    "field_declaration": types.field,
    "float_literal": common.literal("float64"),
    "for_statement": common.block(),
    "func_literal": functions.function_literal,
    "function_declaration": functions.function,
    "function_type": types.function_type,
    "generic_type": types.generic,
    "goto_statement": common.ignore,
    "identifier": identifier,
    "if_statement": common.block(),
    "imaginary_literal": common.literal("complex128"),
    "implicit_length_array_type": types.sequence,
    "import_spec": files.import_spec,
    "inc_statement": variables.increment,
    "index_expression": index,
    "int_literal": common.literal("int"),
    "interface_type": types.literal_type,
    "interpreted_string_literal": common.literal("string"),
    "iota": common.literal("int"),
    "labeled_statement": labeled,
    "map_type": types.mapping,
    "method_declaration": functions.method,
    "method_elem": types.method_element,
    "negated_type": common.through,
    "nil": common.ignore,
    "package_clause": files.package_clause,
    "parenthesized_expression": common.through,
    "parenthesized_type": common.through,
    "pointer_type": common.through,
    "qualified_type": types.qualified,
    "range_clause": variables.range_clause,
    "raw_string_literal": common.literal("string"),
    "receive_statement": variables.receive_statement,
    "rune_literal": common.literal("rune"),
    "select_statement": common.block(),
    "selector_expression": common.member("operand", "field"),
    "short_var_declaration": variables.short_declaration,
    "slice_expression": value,
    "slice_type": types.sequence,
    "source_file": files.source_file,
    "struct_type": types.literal_type,
    "true": common.literal("bool"),
    "type_alias": types.type_spec,
    "type_assertion_expression": assertion,
    "type_constraint": types.union,
    "type_conversion_expression": conversion,
    "type_declaration": files.grouped,
    "type_elem": types.union,
    "type_identifier": types.identifier,
    "type_instantiation_expression": types.generic,
    "type_spec": types.type_spec,
    "type_switch_statement": variables.type_switch,
    "unary_expression": unary,
    "var_declaration": files.grouped,
    "var_spec": files.variable_spec,
    "var_spec_list": files.grouped,
    "variadic_argument": common.wrapped(Op.SPREAD),
}
