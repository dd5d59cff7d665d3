"""The plain operations: literals, receivers, alternatives, what is declared to be of a type."""

from typing import TYPE_CHECKING

from graph.resolve.context import Context
from graph.resolve.values import NOTHING, Tag, Value, Values, join, key_of
from parsers.facts import Expression, FileFacts, Flag, Op, ScopeKind

if TYPE_CHECKING:
    from graph.resolve.inference import Evaluator, Inference


class Operations:
    """The part of inference that needs no lookup of its own."""

    def __init__(self, context: Context, inference: "Inference") -> None:
        self.context = context
        self.inference = inference

    def evaluators(self) -> "dict[int, Evaluator]":
        """The operations by their code."""
        return {
            Op.THIS: self._this,
            Op.SUPER: self._super,
            Op.UNION: self._any,
            Op.AWAIT: self._any,
            Op.KEYWORD: self._any,
            Op.LITERAL: self._literal,
            Op.STRING: self._string,
            Op.CAST: self._typed,
            Op.INSTANCE: self._typed,
        }

    def _any(
        self, file: int, _facts: FileFacts, _expression: Expression, operands: list[int]
    ) -> Values:
        return join([self.inference.of_expression(file, operand) for operand in operands])

    def _literal(
        self, file: int, _facts: FileFacts, expression: Expression, _operands: list[int]
    ) -> Values:
        return (self.context.builtin_instance(file, expression.name),) if expression.name else ()

    def _string(
        self, file: int, _facts: FileFacts, _expression: Expression, _operands: list[int]
    ) -> Values:
        return (self.context.builtin_instance(file, "str"),)

    def _typed(
        self, file: int, _facts: FileFacts, _expression: Expression, operands: list[int]
    ) -> Values:
        return self.context.types.of(file, operands[0]) if operands else NOTHING

    def _super(
        self, file: int, _facts: FileFacts, expression: Expression, _operands: list[int]
    ) -> Values:
        if expression.binding < 0:
            return NOTHING
        return (Value(Tag.SUPER, key_of(file, expression.binding)),)

    def _this(
        self, file: int, facts: FileFacts, expression: Expression, _operands: list[int]
    ) -> Values:
        if expression.binding < 0:
            return NOTHING
        function = facts.scopes[expression.scope]
        while function.kind in (ScopeKind.BLOCK, ScopeKind.COMPREHENSION):
            function = facts.scopes[function.parent]
        static = (
            function.kind == ScopeKind.FUNCTION
            and function.definition >= 0
            and facts.definitions[function.definition].flags & Flag.STATIC
        )
        return (Value(Tag.CLASS if static else Tag.INSTANCE, key_of(file, expression.binding)),)
