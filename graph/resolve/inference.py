"""What expressions stand for: names, members, calls, literals, followed across files.

Flow-insensitive: a variable has every value that is assigned to it anywhere. A declared type is
believed before any assigned value.
"""

from collections.abc import Callable

from graph.model.edges import Rule
from graph.resolve.calls import Calls
from graph.resolve.containers import Containers
from graph.resolve.context import Context
from graph.resolve.depth import MAX_EXPRESSIONS
from graph.resolve.lookup import Found
from graph.resolve.operations import Operations
from graph.resolve.values import (
    NOTHING,
    DefinitionKey,
    Tag,
    Target,
    Targets,
    Value,
    Values,
    definition_of,
    file_of,
    join,
    key_of,
)
from graph.resolve.variables import Variables
from parsers.facts import NONE, Expression, FileFacts, Flag, Op, Role
from parsers.scopes import fits

# Evaluates one operation: the file, its facts, the expression and its operands.
Evaluator = Callable[[int, FileFacts, Expression, list[int]], Values]

# Roles fit into so many bits of a key.
_ROLE_BITS = 4


class Inference:
    """Evaluates expressions for one commit."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.calls = Calls(context, self)
        self.containers = Containers(context, self)
        self.variables = Variables(context, self)
        # What was found in the file at hand: values by expression and by binding, names by binding.
        self._local: dict[int, Values] = {}
        self._bound: dict[int, Values] = {}
        self._names: dict[int | tuple[str, int], Found] = {}
        self._members: dict[tuple[Values, str], Targets] = {}
        self._local_file = -1
        self._free_alike = False
        self._depth = 0
        self._evaluators: dict[int, Evaluator] = {
            Op.NAME: self._named,
            Op.IMPORT: self._named,
            Op.DEFINITION: self._named,
            Op.MEMBER: self._member_values,
            Op.CALL: self.calls.result,
            Op.NEW: self.calls.instantiated,
            **Operations(context, self).evaluators(),
            **self.containers.evaluators(),
        }

    def enter_file(self, file: int) -> None:
        """Expressions of `file` are about to be asked for: remember their values until the next."""
        self._local, self._bound, self._names, self._members = {}, {}, {}, {}
        self._local_file = file
        # Where bases are searched too, a free name depends on the class that it stands in.
        self._free_alike = not self.context.policy_of(file).inherited_names

    # --- targets: what a name or member refers to ----------------------------------------------

    def targets(self, file: int, facts: FileFacts, expression: Expression) -> Targets:
        """What the expression refers to, if it is a name, a member or an import."""
        return self.found(file, facts, expression)[0]

    def found(self, file: int, facts: FileFacts, expression: Expression) -> Found:
        """The same, with the rule that found it."""
        # A name of the file at hand means the same wherever the same binding is used alike.
        key: int | tuple[str, int] = NONE
        if expression.op == Op.NAME and self._is_local(file):
            if expression.binding != NONE:
                key = expression.binding << _ROLE_BITS | expression.role
            elif self._free_alike:
                key = expression.name, expression.role
            known = self._names.get(key)
            if known is not None:
                return known
        targets, rule = self._found(file, facts, expression)
        if len(targets) > 1:
            targets = self.of_role(file, targets, expression.role)
        if key != NONE:
            self._names[key] = targets, rule
        return targets, rule

    def _is_local(self, file: int) -> bool:
        """Whether the question is about the file at hand, and not part of another question.

        Only then may an answer be kept here: parts of other questions must leave their traces in
        the dependencies of those.
        """
        return file == self._local_file and self.context.memo.outermost

    def of_role(self, file: int, targets: Targets, role: int) -> Targets:
        """Of several definitions of one name those that the use can mean."""
        policy = self.context.policy_of(file)
        if role == Role.BASE:
            role = Role.TYPE  # what is extended may be a value, but rather a type of the same name
        fitting = tuple(
            target
            for target in targets
            if not isinstance(target, int) or fits(self._kind(target), role, policy)
        )
        return fitting or targets

    def _kind(self, key: DefinitionKey) -> int:
        return self.context.body(file_of(key)).definitions[definition_of(key)].kind

    def _found(self, file: int, facts: FileFacts, expression: Expression) -> Found:
        match expression.op:
            case Op.NAME:
                return self.context.lookup.name(file, facts, expression)
            case Op.MEMBER:
                return self._member(file, facts, expression)
            case Op.IMPORT:
                record = facts.imports[expression.binding]
                return self.context.lookup.imported(file, record), Rule.IMPORT
            case Op.DEFINITION:
                return (key_of(file, expression.binding),), Rule.LEXICAL
            case _:
                values = self.evaluate(file, facts, expression)
                return tuple(_target(v) for v in values if v.tag != Tag.INSTANCE), Rule.FLOW

    def _member(self, file: int, facts: FileFacts, expression: Expression) -> Found:
        receiver = facts.operands[expression.first]
        if receiver < 0:
            return (), Rule.LEXICAL
        values = self.of_expression(file, receiver)
        return self._members_of(file, values, expression.name), self._rule(
            facts, facts.expressions[receiver], values
        )

    def _members_of(self, file: int, values: Values, name: str) -> Targets:
        """The targets of `name` in any of the values, each once."""
        if not values:
            return ()
        local = self._is_local(file)
        if local and (known := self._members.get((values, name))) is not None:
            return known
        found: dict[Target, None] = {}
        for value in values:
            for target in self.member_targets(value, name):
                found[target] = None
        targets = tuple(found)
        if local:
            self._members[values, name] = targets
        return targets

    def _rule(self, facts: FileFacts, receiver: Expression, values: Values) -> Rule:
        if receiver.op == Op.THIS:
            return Rule.RECEIVER
        if receiver.op == Op.SUPER:
            return Rule.SUPER
        if values and values[0].tag in (Tag.MODULE, Tag.PACKAGE, Tag.EXTERNAL, Tag.CLASS):
            return Rule.MODULE_MEMBER
        if receiver.op == Op.NAME and receiver.binding >= 0:
            definition = facts.definitions[receiver.binding]
            if definition.flags & Flag.RECEIVER:
                return Rule.RECEIVER
            if definition.type >= 0:
                return Rule.DECLARED_TYPE
        return Rule.INFERRED_TYPE

    def member_targets(self, value: Value, name: str) -> Targets:
        """What `name` refers to as a member of a value."""
        context = self.context
        match value.tag:
            case Tag.INSTANCE | Tag.CLASS:
                return context.members.of_class(value.key, name)
            case Tag.SUPER:
                return context.members.of_class(value.key, name, skip_self=True)
            case Tag.MODULE | Tag.PACKAGE | Tag.EXTERNAL:
                return context.lookup.member(value, name)
            case Tag.FUNCTION:
                return context.members.declared(value.key, name)
            case _:
                if not value.name:
                    return ()
                return (Value(Tag.EXTERNAL, -1, f"{value.name}.{name}"),)

    # --- values ---------------------------------------------------------------------------------

    def of_target(self, target: Target) -> Values:
        """What using the target gives."""
        return self.of_definition(target) if isinstance(target, int) else (target,)

    def of_expression(self, file: int, index: int) -> Values:
        """What an expression of a file stands for."""
        if index < 0:
            return NOTHING
        if not self._is_local(file):
            facts = self.context.body(file)
            return self.evaluate(file, facts, facts.expressions[index])
        known = self._local.get(index)
        if known is not None:
            return known
        facts = self.context.body(file)
        expression = facts.expressions[index]
        if expression.op == Op.NAME and expression.binding != NONE:
            values = self._of_name(file, facts, expression)
        else:
            values = self.evaluate(file, facts, expression)
        self._local[index] = values
        return values

    def _of_name(self, file: int, facts: FileFacts, expression: Expression) -> Values:
        key = expression.binding << _ROLE_BITS | expression.role
        values = self._bound.get(key)
        if values is None:
            values = self._bound[key] = self.evaluate(file, facts, expression)
        return values

    def evaluate(self, file: int, facts: FileFacts, expression: Expression) -> Values:
        """What an expression stands for; below a depth that no honest code has, nothing."""
        evaluator = self._evaluators.get(expression.op)
        if evaluator is None:
            return NOTHING
        if self._depth >= MAX_EXPRESSIONS:
            self.context.memo.give_up()
            return NOTHING
        self._depth += 1
        first = expression.first
        operands = facts.operands[first : first + expression.count]
        try:
            return evaluator(file, facts, expression, operands)
        finally:
            self._depth -= 1

    def of_definition(self, key: DefinitionKey) -> Values:
        """What using a definition's name gives."""
        return self.context.memo.ask(("value", key), lambda: self.variables.value(key), NOTHING)

    # --- operations -----------------------------------------------------------------------------

    def _named(
        self, file: int, facts: FileFacts, expression: Expression, _operands: list[int]
    ) -> Values:
        targets = self.targets(file, facts, expression)
        return join([self.of_target(target) for target in targets])

    def _member_values(
        self, file: int, _facts: FileFacts, expression: Expression, operands: list[int]
    ) -> Values:
        groups: list[Values] = []
        for value in self.of_expression(file, operands[0]) if operands else ():
            for target in self.member_targets(value, expression.name):
                found = self.of_target(target)
                if value.arguments and isinstance(target, int) and value.tag == Tag.INSTANCE:
                    found = self.context.generics.field(target, value) or found
                if value.tag in _RECEIVERS:
                    found = tuple(_bound(v, value) for v in found)
                elif value.tag == Tag.EXTERNAL and expression.role == Role.READ:
                    found = self._external_field(file, found)
                groups.append(found)
        return join(groups) if groups else NOTHING

    def _external_field(self, file: int, values: Values) -> Values:
        """A constant of a type defined elsewhere, by the language's table."""
        fields = self.context.policy_of(file).builtin_fields
        if not fields:
            return values
        types = [fields.get(".".join(value.name.rsplit(".", 2)[-2:]), "") for value in values]
        return tuple(
            self.context.builtin_instance(file, type_) if type_ else value
            for value, type_ in zip(values, types, strict=True)
        )


# Values whose functions are called on them.
_RECEIVERS = (Tag.INSTANCE, Tag.CLASS, Tag.SUPER, Tag.EXTERNAL_INSTANCE)


def _bound(value: Value, receiver: Value) -> Value:
    """A function found through a receiver remembers it, for results like `self`."""
    if value.tag in (Tag.FUNCTION, Tag.EXTERNAL) and not value.arguments:
        return value._replace(arguments=((receiver,),))
    return value


def _target(value: Value) -> Target:
    if value.tag in (Tag.CLASS, Tag.FUNCTION):
        return value.key
    return value
