"""Whose members they are: what is decided about assignments when the whole file has been read.

`Foo.prototype.run = function () {}`, `app.use = ...` and `this.name = value` make members of what
`Foo`, `app` and `this` are. Members are bound in CLASS scopes: a class and an object literal have
one, a function or a variable gets one when it is first given a member.
"""

from parsers.facts import (
    NONE,
    Definition,
    DefinitionKind,
    Flag,
    Op,
    Scope,
    ScopeKind,
)
from parsers.walk import Walk

_TYPES = frozenset(
    {DefinitionKind.INTERFACE, DefinitionKind.TYPE_ALIAS, DefinitionKind.TYPE_PARAMETER}
)
_HOLDERS = frozenset(
    {
        DefinitionKind.FUNCTION,
        DefinitionKind.METHOD,
        DefinitionKind.CLASS,
        DefinitionKind.OBJECT,
    }
)
_VARIABLES = frozenset({DefinitionKind.VARIABLE, DefinitionKind.CONSTANT, DefinitionKind.PARAMETER})
# A chain of names that stand for each other is not followed further.
_MAX_STEPS = 8

_PROTOTYPE = "prototype"


def settle(walk: Walk) -> None:
    """Give every assigned member its owner, and every assigned variable its values."""
    methods: list[tuple[int, int]] = []
    fields: list[tuple[int, int]] = []
    variables: list[tuple[str, int, int]] = []
    for key, slot in walk.memory.items():
        match key:
            case ("method", int(index)):
                methods.append((index, slot))
            case ("member", int(operand)):
                fields.append((operand, slot))
            case ("assigned", str(name), int(scope), _):
                variables.append((name, scope, slot))
            case _:
                pass
    if not (methods or fields or variables):
        return
    settler = _Settler(walk)
    for name, scope, slot in variables:
        settler.variable(name, scope, slot)
    for index, slot in methods:
        settler.method(index, slot)
    for operand, slot in fields:
        settler.field(operand, slot)


class _Settler:
    """Looks up names in the raw facts of one file."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.names: dict[tuple[int, str], int] = {}
        for index, definition in enumerate(walk.definitions):
            if definition.name and definition.kind not in _TYPES:
                self.names.setdefault((definition.scope, definition.name), index)
        self.members: dict[int, int] = {}

    def variable(self, name: str, scope: int, slot: int) -> None:
        """`name = value`."""
        index = self._lookup(name, scope)
        if index >= 0 and self.walk.definitions[index].kind in _VARIABLES:
            self.walk.definitions[index].values.append(slot)

    def method(self, index: int, slot: int) -> None:
        """A function assigned to a member of the value in the slot."""
        walk = self.walk
        root = walk.operands[slot]
        owner, prefix = self._owner(root)
        if owner == NONE:
            return
        definition = walk.definitions[index]
        scope = self._members_of(owner)
        definition.scope = scope
        definition.flags |= Flag.EXPORTED
        if definition.kind == DefinitionKind.FUNCTION:
            definition.kind = DefinitionKind.METHOD
        walk.memory.setdefault((scope, definition.name), index)
        if walk.definitions[owner].kind != DefinitionKind.OBJECT:
            definition.qualified_name = prefix + definition.name.lstrip("#")

    def field(self, operand: int, slot: int) -> None:
        """A value assigned to a member: a field of what this file defines."""
        walk = self.walk
        target = walk.expressions[walk.operands[operand]] if walk.operands[operand] >= 0 else None
        if target is None or target.op not in (Op.MEMBER, Op.INDEX) or not target.name:
            return
        if target.name == _PROTOTYPE and self._prototype(target.first, slot):
            return
        owner, _ = self._owner(walk.operands[target.first])
        if owner == NONE:
            return
        scope = self._members_of(owner)
        known = walk.memory.get((scope, target.name), NONE)
        if known >= 0:
            if walk.definitions[known].kind == DefinitionKind.FIELD:
                walk.definitions[known].values.append(slot)
            return
        holder = walk.definitions[owner]
        if holder.kind == DefinitionKind.CLASS and walk.language.grammar != "javascript":
            return  # its fields are declared: this one is inherited
        walk.memory[scope, target.name] = len(walk.definitions)
        walk.definitions.append(
            Definition(
                target.name,
                DefinitionKind.FIELD,
                scope,
                target.line,
                target.column,
                target.line,
                target.line,
                flags=Flag.EXPORTED,
                values=[slot],
                parameters=[],
                bases=[],
                decorators=[],
            )
        )

    def _prototype(self, operand: int, slot: int) -> bool:
        """`Foo.prototype = { ... }`: the members of the literal are those of Foo."""
        walk = self.walk
        value = walk.operands[slot]
        owner, _ = self._owner(walk.operands[operand])
        if value < 0 or owner == NONE or walk.expressions[value].op != Op.DEFINITION:
            return False
        literal = walk.definitions[walk.expressions[value].binding]
        if literal.kind != DefinitionKind.OBJECT or literal.body < 0:
            return False
        if walk.definitions[owner].kind == DefinitionKind.FUNCTION and owner not in self.members:
            walk.scopes[literal.body].definition = owner
            self.members[owner] = literal.body
            return True
        return False

    def _owner(self, expression: int) -> tuple[int, str]:
        """The definition whose members the expression's are, and the path from it to them."""
        walk = self.walk
        prefix = ""
        for _ in range(_MAX_STEPS):
            if expression < 0:
                break
            entry = walk.expressions[expression]
            if entry.op == Op.MEMBER and entry.name == _PROTOTYPE:
                prefix = "prototype."
                expression = walk.operands[entry.first]
                continue
            index = self._named(entry.op, entry.name, entry.scope, entry.binding)
            if index == NONE:
                break
            definition = walk.definitions[index]
            if definition.kind in _HOLDERS:
                return index, prefix
            if definition.kind not in _VARIABLES:
                break
            following = self._value(definition)
            if following < 0:
                return (
                    (NONE, "") if definition.kind == DefinitionKind.PARAMETER else (index, prefix)
                )
            expression = following
        return NONE, ""

    def _named(self, op: int, name: str, scope: int, binding: int) -> int:
        match op:
            case Op.THIS:
                return self._receiver(scope)
            case Op.NAME:
                return self._lookup(name, scope)
            case Op.DEFINITION:
                return binding
            case _:
                return NONE

    def _value(self, definition: Definition) -> int:
        """The expression a variable is declared with, if it says whose members they are."""
        walk = self.walk
        if definition.type >= 0:
            return NONE
        for slot in definition.values[:1]:
            expression = walk.operands[slot]
            for _ in range(_MAX_STEPS):
                if expression < 0:
                    return NONE
                entry = walk.expressions[expression]
                if entry.op in (Op.THIS, Op.NAME, Op.DEFINITION):
                    return expression
                if entry.op != Op.UNION or not entry.count:
                    return NONE
                expression = walk.operands[entry.first]
        return NONE

    def _receiver(self, scope: int) -> int:
        """What `this` is in a scope, as `parsers.scopes` will find it."""
        walk = self.walk
        while scope >= 0:
            entry: Scope = walk.scopes[scope]
            if entry.kind == ScopeKind.CLASS:
                return entry.definition
            if entry.kind == ScopeKind.FUNCTION and entry.definition >= 0:
                function = walk.definitions[entry.definition]
                if function.flags & Flag.RECEIVES:
                    home = walk.scopes[function.scope]
                    if home.kind == ScopeKind.CLASS:
                        return home.definition
                    return NONE if function.kind == DefinitionKind.LAMBDA else entry.definition
            scope = entry.parent
        return NONE

    def _lookup(self, name: str, scope: int) -> int:
        scopes = self.walk.scopes
        while scope >= 0:
            if scopes[scope].kind != ScopeKind.CLASS:
                index = self.names.get((scope, name), NONE)
                if index >= 0:
                    return index
            scope = scopes[scope].parent
        return NONE

    def _members_of(self, owner: int) -> int:
        """The CLASS scope that holds the members of a definition."""
        walk = self.walk
        definition = walk.definitions[owner]
        body = definition.body
        if body >= 0 and walk.scopes[body].kind == ScopeKind.CLASS:
            return body
        if owner not in self.members:
            walk.scopes.append(Scope(ScopeKind.CLASS, definition.scope, owner))
            self.members[owner] = len(walk.scopes) - 1
        return self.members[owner]


__all__ = ["settle"]
