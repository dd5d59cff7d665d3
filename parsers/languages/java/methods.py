"""Methods, constructors, their parameters, and lambdas."""

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.languages.java import classes, comments
from parsers.rules import anonymous_function
from parsers.walk import Walk

_CONSTRUCTORS = frozenset({"constructor_declaration", "compact_constructor_declaration"})


def method(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A method, a constructor, or an element of an annotation type."""
    at = node.child_by_field_name("name")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    block = node.child_by_field_name("body")
    annotations, flags = classes.modifiers(node)
    kind = DefinitionKind.CONSTRUCTOR if node.type in _CONSTRUCTORS else DefinitionKind.METHOD
    flags |= classes.public(walk, scope) | (Flag.ABSTRACT if block is None else 0)
    index = walk.define(kind, walk.text(at), at, node, scope, flags)
    definition = walk.definitions[index]
    start = classes.annotated_start(node, annotations)
    definition.signature = walk.signature(start, block)
    definition.doc = comments.doc(walk, node)
    inner = walk.open_scope(ScopeKind.FUNCTION, scope, index)
    if block is not None:
        walk.push_all(block.named_children, inner)
    for child in node.named_children:
        if child.type == "throws":
            walk.push_all(child.named_children, inner, Role.TYPE)
    walk.push(node.child_by_field_name("value"), inner)
    parameters(walk, node.child_by_field_name("parameters"), index, inner)
    if node.type == "compact_constructor_declaration":
        _record_parameters(walk, node, index, inner)
    result = node.child_by_field_name("type")
    if result is not None:
        definition.type = walk.slot()
        walk.push(result, inner, definition.type, Role.TYPE)
    classes.type_parameters(walk, node.child_by_field_name("type_parameters"), inner)
    classes.decorate(walk, annotations, index, scope)


def parameters(walk: Walk, declared: Node | None, function: int, scope: int) -> None:
    """Define the parameters of the function with the index `function`."""
    for parameter in reversed(declared.named_children) if declared is not None else ():
        at, type_ = classes.parameter_parts(parameter)
        if at is None:
            continue
        index = _parameter(walk, at, parameter, function, scope)
        if type_ is not None and walk.text(type_) != "var":
            slot = walk.definitions[index].type = walk.slot()
            walk.push(type_, scope, slot, Role.TYPE)
        classes.decorate(walk, classes.modifiers(parameter)[0], index, scope)


def _parameter(walk: Walk, at: Node, whole: Node, function: int, scope: int) -> int:
    flags = Flag.LOCAL | (Flag.VARIADIC if whole.type == "spread_parameter" else 0)
    index = walk.define(DefinitionKind.PARAMETER, walk.text(at), at, whole, scope, flags)
    walk.definitions[function].parameters.insert(0, index)
    return index


def _record_parameters(walk: Walk, node: Node, index: int, scope: int) -> None:
    """A compact constructor has the record's components for parameters."""
    record = node.parent.parent if node.parent is not None else None
    declared = record.child_by_field_name("parameters") if record is not None else None
    home = walk.definitions[index].scope
    for parameter in reversed(declared.named_children) if declared is not None else ():
        at, _ = classes.parameter_parts(parameter)
        if at is not None:
            own = _parameter(walk, at, parameter, index, scope)
            component = walk.memory.get(("component", home, walk.text(at)), NONE)
            walk.definitions[own].type = component


def lambda_(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """`(a, b) -> value` or `-> { statements }`."""
    index, inner = anonymous_function(walk, node, scope, dest)
    block = node.child_by_field_name("body")
    if block is not None and block.type == "block":
        walk.push_all(block.named_children, inner)
    elif block is not None:
        slot = walk.slot()
        walk.definitions[index].values.append(slot)
        walk.push(block, inner, slot)
    declared = node.child_by_field_name("parameters")
    if declared is None:
        return
    if declared.type == "formal_parameters":
        parameters(walk, declared, index, inner)
        return
    names = [declared] if declared.type == "identifier" else declared.named_children
    for at in reversed(names):
        if at.type == "identifier":
            _parameter(walk, at, at, index, inner)


def return_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """What a lambda returns is its value; a method's result type is always declared."""
    children = node.named_children
    if not children:
        return
    home = walk.function_scope(scope)
    function = walk.scopes[home].definition
    if function < 0 or walk.definitions[function].kind != DefinitionKind.LAMBDA:
        walk.push_all(children, scope)
        return
    slot = walk.slot()
    walk.definitions[function].values.append(slot)
    walk.push(children[0], scope, slot)


def constructor_call(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """`this(...)` and `super(...)`: the class, or its base, is constructed."""
    at = node.child_by_field_name("constructor")
    listed = node.child_by_field_name("arguments")
    arguments = [a for a in listed.named_children if not a.is_extra] if listed is not None else []
    walk.push(node.child_by_field_name("object"), scope)
    name = _constructed(walk, node, at, scope) if at is not None else ""
    if at is None or not name:
        walk.push_all(arguments, scope)
        return
    index = walk.expression(Op.NEW, at, scope, -1, count=1 + len(arguments))
    first = walk.expressions[index].first
    walk.expression(Op.NAME, at, scope, first, name=name, role=Role.CONSTRUCT)
    for offset in range(len(arguments), 0, -1):
        walk.push(arguments[offset - 1], scope, first + offset)


def _constructed(walk: Walk, node: Node, at: Node, scope: int) -> str:
    """The simple name of the class that an explicit constructor call is about."""
    home = walk.enclosing_class(scope)
    owner = walk.scopes[home].definition if home >= 0 else -1
    if owner < 0:
        return ""
    if at.type == "this":
        return walk.definitions[owner].name
    outer: Node | None = node
    while outer is not None and outer.type != "class_declaration":
        outer = outer.parent
    base = outer.child_by_field_name("superclass") if outer is not None else None
    children = base.named_children if base is not None else []
    base = children[0] if children else None
    while base is not None and base.type != "type_identifier":
        inner = base.named_children
        if base.type == "generic_type":
            base = inner[0] if inner else None
        else:
            base = inner[-1] if inner else None
    return walk.text(base) if base is not None else ""
