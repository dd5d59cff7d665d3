"""Functions, methods and their signatures.

A method belongs to its receiver's type, which any file of the package may declare. If this file
does, the method is bound in the type's own CLASS scope. If not, the file gets a *partial
definition* of the type: a STRUCT of the type's name with `Flag.DECLARATION` at the first receiver,
whose CLASS scope holds the methods. No name is bound to a partial definition, it merely groups the
members that resolution adds to the type of that name in the package; `qualified_name` is
`Type.Method` either way.
"""

from tree_sitter import Node

from parsers.facts import NONE, Definition, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.languages.go import comments, variables
from parsers.languages.go.variables import exported
from parsers.rules import anonymous_function
from parsers.walk import Walk


def function(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`func name(...)`."""
    at = node.child_by_field_name("name")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    name = walk.text(at)
    index = walk.define(DefinitionKind.FUNCTION, name, at, node, scope, exported(name))
    _describe(walk, node, index)
    inner = walk.open_scope(ScopeKind.FUNCTION, scope, index)
    body(walk, node, inner)
    signature(walk, node, inner, inner, walk.definitions[index])
    type_parameters(walk, node, inner)


def _describe(walk: Walk, node: Node, index: int) -> None:
    definition = walk.definitions[index]
    definition.signature = walk.signature(node, node.child_by_field_name("body"))
    definition.doc = comments.doc(walk, node)


def body(walk: Walk, node: Node, inner: int) -> None:
    """The statements of a function stand in the scope of its parameters."""
    block = node.child_by_field_name("body")
    if block is not None:
        walk.push_all(block.named_children, inner)


def method(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`func (receiver Type) name(...)`."""
    at = node.child_by_field_name("name")
    receivers = node.child_by_field_name("receiver")
    parameters = receivers.named_children if receivers is not None else []
    parameters = [p for p in parameters if p.type == "parameter_declaration"]
    base = _receiver_type(parameters[0]) if parameters else None
    if at is None or base is None:
        walk.push_all(node.named_children, scope)
        return
    name = walk.text(at)
    home = _type_scope(walk, base)
    index = walk.define(DefinitionKind.METHOD, name, at, node, home, exported(name))
    _describe(walk, node, index)
    inner = walk.open_scope(ScopeKind.FUNCTION, scope, index)
    body(walk, node, inner)
    signature(walk, node, inner, inner, walk.definitions[index])
    type_slot = _receiver(walk, parameters[0], base, inner)
    for identifier in parameters[0].children_by_field_name("name"):
        receiver = walk.text(identifier)
        flags = Flag.LOCAL | Flag.RECEIVER
        own = walk.define(DefinitionKind.PARAMETER, receiver, identifier, identifier, inner, flags)
        walk.definitions[own].type = type_slot
        walk.definitions[index].parameters.insert(0, own)
        walk.memory[inner, receiver] = own


def _receiver_type(parameter: Node) -> Node | None:
    """The name of the receiver's type, below pointers and type parameters."""
    node = parameter.child_by_field_name("type")
    while node is not None and node.type != "type_identifier":
        inner = node.child_by_field_name("type")
        children = node.named_children
        node = inner if inner is not None else (children[0] if children else None)
    return node


def _type_scope(walk: Walk, base: Node) -> int:
    """The CLASS scope of the type, or that of a partial definition of it."""
    name = walk.text(base)
    found = walk.memory.get(("type", name), NONE)
    if found < 0:
        flags = Flag.DECLARATION | exported(name)
        index = walk.define(DefinitionKind.STRUCT, name, base, base, 0, flags)
        found = walk.memory["type", name] = walk.open_scope(ScopeKind.CLASS, 0, index)
    return found


def _receiver(walk: Walk, parameter: Node, base: Node, scope: int) -> int:
    """The receiver's type; its type arguments are names that the method gives to parameters."""
    slot = walk.slot()
    walk.expression(Op.NAME, base, 0, slot, name=walk.text(base), role=Role.TYPE)
    generic = base.parent
    if generic is not None and generic.type == "generic_type":
        arguments = generic.child_by_field_name("type_arguments")
        for argument in arguments.named_children if arguments is not None else ():
            at = argument.named_children[0] if argument.named_children else argument
            define_type_parameter(walk, at, scope)
    del parameter
    return slot


def define_type_parameter(walk: Walk, at: Node, scope: int, type_slot: int = NONE) -> None:
    """A name that stands for a type."""
    name = walk.text(at)
    if name != "_":
        index = walk.define(DefinitionKind.TYPE_PARAMETER, name, at, at, scope, Flag.LOCAL)
        walk.definitions[index].type = type_slot


def type_parameters(walk: Walk, node: Node, scope: int) -> None:
    """`[K comparable, V any]`."""
    declared = node.child_by_field_name("type_parameters")
    for parameter in declared.named_children if declared is not None else ():
        slot = walk.slot()
        for at in parameter.children_by_field_name("name"):
            define_type_parameter(walk, at, scope, slot)
        walk.push(parameter.child_by_field_name("type"), scope, slot, Role.TYPE)


def signature(walk: Walk, node: Node, scope: int, inner: int, function_: Definition) -> None:
    """Parameters and results of `node`: types are read in `scope`, names bound in `inner`."""
    result = node.child_by_field_name("result")
    if result is not None:
        function_.type = walk.slot()
        result_type(walk, result, function_.type, scope, inner)
    declared = node.child_by_field_name("parameters")
    if declared is None:
        return
    for parameter in reversed(declared.named_children):
        if parameter.is_extra:
            continue
        slot = walk.slot()
        walk.push(parameter.child_by_field_name("type"), scope, slot, Role.TYPE)
        names = parameter.children_by_field_name("name")
        variadic = parameter.type == "variadic_parameter_declaration"
        for at in reversed(names or [parameter]):
            name = walk.text(at) if names else ""
            flags = Flag.LOCAL | (Flag.VARIADIC if variadic else 0)
            index = walk.define(DefinitionKind.PARAMETER, name, at, parameter, inner, flags)
            walk.definitions[index].type = slot
            function_.parameters.insert(0, index)
            walk.memory[inner, name] = index


def result_type(walk: Walk, result: Node, dest: int, scope: int, inner: int = NONE) -> None:
    """One type, or several as a tuple; named results are variables of the function."""
    if result.type != "parameter_list":
        walk.push(result, scope, dest, Role.TYPE)
        return
    parts = [part for part in result.named_children if not part.is_extra]
    named = [(part, part.children_by_field_name("name")) for part in parts]
    count = sum(len(names) or 1 for _, names in named)
    if count != 1:
        index = walk.expression(
            Op.SEQUENCE, result, scope, dest, name="tuple", role=Role.TYPE, count=count
        )
        dest = walk.expressions[index].first
    for part, names in named:
        slot = walk.slot() if len(names) > 1 else dest
        walk.push(part.child_by_field_name("type"), scope, slot, Role.TYPE)
        for at in names or [part]:
            if slot != dest:
                variables.alias(walk, slot, at, scope, dest)
            if names and inner >= 0 and walk.text(at) != "_":
                variables.local(walk, at, walk.text(at), inner, NONE, type_slot=slot)
            dest += 1


def function_literal(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`func(...) {...}`."""
    index, inner = anonymous_function(walk, node, scope, dest)
    body(walk, node, inner)
    signature(walk, node, scope, inner, walk.definitions[index])
