"""Every use in one file, bound to what it refers to: links, the edges before they have ids."""

from graph.model.edges import Certainty, EdgeKind, Rule
from graph.resolve.context import Context
from graph.resolve.depth import room
from graph.resolve.exports import WHOLE
from graph.resolve.links import TYPES, VARIABLES, Link
from graph.resolve.structure import structure
from graph.resolve.values import Tag, Target, Targets, definition_of, file_of
from parsers.facts import (
    NONE,
    DefinitionKind,
    Expression,
    FileFacts,
    Flag,
    Import,
    Op,
    Role,
)
from parsers.naming import scope_owners

# More candidates than this say nothing: the reference counts as unresolved.
_MAX_CANDIDATES = 8

# What is called by no name, unlike names and members, which are uses of their own.
_CALLS = (Op.CALL, Op.NEW)
_UNNAMED = frozenset({Op.INDEX, Op.CALL, Op.UNION, Op.AWAIT, Op.CAST, Op.ELEMENT})
_LOCALS = Flag.LOCAL | Flag.ALIAS

_BY_ROLE: dict[int, int] = {
    Role.TYPE: EdgeKind.TYPE_OF,
    Role.BASE: EdgeKind.EXTENDS,
    Role.INTERFACE: EdgeKind.IMPLEMENTS,
    Role.DECORATOR: EdgeKind.DECORATES,
    Role.EXPORT: EdgeKind.REFERENCES,
    Role.CONSTRUCT: EdgeKind.INSTANTIATES,
    Role.WRITE: EdgeKind.WRITES,
}

# Uses that stand before the definition they belong to, which is their source.
_HEAD_ROLES = (Role.BASE, Role.INTERFACE, Role.DECORATOR)


class Tally:
    """How the references of one file ended."""

    __slots__ = ("external", "resolved", "unresolved")

    def __init__(self) -> None:
        self.resolved = 0
        self.external = 0
        self.unresolved = 0

    def count(self, targets: Targets) -> None:
        """Count one reference."""
        if not targets:
            self.unresolved += 1
        elif isinstance(targets[0], int) or targets[0].tag != Tag.EXTERNAL:
            self.resolved += 1
        else:
            self.external += 1


class Binder:
    """Binds the uses of one file."""

    def __init__(self, context: Context, file: int, *, with_locals: bool = False) -> None:
        self.context = context
        self.file = file
        self.facts: FileFacts = context.body(file)
        self.owners = scope_owners(self.facts)
        self.tally = Tally()
        self._links: list[Link] = []
        self.with_locals = with_locals
        self._anonymous: set[int] = set()
        self._sources = self._heads()
        self._call_of: dict[int, Expression] | None = None
        self._overloads = context.policy_of(file).overload_by_arity

    def links(self) -> list[Link]:
        """All links of the file: imports, uses, then what its structure says."""
        with room():
            self._bind()
        return self._links

    def _bind(self) -> None:
        self.context.inference.enter_file(self.file)
        for record in self.facts.imports:
            self._import(record)
        name, member = Op.NAME, Op.MEMBER
        facts = self.facts
        # Backwards, because operands come after what they are operands of: what a long chain of
        # calls starts with is known before the chain is asked for, and nothing goes deep.
        for index in range(len(facts.expressions) - 1, -1, -1):
            expression = facts.expressions[index]
            op = expression.op
            if op == name:
                if expression.binding >= 0 and not self.with_locals:
                    local = facts.definitions[expression.binding]
                    if local.flags & _LOCALS == Flag.LOCAL and expression.role != Role.CALL:
                        continue
                self._use(index, expression)
            elif op == member:
                self._use(index, expression)
            elif op in _CALLS:
                self._unnamed(expression)
        self._links.extend(structure(self.context, self.file, self.facts))

    def _heads(self) -> dict[int, int]:
        """Bases and decorators stand outside the definition they belong to; it is their source."""
        heads: dict[int, int] = {}
        for index, definition in enumerate(self.facts.definitions):
            for expression in (*definition.bases, *definition.decorators):
                entry = self.facts.expressions[expression]
                inner = NONE
                if entry.op in (Op.INDEX, Op.CALL) and entry.count:
                    inner = self.facts.operands[entry.first]
                if definition.kind == DefinitionKind.OBJECT:
                    # A class without a name is made where it stands, by no constructor of its base.
                    self._anonymous.update((expression, inner))
                else:
                    heads[expression] = index
                    heads[inner] = index
        heads.pop(NONE, None)
        return heads

    # --- imports ------------------------------------------------------------------------------

    def _import(self, record: Import) -> None:
        context = self.context
        if record.name == "*":
            entry = context.index.files[self.file]
            targets: Targets = (context.lookup.module(entry, record.module, record.level),)
        elif record.name not in ("", WHOLE) or record.default:
            targets = context.lookup.imported(self.file, record)
        else:
            entry = context.index.files[self.file]
            targets = (context.lookup.module(entry, record.module, record.level),)
        self.tally.count(targets)
        source = self.owners[record.scope]
        if len(targets) > 1:
            role = Role.TYPE if record.type_only else Role.READ
            targets = context.inference.of_role(self.file, targets, role)
        at = (record.line, record.column)
        written = record.name if record.name not in ("", "*", WHOLE) else record.module
        if record.alias and (record.alias_line, record.alias_column) == at:
            written = record.alias
        self._linked(source, targets, EdgeKind.IMPORTS, Rule.IMPORT, *at, written)

    def _unnamed(self, call: Expression) -> None:
        """A call of what no name stands for: `make()()`, `table[key]()`."""
        index = self.facts.operands[call.first]
        callee = self.facts.expressions[index]
        if index < 0 or callee.op not in _UNNAMED:
            return
        reached: dict[Target, None] = {}
        for value in self.context.inference.of_expression(self.file, index):
            if value.tag in (Tag.FUNCTION, Tag.CLASS):
                reached[value.key] = None
        if len(reached) <= _MAX_CANDIDATES:
            at = (call.line, call.column, "")
            self._called(self.owners[call.scope], tuple(reached), Rule.FLOW, at)

    # --- uses ---------------------------------------------------------------------------------

    def _use(self, index: int, expression: Expression) -> None:
        targets, rule = self.context.inference.found(self.file, self.facts, expression)
        own = self._is_own_name(expression, targets)
        if own:
            return
        if self._overloads and expression.role == Role.CALL and len(targets) > 1:
            targets, rule = self._overloaded(index, targets, rule)
        self.tally.count(targets)
        if not targets or len(targets) > _MAX_CANDIDATES:
            return
        source = around = self.owners[expression.scope]
        if expression.role in _HEAD_ROLES:
            source = self._sources.get(index, around)
        at = (expression.line, expression.column, expression.name)
        if expression.role in (Role.CALL, Role.CONSTRUCT):
            self._call(source, targets, rule, expression)
            if expression.role == Role.CONSTRUCT:
                constructors, rule = self._constructors(index, targets, rule)
                self._called(source, constructors, rule, at)
            return
        kind = _BY_ROLE.get(expression.role, NONE)
        if kind == NONE:
            kind = self._read_kind(targets[0])
        self._linked(source, targets, kind, rule, *at)
        if kind == EdgeKind.DECORATES and self.context.policy_of(self.file).decorators_run:
            self._call(around, targets, rule, expression)

    def _is_own_name(self, expression: Expression, targets: Targets) -> bool:
        """A field's first assignment is its definition, not a use of it."""
        if expression.role != Role.WRITE or len(targets) != 1 or not isinstance(targets[0], int):
            return False
        if file_of(targets[0]) != self.file:
            return False
        definition = self.facts.definitions[definition_of(targets[0])]
        return definition.line == expression.line and definition.column == expression.column

    def _read_kind(self, target: Target) -> EdgeKind:
        return EdgeKind.READS if self._kind(target) in VARIABLES else EdgeKind.REFERENCES

    def _kind(self, target: Target) -> int:
        if not isinstance(target, int):
            return NONE
        file = self.context.index.files[file_of(target)]
        name = file.names.get(definition_of(target))
        if name is not None:
            return name.kind
        return self.context.body(file.number).definitions[definition_of(target)].kind

    def _call(self, source: int, targets: Targets, rule: Rule, expression: Expression) -> None:
        at = (expression.line, expression.column, expression.name)
        variables = [target for target in targets if self._kind(target) in VARIABLES]
        direct = tuple([t for t in targets if t not in variables]) if variables else targets
        self._called(source, direct, rule, at)
        if not variables:
            return
        self._linked(source, tuple(variables), EdgeKind.READS, rule, *at)
        reached: dict[Target, None] = {}
        for variable in variables:
            for value in self.context.inference.of_target(variable):
                if value.tag in (Tag.FUNCTION, Tag.CLASS):
                    reached[value.key] = None
                elif value.tag == Tag.INSTANCE:
                    method = self.context.policy_of(self.file).call_method
                    for target in (
                        self.context.members.of_class(value.key, method) if method else ()
                    ):
                        reached[target] = None
        if len(reached) <= _MAX_CANDIDATES:
            self._called(source, tuple(reached), Rule.FLOW, at)

    def _called(self, source: int, targets: Targets, rule: Rule, at: tuple[int, int, str]) -> None:
        for target in targets:
            kind = EdgeKind.INSTANTIATES if self._kind(target) in TYPES else EdgeKind.CALLS
            self._linked(source, (target,), kind, rule, *at, candidates=len(targets))

    def _overloaded(self, index: int, targets: Targets, rule: Rule) -> tuple[Targets, Rule]:
        """Of several methods of one name those that take the arguments of the call."""
        call = self._calls().get(index)
        if call is None:
            return targets, rule
        arguments = self.facts.operands[call.first + 1 : call.first + call.count]
        choice = self.context.overloads.choose(self.file, arguments, targets)
        return choice.targets, Rule.INFERRED_TYPE if choice.guessed else rule

    def _calls(self) -> dict[int, Expression]:
        """The call or construction around each callee."""
        if self._call_of is None:
            expressions, operands = self.facts.expressions, self.facts.operands
            self._call_of = {}
            for expression in expressions:
                if expression.op in (Op.CALL, Op.NEW) and operands[expression.first] >= 0:
                    callee = operands[expression.first]
                    if expressions[callee].op == Op.INDEX:
                        callee = operands[expressions[callee].first]
                    self._call_of[callee] = expression
        return self._call_of

    def _constructors(self, index: int, targets: Targets, rule: Rule) -> tuple[Targets, Rule]:
        """The constructors that a construction of the target runs: of overloads, those that fit."""
        found: list[Target] = []
        names = self.context.policy_of(self.file).constructors
        for target in targets if index not in self._anonymous else ():
            if not isinstance(target, int) or self._kind(target) not in TYPES:
                continue
            found += self.context.members.constructors(target)
            for name in names:
                found += self.context.members.declared(target, name)
        if not self._overloads:
            return tuple(found), rule
        return self._overloaded(index, tuple(found), rule) if found else ((), rule)

    def _linked(
        self,
        source: int,
        targets: Targets,
        kind: int,
        rule: Rule,
        line: int,
        column: int,
        name: str,
        *,
        candidates: int = 0,
    ) -> None:
        count = candidates or len(targets)
        if count > 1:
            certainty = Certainty.AMBIGUOUS
        elif rule in (Rule.INFERRED_TYPE, Rule.FLOW):
            certainty = Certainty.INFERRED
        else:
            certainty = Certainty.EXACT
        for target in targets:
            self._links.append(
                Link(source, target, kind, certainty, rule, count, line, column, name)
            )
