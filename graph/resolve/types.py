"""Types as they are written: what values a declaration of that type can hold."""

from graph.resolve.context import Context
from graph.resolve.values import (
    NOTHING,
    DefinitionKey,
    Tag,
    Target,
    Value,
    Values,
    definition_of,
    file_of,
    instance,
    join,
    key_of,
)
from parsers.facts import DefinitionKind, Expression, FileFacts, Op

_MAX_DEPTH = 24

FUNCTION_TYPE = "function"
# Types that can stand for another, and what can be called because its type says how.
_DEFINED = (DefinitionKind.CLASS, DefinitionKind.INTERFACE, DefinitionKind.OBJECT)


class Types:
    """Evaluates type expressions for one commit."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._depth = 0

    def of(self, file: int, index: int) -> Values:
        """The instances that a type expression of a file admits."""
        if index < 0 or self._depth > _MAX_DEPTH:
            return NOTHING
        self._depth += 1
        try:
            facts = self.context.body(file)
            return self._of(file, facts, facts.expressions[index])
        finally:
            self._depth -= 1

    def _of(self, file: int, facts: FileFacts, expression: Expression) -> Values:
        operands = facts.operands[expression.first : expression.first + expression.count]
        match expression.op:
            case Op.NAME | Op.MEMBER:
                targets = self.context.inference.targets(file, facts, expression)
                return join([self.of_target(file, target) for target in targets])
            case Op.INDEX:
                return self._generic(file, operands)
            case _:
                return self._composite(file, facts, expression, operands)

    def _composite(
        self, file: int, facts: FileFacts, expression: Expression, operands: list[int]
    ) -> Values:
        match expression.op:
            case Op.UNION:
                return join([self.of(file, operand) for operand in operands])
            case Op.SEQUENCE:
                elements = tuple(self.of(file, operand) for operand in operands)
                name = self.context.builtin(file, expression.name)
                return (Value(Tag.EXTERNAL_INSTANCE, -1, name, elements),)
            case Op.MAPPING:
                parts = tuple(self.of(file, operand) for operand in operands)
                name = self.context.builtin(file, expression.name)
                return (Value(Tag.EXTERNAL_INSTANCE, -1, name, parts),)
            case Op.LITERAL:
                name = self.context.builtin(file, expression.name)
                return (Value(Tag.EXTERNAL_INSTANCE, -1, name),)
            case Op.FUNCTION_TYPE:
                parts = tuple(self.of(file, operand) for operand in operands)
                return (Value(Tag.EXTERNAL_INSTANCE, -1, FUNCTION_TYPE, parts),)
            case Op.DEFINITION:
                return (Value(Tag.INSTANCE, key_of(file, expression.binding)),)
            case Op.CAST | Op.INSTANCE:
                return self.of(file, operands[0]) if operands else NOTHING
            case Op.TYPE_OF | Op.SPREAD:
                return self.context.inference.of_expression(file, operands[0])
            case Op.THIS | Op.CALL | Op.AWAIT | Op.NEW:
                values = self.context.inference.evaluate(file, facts, expression)
                return tuple(instance(value) for value in values)
            case _:
                return NOTHING

    def underlying(self, value: Value) -> Values:
        """What an instance of a defined type is besides: `type Names []string` is a slice."""
        if value.tag != Tag.INSTANCE:
            return NOTHING
        return self.context.memo.ask(
            ("underlying", value.key), lambda: self._underlying(value.key), NOTHING
        )

    def _underlying(self, key: DefinitionKey) -> Values:
        file = file_of(key)
        definition = self.context.body(file).definitions[definition_of(key)]
        return self.of(file, definition.type) if definition.kind in _DEFINED else ()

    def of_target(self, file: int, target: Target) -> Values:
        """The instances of what a type's name leads to."""
        if isinstance(target, int):
            return self._of_definition(target)
        if target.tag == Tag.EXTERNAL:
            return (self._named(file, target.name, ()),) if target.name else NOTHING
        return (instance(target),)

    def _of_definition(self, key: DefinitionKey) -> Values:
        return self.context.memo.ask(("type", key), lambda: self._definition(key), NOTHING)

    def _definition(self, key: DefinitionKey) -> Values:
        file = file_of(key)
        definition = self.context.body(file).definitions[definition_of(key)]
        match definition.kind:
            case DefinitionKind.TYPE_ALIAS:
                return join([self.of(file, value) for value in definition.values])
            case DefinitionKind.TYPE_PARAMETER:
                return self.of(file, definition.type)
            case DefinitionKind.VARIABLE | DefinitionKind.CONSTANT | DefinitionKind.FIELD:
                return self._of_variable(file, key)
            case DefinitionKind.FUNCTION | DefinitionKind.METHOD | DefinitionKind.PARAMETER:
                return NOTHING
            case DefinitionKind.ENUM_MEMBER:
                return self.context.inference.of_definition(key)
            case _:
                return (Value(Tag.INSTANCE, key),)

    def _of_variable(self, file: int, key: DefinitionKey) -> Values:
        """A variable as a type: `Pair = tuple[Foo, Bar]`, `Shared = Annotated[Foo, ...]`."""
        facts = self.context.body(file)
        values = facts.definitions[definition_of(key)].values
        written = [value for value in values if facts.expressions[value].op == Op.INDEX]
        if written:
            return join([self.of(file, value) for value in written])
        found = self.context.inference.of_definition(key)
        return tuple(instance(v) for v in found if v.tag in (Tag.CLASS, Tag.EXTERNAL))

    def _named(self, file: int, name: str, arguments: tuple[Values, ...]) -> Value:
        """An instance of a type from elsewhere, under the one name its synonyms share."""
        form = self.context.policy_of(file).type_forms.get(name, "")
        return Value(
            Tag.EXTERNAL_INSTANCE, -1, form[1:] if form.startswith("=") else name, arguments
        )

    def _generic(self, file: int, operands: list[int]) -> Values:
        """`Base[arguments]`."""
        if not operands or operands[0] < 0:
            return NOTHING
        facts = self.context.body(file)
        base = facts.expressions[operands[0]]
        targets = (
            self.context.inference.targets(file, facts, base)
            if base.op in (Op.NAME, Op.MEMBER)
            else ()
        )
        found: list[Values] = []
        for target in targets:
            if isinstance(target, int):
                arguments = tuple(self.of(file, operand) for operand in operands[1:])
                found.append(
                    tuple(
                        value._replace(arguments=arguments) if value.tag == Tag.INSTANCE else value
                        for value in self._of_definition(target)
                    )
                )
            elif target.tag == Tag.EXTERNAL:
                found.append(self._external_generic(file, target.name, operands[1:]))
        return join(found) if found else NOTHING

    def _external_generic(self, file: int, name: str, operands: list[int]) -> Values:
        form = self.context.policy_of(file).type_forms.get(name, "")
        match form:
            case "union":
                return join([self.of(file, operand) for operand in operands])
            case "first":
                return self.of(file, operands[0]) if operands else NOTHING
            case "last":
                return self.of(file, operands[-1]) if operands else NOTHING
            case "class":
                values = self.of(file, operands[0]) if operands else NOTHING
                return tuple(
                    Value(Tag.CLASS, v.key, "", v.arguments)
                    for v in values
                    if v.tag == Tag.INSTANCE
                )
            case "callable":
                result = self.of(file, operands[-1]) if operands else NOTHING
                return (Value(Tag.EXTERNAL_INSTANCE, -1, FUNCTION_TYPE, (result,)),)
            case _:
                arguments = tuple(self.of(file, operand) for operand in operands)
                return (self._named(file, name, arguments),)
