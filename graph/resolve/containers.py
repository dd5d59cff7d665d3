"""Containers: what iterating, indexing and taking apart gives."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graph.resolve.context import Context
from graph.resolve.values import NOTHING, Tag, Value, Values, file_of, join
from parsers.facts import Expression, FileFacts, Op, Role

if TYPE_CHECKING:
    from graph.resolve.inference import Evaluator, Inference

_DECLARING = (Role.TYPE, Role.BASE, Role.INTERFACE)
_NAMED = (Tag.CLASS, Tag.FUNCTION, Tag.MODULE, Tag.EXTERNAL)
_BY_KEY = ("dict", "Map", "Record", "map", "WeakMap", "HashMap")


class Containers:
    """The part of inference that is about containers."""

    def __init__(self, context: Context, inference: "Inference") -> None:
        self.context = context
        self.inference = inference

    def evaluators(self) -> "dict[int, Evaluator]":
        """The operations that make containers or take them apart."""
        return {
            Op.SEQUENCE: self._sequence,
            Op.MAPPING: self._mapping,
            Op.YIELD: self._yielded,
            Op.ITERATE: self._iterated,
            Op.SPREAD: self._iterated,
            Op.ELEMENT: self._element,
            Op.ENTER: self._entered,
            Op.INDEX: self._indexed,
        }

    def _sequence(
        self, file: int, _facts: FileFacts, expression: Expression, operands: list[int]
    ) -> Values:
        elements = tuple([self.inference.of_expression(file, operand) for operand in operands])
        if expression.name != "tuple" and elements:
            elements = (join(list(elements)),)
        return (self.context.builtin_instance(file, expression.name, elements),)

    def _mapping(
        self, file: int, _facts: FileFacts, expression: Expression, operands: list[int]
    ) -> Values:
        keys = join([self.inference.of_expression(file, o) for o in operands[0::2]])
        values = join([self.inference.of_expression(file, o) for o in operands[1::2]])
        return (self.context.builtin_instance(file, expression.name, (keys, values)),)

    def _yielded(
        self, file: int, _facts: FileFacts, _expression: Expression, operands: list[int]
    ) -> Values:
        values = join([self.inference.of_expression(file, operand) for operand in operands])
        return (self.context.builtin_instance(file, "Generator", (values,)),)

    def _iterated(
        self, file: int, _facts: FileFacts, expression: Expression, operands: list[int]
    ) -> Values:
        values = self.inference.of_expression(file, operands[0]) if operands else NOTHING
        return self.parts(values, expression.name) if expression.name else self.elements(values)

    def _element(
        self, file: int, _facts: FileFacts, expression: Expression, operands: list[int]
    ) -> Values:
        values = self.inference.of_expression(file, operands[0]) if operands else NOTHING
        return self.element_at(values, expression.name)

    def _entered(
        self, file: int, _facts: FileFacts, _expression: Expression, operands: list[int]
    ) -> Values:
        groups: list[Values] = []
        for value in self.inference.of_expression(file, operands[0]) if operands else ():
            if value.tag == Tag.INSTANCE:
                groups.append(self._through(value, "enter"))
            elif value.name.endswith(".Generator"):
                groups.append(self.elements((value,)))
            else:
                groups.append((value,))
        return join(groups) if groups else NOTHING

    def _indexed(
        self, file: int, _facts: FileFacts, expression: Expression, operands: list[int]
    ) -> Values:
        groups: list[Values] = []
        types = expression.role in _DECLARING or self.context.policy_of(file).types_in_brackets
        for value in self.inference.of_expression(file, operands[0]) if operands else ():
            if not types and value.tag in _NAMED:
                targets = self.inference.member_targets(value, expression.name)
                groups += [self.inference.of_target(target) for target in targets]
            elif value.tag == Tag.CLASS:
                arguments = tuple(self.context.types.of(file, o) for o in operands[1:])
                groups.append((value._replace(arguments=arguments),))
            elif value.tag == Tag.INSTANCE:
                groups.extend(self._of_instance(value, expression.name))
            elif value.tag in (Tag.EXTERNAL, Tag.FUNCTION):
                groups.append((value,))  # with type arguments
            else:
                groups.append(self._element_of((value,), expression.name))
        return join(groups) if groups else NOTHING

    def _of_instance(self, value: Value, key: str) -> Iterable[Values]:
        """What an instance of a class of this repository gives for a key."""
        yield self._through(value, "index")
        yield self._element_of(self.context.types.underlying(value), "")
        if key:
            for target in self.context.members.of_class(value.key, key):
                yield self.inference.of_target(target)

    def _through(self, value: Value, protocol: str) -> Values:
        """What the method behind a piece of syntax gives, the first one that the class has."""
        policy = self.context.policy_of(file_of(value.key))
        for name in policy.protocols.get(protocol, ()):
            found = self.inference.calls.of_method(value, name)
            if found:
                return found
        return NOTHING

    def elements(self, values: Values) -> Values:
        """What iterating over the values gives."""
        groups: list[Values] = []
        for value in values:
            if value.tag == Tag.EXTERNAL_INSTANCE and value.arguments:
                if value.name.endswith(".tuple"):
                    groups.append(join(list(value.arguments)))
                else:
                    groups.append(value.arguments[0])
            elif value.tag == Tag.INSTANCE:
                iterator = self._through(value, "iterate")
                if iterator != (value,):
                    groups.append(self.elements(iterator))
                groups.append(self.elements(self.context.types.underlying(value)))
        return join(groups) if groups else NOTHING

    def parts(self, values: Values, part: str) -> Values:
        """The keys or values of containers; the keys of a sequence are its positions."""
        groups: list[Values] = []
        for value in values:
            if value.tag == Tag.INSTANCE:
                groups.append(self.parts(self.context.types.underlying(value), part))
            elif value.tag == Tag.EXTERNAL_INSTANCE and value.arguments:
                if part == "value":
                    groups.append(value.arguments[-1])
                elif not value.name.endswith("[]"):
                    groups.append(value.arguments[0])
        return join(groups) if groups else NOTHING

    def element_at(self, values: Values, position: str) -> Values:
        """The element at a position: of a tuple that one, of any other container any."""
        groups: list[Values] = []
        for value in values:
            if value.name.endswith("tuple") and value.arguments and position.isdigit():
                at = int(position)
                if at < len(value.arguments):
                    groups.append(value.arguments[at])
            else:
                groups.append(self.elements((value,)))
        return join(groups) if groups else NOTHING

    def _element_of(self, values: Values, position: str) -> Values:
        """What a container gives for a key or position."""
        groups: list[Values] = []
        for value in values:
            if value.name.rsplit(".", 1)[-1] in _BY_KEY:
                groups.append(value.arguments[-1] if value.arguments else NOTHING)
            else:
                groups.append(self.element_at((value,), position))
        return join(groups) if groups else NOTHING
