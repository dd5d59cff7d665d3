"""Functions, classes, parameters and lambdas."""

from collections.abc import Sequence

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.rules import anonymous_function
from parsers.walk import Walk

_PROPERTY_DECORATORS = ("property", "cached_property", "functools.cached_property")


def decorated(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A definition below its decorators."""
    inner = node.child_by_field_name("definition")
    decorators = [child for child in node.named_children if child.type == "decorator"]
    if inner is None:
        walk.push_all(node.named_children, scope)
    elif inner.type == "class_definition":
        _class(walk, inner, scope, node, decorators)
    else:
        _function(walk, inner, scope, node, decorators)


def function(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A function without decorators."""
    _function(walk, node, scope, node, ())


def class_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A class without decorators."""
    _class(walk, node, scope, node, ())


def _decorate(walk: Walk, index: int, decorators: Sequence[Node], scope: int) -> list[str]:
    """Attach decorators to a definition; give their source without arguments."""
    names = []
    for decorator in decorators:
        slot = walk.slot()
        walk.definitions[index].decorators.append(slot)
        children = decorator.named_children
        if children:
            walk.push(children[0], scope, slot, Role.DECORATOR)
            names.append(walk.text(children[0]).split("(", 1)[0].strip())
    return names


def _function(walk: Walk, node: Node, scope: int, whole: Node, decorators: Sequence[Node]) -> None:
    at = node.child_by_field_name("name")
    body = node.child_by_field_name("body")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    name = walk.text(at)
    home = walk.function_scope(scope)
    in_class = walk.scopes[home].kind == ScopeKind.CLASS
    kind = DefinitionKind.METHOD if in_class else DefinitionKind.FUNCTION
    if in_class and name in ("__init__", "__new__"):
        kind = DefinitionKind.CONSTRUCTOR
    # The decorators are visited last pushed first: after the body has been pushed, before it.
    index = walk.define(kind, name, at, whole, home, 0 if _private(name) else Flag.EXPORTED)
    inner = walk.open_scope(ScopeKind.FUNCTION, scope, index)
    definition = walk.definitions[index]
    definition.signature = walk.signature(node, body)
    definition.doc = docstring(walk, body)
    walk.push(body, inner)
    _result_type(walk, node, index, scope)
    names = _decorate(walk, index, decorators, scope)
    definition.flags |= _flags(names, node)
    if in_class and any(
        n in _PROPERTY_DECORATORS or n.endswith((".setter", ".getter", "_property")) for n in names
    ):
        definition.kind = DefinitionKind.PROPERTY
    _parameters(walk, node.child_by_field_name("parameters"), inner, scope, index)
    if in_class and definition.parameters and not definition.flags & Flag.STATIC:
        receiver = walk.definitions[definition.parameters[0]]
        receiver.flags |= Flag.RECEIVER
        if name in ("__new__", "__init_subclass__", "__class_getitem__"):
            definition.flags |= Flag.CLASS_METHOD
        receiver.flags |= definition.flags & Flag.CLASS_METHOD
    type_parameters(walk, node, inner)


def _private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def _flags(decorators: list[str], node: Node) -> int:
    flags = Flag.ASYNC if node.children and node.children[0].type == "async" else 0
    for name in decorators:
        match name.rsplit(".", 1)[-1]:
            case "staticmethod":
                flags |= Flag.STATIC
            case "classmethod":
                flags |= Flag.CLASS_METHOD
            case "overload":
                flags |= Flag.OVERLOAD
            case "abstractmethod" | "abstractproperty":
                flags |= Flag.ABSTRACT
            case _:
                pass
    return flags


def _result_type(walk: Walk, node: Node, index: int, scope: int) -> None:
    result = node.child_by_field_name("return_type")
    if result is not None:
        slot = walk.slot()
        walk.definitions[index].type = slot
        walk.push(result, scope, slot, Role.TYPE)


def type_parameters(walk: Walk, node: Node, scope: int) -> None:
    """`def f[T: Bound]`, `class C[T]`: names that stand for types inside."""
    parameters = node.child_by_field_name("type_parameters")
    if parameters is None:
        return
    for parameter in parameters.named_children:
        at = parameter
        while at.named_children and at.type != "identifier":
            at = at.named_children[0]
        if at.type == "identifier":
            walk.define(DefinitionKind.TYPE_PARAMETER, walk.text(at), at, at, scope, Flag.LOCAL)


def _parameters(
    walk: Walk, parameters: Node | None, inner: int, scope: int, function_index: int
) -> None:
    """Define the parameters in `inner`; their types and defaults are read in `scope`."""
    if parameters is None:
        return
    for node in reversed(parameters.named_children):
        at, flags = _parameter_name(node)
        if at is None:
            continue
        if node.child_by_field_name("value") is not None:
            flags |= Flag.OPTIONAL
        index = walk.define(
            DefinitionKind.PARAMETER, walk.text(at), at, node, inner, flags | Flag.LOCAL
        )
        definition = walk.definitions[index]
        # An assignment to a parameter's name gives it another value, not another definition.
        walk.memory[inner, definition.name] = index
        walk.definitions[function_index].parameters.insert(0, index)
        default = node.child_by_field_name("value")
        if default is not None:
            slot = walk.slot()
            definition.values.append(slot)
            walk.push(default, scope, slot)
        declared = node.child_by_field_name("type")
        if declared is not None:
            definition.type = walk.slot()
            walk.push(declared, scope, definition.type, Role.TYPE)


def _parameter_name(node: Node) -> tuple[Node | None, int]:
    match node.type:
        case "identifier":
            return node, 0
        case "typed_parameter":
            children = node.named_children
            return _parameter_name(children[0]) if children else (None, 0)
        case "default_parameter" | "typed_default_parameter":
            return node.child_by_field_name("name"), 0
        case "list_splat_pattern":
            children = node.named_children
            return (children[0] if children else None), Flag.VARIADIC
        case "dictionary_splat_pattern":
            children = node.named_children
            return (children[0] if children else None), Flag.KEYWORDS
        case _:
            return None, 0


def _class(walk: Walk, node: Node, scope: int, whole: Node, decorators: Sequence[Node]) -> None:
    at = node.child_by_field_name("name")
    body = node.child_by_field_name("body")
    if at is None:
        walk.push_all(node.named_children, scope)
        return
    name = walk.text(at)
    home = walk.function_scope(scope)
    flags = 0 if name.startswith("_") else Flag.EXPORTED
    index = walk.define(DefinitionKind.CLASS, name, at, whole, home, flags)
    inner = walk.open_scope(ScopeKind.CLASS, scope, index)
    definition = walk.definitions[index]
    definition.signature = walk.signature(node, body)
    definition.doc = docstring(walk, body)
    walk.push(body, inner)
    bases = node.child_by_field_name("superclasses")
    if bases is not None:
        _bases(walk, bases, index, scope)
    _decorate(walk, index, decorators, scope)
    type_parameters(walk, node, inner)


def _bases(walk: Walk, bases: Node, index: int, scope: int) -> None:
    arguments = [child for child in bases.named_children if not child.is_extra]
    for argument in reversed(arguments):
        if argument.type == "keyword_argument":
            walk.push(argument.child_by_field_name("value"), scope)
            continue
        slot = walk.slot()
        walk.definitions[index].bases.insert(0, slot)
        walk.push(argument, scope, slot, Role.BASE)


def lambda_(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A lambda; its body is what it returns."""
    index, inner = anonymous_function(walk, node, scope, dest)
    slot = walk.slot()
    walk.definitions[index].values.append(slot)
    walk.push(node.child_by_field_name("body"), inner, slot)
    _parameters(walk, node.child_by_field_name("parameters"), inner, scope, index)


def return_(walk: Walk, node: Node, _dest: int, scope: int, _role: int) -> None:
    """A returned value belongs to the function around it."""
    children = node.named_children
    if children:
        walk.push_all(children[1:], scope)
        walk.push(children[0], scope, _result_slot(walk, scope))


def yield_(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> None:
    """A generator's value is an iterable of what it yields; `yield from` passes one through."""
    slot = _result_slot(walk, scope)
    children = node.named_children
    if not children:
        return
    if any(child.type == "from" for child in node.children):
        walk.push(children[0], scope, slot)
        return
    index = walk.expression(Op.YIELD, node, scope, slot, count=1)
    walk.push(children[0], scope, walk.expressions[index].first)
    del dest


def _result_slot(walk: Walk, scope: int) -> int:
    home = walk.function_scope(scope)
    function_index = walk.scopes[home].definition
    if walk.scopes[home].kind != ScopeKind.FUNCTION:
        return NONE
    slot = walk.slot()
    walk.definitions[function_index].values.append(slot)
    return slot


def docstring(walk: Walk, body: Node | None) -> str:
    """The first line of the string that opens a body."""
    if body is None:
        return ""
    for statement in body.named_children:
        if statement.type == "comment":
            continue
        if statement.type == "expression_statement" and statement.named_child_count == 1:
            inner = statement.named_children[0]
            if inner.type == "string":
                content = inner.named_children[1:2]
                if content and content[0].type == "string_content":
                    return walk.doc(walk.text(content[0]))
        return ""
    return ""


__all__ = ["class_", "decorated", "docstring", "function", "lambda_", "return_", "yield_"]
