"""Type parameters: what `T` is in a result or field, given the receiver and the arguments.

`Box<Part> box; box.get()` is a Part where `get` is declared to give T, the parameter of Box; and
`first(parts)` is one where `first` takes a `List<T>` and gives T.
"""

from typing import TYPE_CHECKING

from graph.resolve.values import (
    NOTHING,
    DefinitionKey,
    Tag,
    Value,
    Values,
    definition_of,
    file_of,
    instances,
    join,
    key_of,
)
from parsers.facts import DefinitionKind, FileFacts, Flag, Op

if TYPE_CHECKING:
    from graph.resolve.context import Context

_MAX_DEPTH = 8
_FIELDS = frozenset({DefinitionKind.FIELD, DefinitionKind.PROPERTY})

# Values of type parameters, by the parameter's definition in the file at hand.
Known = dict[int, Values]


class Generics:
    """Substitution of type parameters for one commit."""

    def __init__(self, context: "Context") -> None:
        self.context = context
        self._generic: dict[DefinitionKey, bool] = {}

    def result(
        self, file: int, function: DefinitionKey, receiver: Value | None, arguments: list[int]
    ) -> Values:
        """What a call gives whose declared result has type parameters in it; else nothing."""
        home = file_of(function)
        facts = self.context.body(home)
        definition = facts.definitions[definition_of(function)]
        if not self._is_generic(function, facts, definition.type):
            return NOTHING
        owner = facts.scopes[definition.scope].definition
        known: Known = {}
        if receiver is not None and receiver.tag == Tag.INSTANCE and owner >= 0:
            known = self._of_class(key_of(home, owner), receiver, 0)
        position = 0
        for index in definition.parameters:
            parameter = facts.definitions[index]
            if parameter.flags & Flag.RECEIVER:
                given: Values = (receiver,) if receiver is not None else NOTHING
            else:
                at = arguments[position] if position < len(arguments) else -1
                given = instances(self.context.inference.of_expression(file, at))
                position += 1
            self._unify(facts, parameter.type, given, known, 0)
        return self._filled(home, facts, definition.type, known, 0) if known else NOTHING

    def field(self, key: DefinitionKey, receiver: Value) -> Values:
        """What a field holds whose declared type has parameters of its class in it."""
        home = file_of(key)
        facts = self.context.body(home)
        definition = facts.definitions[definition_of(key)]
        owner = facts.scopes[definition.scope].definition
        if definition.kind not in _FIELDS or owner < 0:
            return NOTHING
        if not self._is_generic(key, facts, definition.type):
            return NOTHING
        known = self._of_class(key_of(home, owner), receiver, 0)
        return self._filled(home, facts, definition.type, known, 0) if known else NOTHING

    def _is_generic(self, key: DefinitionKey, facts: FileFacts, root: int) -> bool:
        known = self._generic.get(key)
        if known is None:
            known = self._generic[key] = _mentions_parameter(facts, root)
        return known

    def _of_class(self, owner: DefinitionKey, receiver: Value, depth: int) -> Known:
        """The type parameters of `owner`, which the receiver's class is or descends from."""
        file = file_of(receiver.key)
        facts = self.context.body(file)
        definition = facts.definitions[definition_of(receiver.key)]
        known: Known = {}
        if definition.body >= 0:
            header = facts.scopes[definition.body].parent
            scopes = (header, definition.body) if header else (definition.body,)
            parameters = [
                index
                for index, candidate in enumerate(facts.definitions)
                if candidate.kind == DefinitionKind.TYPE_PARAMETER and candidate.scope in scopes
            ]
            known = dict(zip(parameters, receiver.arguments, strict=False))
        if receiver.key == owner or depth > _MAX_DEPTH:
            return known
        for base in definition.bases:
            for value in self._filled(file, facts, base, known, 0):
                if value.tag == Tag.INSTANCE and value.key != receiver.key:
                    found = self._of_class(owner, value, depth + 1)
                    if found:
                        return found
        return {}

    def _unify(
        self, facts: FileFacts, type_: int, values: Values, known: Known, depth: int
    ) -> None:
        """Learn type parameters from values that are of a type written with them."""
        if type_ < 0 or not values or depth > _MAX_DEPTH:
            return
        expression = facts.expressions[type_]
        operands = facts.operands[expression.first : expression.first + expression.count]
        if expression.op == Op.NAME:
            if _is_parameter(facts, expression.binding):
                known[expression.binding] = join([known.get(expression.binding, NOTHING), values])
        elif expression.op == Op.UNION:
            for operand in operands:
                self._unify(facts, operand, values, known, depth + 1)
        elif expression.op in (Op.INDEX, Op.SEQUENCE, Op.MAPPING):
            inner = operands[1:] if expression.op == Op.INDEX else operands
            for position, operand in enumerate(inner):
                parts = [v.arguments[position] for v in values if position < len(v.arguments)]
                self._unify(facts, operand, join(parts) if parts else NOTHING, known, depth + 1)

    def _filled(self, file: int, facts: FileFacts, type_: int, known: Known, depth: int) -> Values:
        """The instances that a type admits once its parameters are known."""
        if type_ < 0 or depth > _MAX_DEPTH:
            return NOTHING
        expression = facts.expressions[type_]
        operands = facts.operands[expression.first : expression.first + expression.count]
        if expression.op == Op.NAME and expression.binding in known:
            return known[expression.binding]
        plain = self.context.types.of(file, type_)
        if expression.op not in (Op.INDEX, Op.SEQUENCE, Op.MAPPING):
            return plain
        inner = operands[1:] if expression.op == Op.INDEX else operands
        arguments = tuple(self._filled(file, facts, o, known, depth + 1) for o in inner)
        return tuple(
            value._replace(arguments=arguments) if len(value.arguments) == len(arguments) else value
            for value in plain
        )


def _is_parameter(facts: FileFacts, binding: int) -> bool:
    return binding >= 0 and facts.definitions[binding].kind == DefinitionKind.TYPE_PARAMETER


def _mentions_parameter(facts: FileFacts, root: int) -> bool:
    pending = [root]
    while pending:
        index = pending.pop()
        if index < 0:
            continue
        expression = facts.expressions[index]
        if expression.op == Op.NAME and _is_parameter(facts, expression.binding):
            return True
        if expression.op in (Op.INDEX, Op.SEQUENCE, Op.MAPPING, Op.UNION):
            pending += facts.operands[expression.first : expression.first + expression.count]
    return False
