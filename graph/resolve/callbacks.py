"""What the place of a function literal says about its parameters.

`items.forEach(item -> item.run())`: nothing declares the type of `item`, but the parameter that
takes the function does, or the container whose method takes it.
"""

from typing import TYPE_CHECKING, NamedTuple

from graph.resolve.types import FUNCTION_TYPE
from graph.resolve.values import (
    NOTHING,
    DefinitionKey,
    Tag,
    Values,
    definition_of,
    file_of,
    join,
    key_of,
)
from parsers.facts import NONE, DefinitionKind, FileFacts, Flag, Op

if TYPE_CHECKING:
    from graph.resolve.context import Context

_MAX_FILES = 256


class Place(NamedTuple):
    """Where a function literal stands: what is called with it, or the type that is declared."""

    call: int  # the expression of the call, or NONE
    position: int  # of the literal among the call's arguments
    type: int  # the expression of the declared type, or NONE


class Callbacks:
    """The parameters of function literals, for one commit."""

    def __init__(self, context: "Context") -> None:
        self.context = context
        self._places: dict[int, dict[int, Place]] = {}

    def given(self, file: int, facts: FileFacts, function: int, position: int) -> Values:
        """What the parameter at `position` of a function literal receives."""
        place = self._places_in(file, facts).get(function)
        if place is None:
            return NOTHING
        if place.type != NONE:
            return self._by_types(self.context.types.of(file, place.type), position)
        call = facts.expressions[place.call]
        operands = facts.operands[call.first : call.first + call.count]
        if not operands or operands[0] < 0:
            return NOTHING
        callee = facts.expressions[operands[0]]
        targets = self.context.inference.targets(file, facts, callee)
        if len(targets) > 1 and self.context.policy_of(file).overload_by_arity:
            targets = self.context.overloads.choose(file, operands[1:], targets).targets
        groups = [
            self._by_types(self._expected(declared, place.position), position)
            for target in targets
            if isinstance(target, int)
            for declared in (target, *self.context.overloads.declarations(target))
        ]
        if callee.op == Op.MEMBER and not groups:
            receiver = facts.operands[callee.first]
            groups.append(
                self._elements(self.context.inference.of_expression(file, receiver), position)
            )
        return join(groups) if groups else NOTHING

    def _expected(self, function: DefinitionKey, position: int) -> Values:
        """The declared type of the parameter that takes the literal."""
        file = file_of(function)
        definitions = self.context.body(file).definitions
        parameters = [
            index
            for index in definitions[definition_of(function)].parameters
            if not definitions[index].flags & Flag.RECEIVER
        ]
        if not parameters or (
            position >= len(parameters) and not definitions[parameters[-1]].flags & Flag.VARIADIC
        ):
            return NOTHING
        declared = definitions[parameters[min(position, len(parameters) - 1)]]
        return self.context.types.of(file, declared.type)

    def _by_types(self, types: Values, position: int) -> Values:
        """The parameter of the one method that an interface leaves open."""
        groups: list[Values] = []
        for value in types:
            if value.tag == Tag.INSTANCE:
                method = self._open_method(value.key)
                if method >= 0:
                    groups.append(self._parameter(method, position))
            else:
                groups.append(self._elements((value,), position))
        return join(groups) if groups else NOTHING

    def _open_method(self, key: DefinitionKey) -> DefinitionKey:
        context = self.context
        for base in context.members.linearization(key):
            if base.tag != Tag.CLASS:
                continue
            context.touch_definition(base.key)
            found = [
                member
                for name in sorted(context.index.member_names(base.key))
                for member in context.index.members_of(base.key, name)
                if self._is_open(member)
            ]
            if found:
                return found[0] if len(found) == 1 else NONE
        return NONE

    def _is_open(self, key: DefinitionKey) -> bool:
        name = self.context.outline_name(key)
        return name.kind == DefinitionKind.METHOD and bool(name.flags & Flag.ABSTRACT)

    def _parameter(self, function: DefinitionKey, position: int) -> Values:
        file = file_of(function)
        parameters = self.context.body(file).definitions[definition_of(function)].parameters
        if position >= len(parameters):
            return NOTHING
        return self.context.inference.of_definition(key_of(file, parameters[position]))

    @staticmethod
    def _elements(values: Values, position: int) -> Values:
        """A container or function from elsewhere hands on its type arguments in order.

        Those of a function type are its result and then what it takes.
        """
        groups: list[Values] = []
        for value in values:
            at = position + 1 if value.name == FUNCTION_TYPE else position
            if value.tag == Tag.EXTERNAL_INSTANCE and at < len(value.arguments):
                groups.append(value.arguments[at])
        return join(groups) if groups else NOTHING

    def _places_in(self, file: int, facts: FileFacts) -> dict[int, Place]:
        known = self._places.get(file)
        if known is not None:
            return known
        places: dict[int, Place] = {}
        for index, expression in enumerate(facts.expressions):
            if expression.op in (Op.CALL, Op.NEW, Op.CAST):
                _add_operands(facts, places, index)
        for definition in facts.definitions:
            if definition.type >= 0 and definition.kind != DefinitionKind.LAMBDA:
                for value in definition.values:
                    _add(facts, places, value, Place(NONE, 0, definition.type))
        if len(self._places) > _MAX_FILES:
            self._places.clear()
        self._places[file] = places
        return places


def _add_operands(facts: FileFacts, places: dict[int, Place], index: int) -> None:
    """The literals that a call passes or a cast gives a type."""
    expression = facts.expressions[index]
    operands = facts.operands[expression.first : expression.first + expression.count]
    for position, operand in enumerate(operands[1:]):
        if expression.op == Op.CAST:
            _add(facts, places, operand, Place(NONE, 0, operands[0]))
        else:
            _add(facts, places, operand, Place(index, position, NONE))


def _add(facts: FileFacts, places: dict[int, Place], index: int, place: Place) -> None:
    if index >= 0 and facts.expressions[index].op == Op.DEFINITION:
        places.setdefault(facts.expressions[index].binding, place)


__all__ = ["Callbacks"]
