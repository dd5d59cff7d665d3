"""Classes and their members."""

from collections.abc import Sequence

from tree_sitter import Node

from parsers.facts import NONE, DefinitionKind, Flag, Op, Role, ScopeKind
from parsers.languages.javascript import comments, functions, parameters
from parsers.languages.javascript.places import (
    EXPORTED,
    FUNCTIONS,
    decorate,
    definition_value,
    flags_of,
    plain_key,
    typed,
    unbound,
    unwrap,
)
from parsers.walk import Walk

_PRIVATE = frozenset({"private", "protected"})


def declaration(walk: Walk, node: Node, _dest: int, scope: int, role: int) -> None:
    """`class Name {}`."""
    at = node.child_by_field_name("name")
    if at is None:
        _value(walk, node, NONE, scope, role)
        return
    flags = flags_of(role)
    if node.type == "abstract_class_declaration":
        flags |= Flag.ABSTRACT
    define(walk, walk.text(at), at, node, node, scope, flags, role)


def _value(walk: Walk, node: Node, dest: int, scope: int, _role: int) -> int:
    """A class that is a value; its own name, if any, is known inside it only."""
    at = node.child_by_field_name("name")
    name = walk.text(at) if at is not None else ""
    home = unbound(walk, scope)
    index = define(walk, name, at if at is not None else node, node, node, home, 0)
    walk.expression(Op.DEFINITION, node, scope, dest, binding=index)
    return index


def value(walk: Walk, node: Node, dest: int, scope: int, role: int) -> None:
    """`class {}` as an expression."""
    _value(walk, node, dest, scope, role)


def define(
    walk: Walk,
    name: str,
    at: Node,
    whole: Node,
    node: Node,
    scope: int,
    flags: int,
    role: int = 0,
) -> int:
    """Record the class in `node` under a name; give its definition."""
    body = node.child_by_field_name("body")
    index = walk.define(DefinitionKind.CLASS, name, at, whole, scope, flags)
    own = node.child_by_field_name("name")
    if own is not None and own.start_byte != at.start_byte:
        around = unbound(walk, scope)
        alias = walk.define(DefinitionKind.CONSTANT, walk.text(own), own, node, around, Flag.LOCAL)
        walk.definitions[alias].values.append(definition_value(walk, index, own, around))
    else:
        around = scope
    inner = walk.open_scope(ScopeKind.CLASS, around, index)
    definition = walk.definitions[index]
    if name:
        definition.signature = walk.signature(whole, body)
        definition.doc = comments.doc(walk, whole)
    if body is not None:
        _members(walk, body.children, inner)
    decorators = []
    for child in node.named_children:
        if child.type == "class_heritage":
            _heritage(walk, child, index, inner)
        elif child.type == "decorator":
            decorators.append(child)
    parameters.types(walk, node, inner)
    if role >= EXPORTED and node.parent is not None:
        decorators += [c for c in node.parent.named_children if c.type == "decorator"]
    decorate(walk, decorators, index, scope)
    return index


def _heritage(walk: Walk, node: Node, index: int, scope: int) -> None:
    """`extends Base<T> implements A, B`; in JavaScript the base stands alone."""
    bases: list[tuple[Node, Node | None, int]] = []
    for clause in node.named_children:
        match clause.type:
            case "extends_clause":
                arguments = clause.child_by_field_name("type_arguments")
                base = clause.child_by_field_name("value")
                if base is not None:
                    bases.append((base, arguments, Role.BASE))
            case "implements_clause":
                bases += [(c, None, Role.INTERFACE) for c in clause.named_children]
            case _:
                bases.append((clause, None, Role.BASE))
    for base, arguments, role in reversed(bases):
        if not base.is_extra:
            record_base(walk, base, arguments, index, scope, role)


def record_base(
    walk: Walk, base: Node, arguments: Node | None, index: int, scope: int, role: int
) -> None:
    """One base of the definition `index`, with its type arguments."""
    slot = walk.slot()
    walk.definitions[index].bases.insert(0, slot)
    if arguments is not None:
        keys = arguments.named_children
        generic = walk.expression(Op.INDEX, base, scope, slot, count=1 + len(keys), role=role)
        slot = walk.expressions[generic].first
        for offset in range(len(keys), 0, -1):
            walk.push(keys[offset - 1], scope, slot + offset, Role.TYPE)
    walk.push(base, scope, slot, role)


def _members(walk: Walk, children: Sequence[Node], inner: int) -> None:
    """Record all members, so that methods know of fields declared below them."""
    pushed = walk.stack
    mark = len(pushed)
    groups: list[list[tuple[Node, int, int, int]]] = []
    decorators: list[Node] = []
    for child in children:
        match child.type:
            case "comment":
                comments.comment(walk, child, NONE, inner, 0)
                continue
            case "decorator":
                decorators.append(child)
                continue
            case "method_definition":
                method(walk, child, inner, decorators)
            case "public_field_definition" | "field_definition":
                _field(walk, child, inner, decorators)
            case "method_signature" | "abstract_method_signature":
                method(walk, child, inner, decorators)
            case "class_static_block":
                _static_block(walk, child, inner)
            case _:
                if child.is_named:
                    walk.push(child, inner)
        decorators = []
        groups.append(pushed[mark:])
        del pushed[mark:]
    for group in reversed(groups):
        pushed.extend(group)


def _static_block(walk: Walk, node: Node, inner: int) -> None:
    """`static {}`: its receiver is the class."""
    index = walk.define(DefinitionKind.LAMBDA, "", node, node, inner, Flag.STATIC)
    scope = walk.open_scope(ScopeKind.FUNCTION, inner, index)
    body = node.child_by_field_name("body")
    walk.push_all(body.named_children if body is not None else node.named_children, scope)


def _visibility(walk: Walk, node: Node, name: str) -> int:
    if name.startswith("#"):
        return 0
    first = node.named_children[0]
    if first.type == "decorator":
        first = next((c for c in node.named_children if c.type != "decorator"), first)
    hidden = first.type == "accessibility_modifier" and walk.text(first) in _PRIVATE
    return 0 if hidden else Flag.EXPORTED


def method(walk: Walk, node: Node, inner: int, decorators: Sequence[Node] = ()) -> int:
    """A method, constructor or accessor, with or without a body, in the CLASS scope `inner`."""
    at = node.child_by_field_name("name")
    if at is None:
        return NONE
    name = plain_key(walk, at)
    flags, accessor = functions.keywords(node)
    kind = DefinitionKind.PROPERTY if accessor else DefinitionKind.METHOD
    if name == "constructor" and not flags & Flag.STATIC:
        kind = DefinitionKind.CONSTRUCTOR
    if node.type == "method_signature" and _in_class(walk, inner):
        flags |= Flag.OVERLOAD
    flags |= _visibility(walk, node, name)
    if not name:
        # Its name is computed: it can be called by nobody who does not compute it too.
        name, kind = "[" + walk.text(at)[1:-1].strip() + "]", DefinitionKind.METHOD
        walk.push(at, inner)
    index = walk.define(kind, name, at, node, inner, flags)
    _path(walk, index, name)
    walk.memory[inner, name] = index
    functions.finish(walk, node, index, inner)
    decorate(walk, [*decorators, *_own_decorators(node)], index, inner)
    return index


def _path(walk: Walk, index: int, name: str) -> None:
    """The mark of a private name is no part of a dotted path."""
    if name.startswith("#"):
        walk.definitions[index].qualified_name = name[1:]


def _in_class(walk: Walk, inner: int) -> bool:
    owner = walk.scopes[inner].definition
    definition = walk.definitions[owner]
    return definition.kind == DefinitionKind.CLASS and not definition.flags & Flag.DECLARATION


def _own_decorators(node: Node) -> list[Node]:
    first = node.named_children
    if first and first[0].type == "decorator":
        return [child for child in first if child.type == "decorator"]
    return []


def _field(walk: Walk, node: Node, inner: int, decorators: Sequence[Node]) -> None:
    at = node.child_by_field_name("name") or node.child_by_field_name("property")
    if at is None:
        walk.push_all(node.named_children, inner)
        return
    name = plain_key(walk, at)
    flags, _ = functions.keywords(node)
    flags |= _visibility(walk, node, name)
    value = node.child_by_field_name("value")
    declared = node.child_by_field_name("type")
    index = field(walk, name, at, node, value, inner, inner, flags)
    if index >= 0:
        if declared is not None and walk.definitions[index].kind == DefinitionKind.FIELD:
            walk.definitions[index].type = typed(walk, declared, inner)
        else:
            walk.push(declared, inner, NONE, Role.TYPE)
        decorate(walk, [*decorators, *_own_decorators(node)], index, inner)


def field(
    walk: Walk,
    name: str,
    at: Node,
    whole: Node,
    value_: Node | None,
    inner: int,
    around: int,
    flags: int,
) -> int:
    """A field of the CLASS scope `inner`, or the method or class it is given as its value.

    Values are evaluated in `around`: for a literal that is the scope the literal stands in.
    """
    if not name:
        walk.push(value_, around)
        walk.push(at, around)
        return NONE
    held = unwrap(value_)
    if held is not None and held.type in FUNCTIONS:
        body = around if held.type == "arrow_function" else inner
        index = functions.named(
            walk, DefinitionKind.METHOD, name, at, whole, held, inner, flags, body
        )
    elif held is not None and held.type == "class":
        index = define(walk, name, at, whole, held, inner, flags)
    else:
        index = walk.define(DefinitionKind.FIELD, name, at, whole, inner, flags)
        if value_ is not None:
            slot = walk.slot()
            walk.definitions[index].values.append(slot)
            walk.push(value_, around, slot)
    _path(walk, index, name)
    walk.memory[inner, name] = index
    return index


__all__ = ["declaration", "define", "field", "method", "record_base", "value"]
