"""Binding inside one file: who owns a definition, what it is called, what each name refers to.

After `bind`, every definition has its owner, qualified name and descriptor, and every name, `this`
and `super` has the binding that the file alone decides. A name left at NONE is free: a builtin, a
name of another file of the package, a wildcard import, an inherited member - or a mistake.
"""

from parsers.facts import (
    NONE,
    Definition,
    DefinitionKind,
    Expression,
    FileFacts,
    Flag,
    Op,
    Role,
    Scope,
    ScopeKind,
    import_binding,
)
from parsers.language import ClassScope, ResolutionPolicy
from parsers.naming import is_anonymous, name_definitions

_CALLABLES = (DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.CONSTRUCTOR)
_VARIABLES = (
    DefinitionKind.VARIABLE,
    DefinitionKind.CONSTANT,
    DefinitionKind.FIELD,
    DefinitionKind.PARAMETER,
)
# What a name can stand for by its role, in languages where names of one kind do not hide another's.
_TYPE_ROLES = frozenset({Role.TYPE, Role.BASE, Role.INTERFACE, Role.DECORATOR, Role.CONSTRUCT})
_TYPES = frozenset(
    {
        DefinitionKind.CLASS,
        DefinitionKind.INTERFACE,
        DefinitionKind.TRAIT,
        DefinitionKind.STRUCT,
        DefinitionKind.ENUM,
        DefinitionKind.TYPE_ALIAS,
        DefinitionKind.TYPE_PARAMETER,
    }
)

# Where types and values have names of their own: what is only a type, and what is only a value.
_USED_AS_TYPE = frozenset({Role.TYPE, Role.INTERFACE})
# A variable may hold the class that is made or extended, unless a type has its name too.
_RATHER_TYPES = (Role.CONSTRUCT, Role.BASE)
ONLY_TYPES = frozenset(
    {DefinitionKind.INTERFACE, DefinitionKind.TYPE_ALIAS, DefinitionKind.TYPE_PARAMETER}
)
_ONLY_VALUES = frozenset({*_VARIABLES, *_CALLABLES})
_UNLIKE_CLASSES = frozenset({*_VARIABLES, DefinitionKind.TYPE_ALIAS, DefinitionKind.TYPE_PARAMETER})

Bindings = list[int]
Table = dict[str, Bindings]


def is_partial(definition: Definition) -> bool:
    """Whether it only groups members of a type that another file of the package declares."""
    return definition.kind == DefinitionKind.STRUCT and bool(definition.flags & Flag.DECLARATION)


def fits(kind: int, role: int, policy: ResolutionPolicy) -> bool:
    """Whether a definition of this kind can be what a name in this role stands for."""
    if policy.separate_types:
        if role == Role.EXPORT:
            return True
        if role == Role.CONSTRUCT:
            return kind not in _UNLIKE_CLASSES
        if role == Role.BASE:
            return kind not in _ONLY_VALUES
        return kind not in (_ONLY_VALUES if role in _USED_AS_TYPE else ONLY_TYPES)
    if not policy.separate_names:
        return True
    if role == Role.CALL:
        return kind in _CALLABLES
    if role in _TYPE_ROLES:
        return kind in _TYPES
    return kind not in _CALLABLES


def bind(facts: FileFacts, policy: ResolutionPolicy) -> None:
    """Fill in owners, names and bindings, in place."""
    name_definitions(facts)
    _Binder(facts, policy).run()


class _Binder:
    """Looks names up through the scopes of one file."""

    def __init__(self, facts: FileFacts, policy: ResolutionPolicy) -> None:
        self.facts = facts
        self.policy = policy
        self.scopes = facts.scopes
        self.definitions = facts.definitions
        self.separate = policy.separate_names or policy.separate_types
        self.tables = self._tables()
        # Most names that are free here are bound nowhere in the file: no need to climb the scopes.
        self.bound = {name for table in self.tables for name in table}
        self.found: dict[tuple[int, str, int], tuple[int, Bindings] | None] = {}
        self.receivers: dict[int, int] = {}

    def run(self) -> None:
        name, this, super_ = Op.NAME, Op.THIS, Op.SUPER
        for expression in self.facts.expressions:
            op = expression.op
            if op == name:
                if expression.binding == NONE:
                    expression.binding = self.lookup(expression)
            elif op in (this, super_):
                expression.binding = self.receiver(expression.scope)

    def _tables(self) -> list[Table]:
        tables: list[Table] = [{} for _ in self.scopes]
        hidden_fields = self.policy.class_scope == ClassScope.BODY
        for index, definition in enumerate(self.definitions):
            if is_anonymous(definition) or is_partial(definition):
                continue
            field = definition.kind == DefinitionKind.FIELD
            if hidden_fields and field and not definition.flags & Flag.STATIC:
                continue  # `self.x = ...` makes a member that no bare name reaches
            tables[definition.scope].setdefault(definition.name, []).append(index)
        for index, record in enumerate(self.facts.imports):
            if record.alias:
                tables[record.scope].setdefault(record.alias, []).append(import_binding(index))
        return tables

    def lookup(self, expression: Expression) -> int:
        """The binding of a name, or NONE."""
        name = expression.name
        if name not in self.bound:
            return NONE
        role = expression.role
        if role == Role.WRITE or not self.separate:
            role = Role.READ
        elif not self.policy.separate_types and role in _TYPE_ROLES:
            role = Role.TYPE
        key = (expression.scope, name, role)
        if key in self.found:
            hit = self.found[key]
        else:
            hit = self.found[key] = self._search(*key)
        if hit is None:
            return NONE
        scope, bindings = hit
        if len(bindings) == 1:
            return bindings[0]
        return self._choose(scope, bindings, expression)

    def _search(self, start: int, name: str, role: int) -> tuple[int, Bindings] | None:
        scope = start
        while scope >= 0:
            bindings = self.tables[scope].get(name)
            if bindings and self.separate:
                fitting = [b for b in bindings if self._fits(b, role)]
                if fitting or role not in _RATHER_TYPES or self.policy.separate_names:
                    bindings = fitting
            entry = self.scopes[scope]
            if bindings:
                if entry.kind != ScopeKind.CLASS or self._class_visible(scope, start):
                    return scope, bindings
                visible = [b for b in bindings if self._is_type_parameter(b)]
                if visible:
                    return scope, visible
            scope = entry.parent
        return None

    def _fits(self, binding: int, role: int) -> bool:
        return binding < 0 or fits(self.definitions[binding].kind, role, self.policy)

    def _class_visible(self, scope: int, start: int) -> bool:
        match self.policy.class_scope:
            case ClassScope.NESTED:
                return True
            case ClassScope.BODY:
                return scope == start
            case ClassScope.HIDDEN:
                return False

    def _is_type_parameter(self, binding: int) -> bool:
        return binding >= 0 and self.definitions[binding].kind == DefinitionKind.TYPE_PARAMETER

    def _choose(self, scope: int, bindings: Bindings, use: Expression) -> int:
        """The binding in force at `use`.

        In the statements of the binding scope itself, the last one before the use. From an inner
        function, which runs later, the last one of all; a function, class or import is preferred to
        a variable, which is most often its fallback (`except ImportError: name = None`).
        """
        if self.policy.last_binding_wins and self._function_scope(use.scope) == scope:
            before = [b for b in bindings if self._precedes(b, use)]
            if before:
                return max(before, key=self._position)
            return min(bindings, key=self._position)
        solid = [b for b in bindings if not self._is_variable(b)]
        ordered = solid or bindings
        if not self.policy.last_binding_wins:
            return ordered[0]
        return max(ordered, key=self._position)

    def _function_scope(self, scope: int) -> int:
        while self.scopes[scope].kind in (ScopeKind.BLOCK, ScopeKind.COMPREHENSION):
            scope = self.scopes[scope].parent
        return scope

    def _is_variable(self, binding: int) -> bool:
        return binding >= 0 and self.definitions[binding].kind in _VARIABLES

    def _position(self, binding: int) -> tuple[int, int]:
        if binding >= 0:
            definition = self.definitions[binding]
            return definition.line, definition.column
        record = self.facts.imports[import_binding(binding)]
        return record.line, record.column

    def _precedes(self, binding: int, use: Expression) -> bool:
        """A variable is bound only after its statement's value has been read."""
        line, column = self._position(binding)
        if self._is_variable(binding):
            return line < use.line
        return (line, column) <= (use.line, use.column)

    def receiver(self, scope: int) -> int:
        """The class, object or constructor function whose instance `this` is in `scope`."""
        if scope in self.receivers:
            return self.receivers[scope]
        found = NONE
        inner = scope
        while inner >= 0:
            entry: Scope = self.scopes[inner]
            if entry.kind == ScopeKind.CLASS:
                found = entry.definition
                break
            if entry.kind == ScopeKind.FUNCTION and entry.definition >= 0:
                function = self.definitions[entry.definition]
                if function.flags & Flag.RECEIVES:
                    found = self._received(function, entry.definition)
                    break
            inner = entry.parent
        self.receivers[scope] = found
        return found

    def _received(self, function: Definition, index: int) -> int:
        """A member's receiver is what it is a member of; a function's may be made by it."""
        home = self.scopes[function.scope]
        if home.kind == ScopeKind.CLASS:
            return home.definition
        return index if function.kind == DefinitionKind.FUNCTION else NONE
