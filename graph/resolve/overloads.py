"""Which of several methods of one name a call means, in languages that tell them apart by types.

First by the number of arguments, then by their types as far as both sides are known. What cannot be
told apart stays ambiguous: an argument of unknown type fits everything equally well.
"""

from typing import TYPE_CHECKING, NamedTuple

from graph.resolve.types import FUNCTION_TYPE
from graph.resolve.values import (
    DefinitionKey,
    Tag,
    Targets,
    Value,
    Values,
    definition_of,
    file_of,
    key_of,
)
from parsers.facts import NONE, DefinitionKind, Flag, Op

if TYPE_CHECKING:
    from graph.resolve.context import Context

# How badly an argument fits a parameter: the sum decides, and NEVER rules the method out.
_EXACT = 0
_UNKNOWN = 40  # how the types relate is not known
_ANYTHING = 60  # the parameter takes every value
_UNLIKELY = 70  # a value of unknown type for a class whose instances are all known
_SPREAD = 100  # taken as one of a variable number of arguments
_NEVER = -1


class Choice(NamedTuple):
    """The overloads a call may mean, and whether a type that is not known had a say in it."""

    targets: Targets
    guessed: bool


class Overloads:
    """Overload selection for one commit."""

    def __init__(self, context: "Context") -> None:
        self.context = context

    def declarations(self, function: DefinitionKey) -> list[DefinitionKey]:
        """The declarations without a body beside the function that has one."""
        file = file_of(function)
        entry = self.context.index.files[file]
        own = entry.names.get(definition_of(function))
        if own is None:
            return []
        table = entry.top if own.container == NONE else entry.members.get(own.container, {})
        beside = table.get(own.name, ())
        if len(beside) < 2:  # noqa: PLR2004 - alone
            return []
        return [key_of(file, i) for i in beside if entry.names[i].flags & Flag.OVERLOAD]

    def declared_results(self, function: DefinitionKey) -> list[Values]:
        """What declarations without a body, beside the function that has one, say it gives."""
        file = file_of(function)
        definitions = self.context.body(file).definitions
        return [
            self.context.types.of(file, definitions[definition_of(key)].type)
            for key in self.declarations(function)
        ]

    def choose(self, file: int, arguments: list[int], targets: Targets) -> Choice:
        """Of the callable targets those that take the arguments best; all if none seems to."""
        fitting: dict[int, list[int]] = {}
        for target in targets:
            if isinstance(target, int):
                parameters = self._parameters(target, len(arguments))
                if parameters is not None:
                    fitting[target] = parameters
        if len(fitting) < 2:  # noqa: PLR2004 - nothing to choose from
            return Choice(tuple(fitting) or targets, guessed=False)
        given = [self._given(file, argument) for argument in arguments]
        costs: dict[int, int] = {}
        for target, parameters in fitting.items():
            cost = self._cost(file, arguments, given, target, parameters)
            if cost != _NEVER:
                costs[target] = cost
        best = min(costs.values(), default=_NEVER)
        nearest = self._nearest([target for target, cost in costs.items() if cost == best])
        guessed = len(costs) > 1 and not all(given)
        return Choice(nearest or tuple(fitting), guessed)

    def _nearest(self, targets: list[int]) -> Targets:
        """Members of the nearest class hide those of its bases that take the same arguments."""
        owners = [self._owner(target) for target in targets]
        return tuple(t for t, owner in zip(targets, owners, strict=True) if owner == owners[0])

    def _owner(self, key: int) -> int:
        facts = self.context.body(file_of(key))
        owner = facts.scopes[facts.definitions[definition_of(key)].scope].definition
        return key_of(file_of(key), owner) if owner >= 0 else owner

    def _parameters(self, key: int, count: int) -> list[int] | None:
        """The parameter that takes each of `count` arguments; None if they are too many or few."""
        definition = self.context.body(file_of(key)).definitions[definition_of(key)]
        parameters = definition.parameters
        if not parameters:
            return [] if count == 0 else None
        facts = self.context.body(file_of(key))
        last = facts.definitions[parameters[-1]]
        if not last.flags & Flag.VARIADIC:
            return parameters if count == len(parameters) else None
        if count < len(parameters) - 1:
            return None
        return [parameters[min(at, len(parameters) - 1)] for at in range(count)]

    def _given(self, file: int, argument: int) -> Values:
        return self.context.inference.of_expression(file, argument) if argument >= 0 else ()

    def _cost(
        self, file: int, arguments: list[int], given: list[Values], target: int, taken: list[int]
    ) -> int:
        owner = file_of(target)
        facts = self.context.body(owner)
        omitted = len(taken) < len(facts.definitions[definition_of(target)].parameters)
        total = _SPREAD if omitted else _EXACT
        for argument, values, parameter in zip(arguments, given, taken, strict=True):
            declared = facts.definitions[parameter]
            types = self.context.types.of(owner, declared.type)
            cost = self._fit(file, argument, values, types)
            if declared.flags & Flag.VARIADIC:
                cost = self._spread(file, argument, values, types, cost)
            if cost == _NEVER:
                return _NEVER
            total += cost
        return total

    def _spread(self, file: int, argument: int, values: Values, types: Values, element: int) -> int:
        """A variadic parameter takes an array whole, or elements one by one."""
        arrays = tuple(value.arguments[0] for value in values if _is_array(value))
        if arrays:
            whole = self._fit(file, argument, arrays[0], types)
            if whole != _NEVER:
                return whole + 1
        return element if element == _NEVER else element + _SPREAD

    def _fit(self, file: int, argument: int, values: Values, types: Values) -> int:
        """How badly the best of the argument's values fits the best of the parameter's types."""
        if not types:
            return _ANYTHING
        if not values:
            return self._without_type(file, argument, types)
        costs = [self._distance(file, value, type_) for value in values for type_ in types]
        return min((cost for cost in costs if cost != _NEVER), default=_NEVER)

    def _without_type(self, file: int, argument: int, types: Values) -> int:
        """Null is of every class, the most special one first; of other values nothing is known."""
        root = self._root(file)
        if argument < 0:
            return _UNKNOWN
        expression = self.context.body(file).expressions[argument]
        if expression.op == Op.LITERAL:
            if any(self._is_primitive(file, type_) for type_ in types):
                return _NEVER
            return _ANYTHING if any(type_.name == root for type_ in types) else _UNKNOWN
        if any(type_.name == root for type_ in types):
            return _ANYTHING
        return _UNLIKELY if all(type_.tag == Tag.INSTANCE for type_ in types) else _UNKNOWN

    def _root(self, file: int) -> str:
        policy = self.context.policy_of(file)
        return f"{policy.builtin_module}.{policy.root_type}"

    def _short(self, file: int, name: str) -> str:
        """A builtin type's name without its module; any other as it is."""
        module, _, short = name.rpartition(".")
        return short if module == self.context.policy_of(file).builtin_module else name

    def _is_primitive(self, file: int, value: Value) -> bool:
        policy = self.context.policy_of(file)
        name = self._short(file, value.name)
        return name in policy.conversions and name[:1].islower()

    def _distance(self, file: int, value: Value, type_: Value) -> int:
        """How far the type of one value is from one declared type."""
        policy = self.context.policy_of(file)
        if value.tag == Tag.FUNCTION or value.name == FUNCTION_TYPE:
            return self._function(file, type_)
        if type_.name == self._root(file):
            return _ANYTHING
        if value.tag == Tag.INSTANCE:
            return self._between_classes(file, value.key, type_)
        if type_.tag == Tag.INSTANCE:
            # A type from elsewhere does not know the classes of this repository.
            return _NEVER
        if value.tag != Tag.EXTERNAL_INSTANCE or type_.tag != Tag.EXTERNAL_INSTANCE:
            conversions = policy.conversions
            known = self._short(file, value.name) in conversions
            return _NEVER if known or _is_array(value) else _UNKNOWN
        return self._between_external(file, value, type_)

    def _between_classes(self, file: int, key: int, type_: Value) -> int:
        line = self.context.members.linearization(key)
        for position, base in enumerate(line):
            same = base.key == type_.key if base.tag == Tag.CLASS else base.name == type_.name
            if same and (base.tag == Tag.CLASS) == (type_.tag == Tag.INSTANCE):
                return position
        foreign = any(base.tag == Tag.EXTERNAL for base in line)
        final = self._short(file, type_.name) in self.context.policy_of(file).conversions
        open_ = foreign and type_.tag == Tag.EXTERNAL_INSTANCE and not final
        return _UNKNOWN if open_ else _NEVER

    def _between_external(self, file: int, value: Value, type_: Value) -> int:
        policy = self.context.policy_of(file)
        if value.name == type_.name:
            if not _is_array(value) or not value.arguments or not type_.arguments:
                return _EXACT
            return self._fit(file, -1, value.arguments[0], type_.arguments[0])
        source, goal = self._short(file, value.name), self._short(file, type_.name)
        ways = policy.conversions.get(source)
        if ways is not None:
            return ways.index(goal) + 1 if goal in ways else _NEVER
        closed = _is_array(value) or _is_array(type_) or goal in policy.conversions
        return _NEVER if closed else _UNKNOWN

    def _function(self, file: int, type_: Value) -> int:
        """A function fits an interface, or a type from elsewhere that may be one."""
        if type_.tag == Tag.INSTANCE:
            owner = self.context.body(file_of(type_.key))
            kind = owner.definitions[definition_of(type_.key)].kind
            return _EXACT if kind == DefinitionKind.INTERFACE else _NEVER
        policy = self.context.policy_of(file)
        name = self._short(file, type_.name)
        return _NEVER if name in policy.conversions or _is_array(type_) else _UNKNOWN


def _is_array(value: Value) -> bool:
    return value.name.endswith("[]")
