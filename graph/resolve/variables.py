"""Definitions: what using the name of a class, a function, a variable or a parameter gives."""

from typing import TYPE_CHECKING

from graph.resolve.context import Context
from graph.resolve.values import (
    NOTHING,
    DefinitionKey,
    Tag,
    Value,
    Values,
    definition_of,
    file_of,
    join,
    key_of,
)
from parsers.facts import NONE, Definition, DefinitionKind, FileFacts, Flag

if TYPE_CHECKING:
    from graph.resolve.inference import Inference

_CLASSES = frozenset(
    {
        DefinitionKind.CLASS,
        DefinitionKind.INTERFACE,
        DefinitionKind.TRAIT,
        DefinitionKind.STRUCT,
        DefinitionKind.ENUM,
        DefinitionKind.NAMESPACE,
    }
)
_FUNCTIONS = frozenset(
    {
        DefinitionKind.FUNCTION,
        DefinitionKind.METHOD,
        DefinitionKind.CONSTRUCTOR,
        DefinitionKind.LAMBDA,
        DefinitionKind.MACRO,
    }
)


class Variables:
    """The part of inference that is about definitions."""

    def __init__(self, context: Context, inference: "Inference") -> None:
        self.context = context
        self.inference = inference

    def value(self, key: DefinitionKey) -> Values:
        """What using the name gives; ask `Inference.of_definition`, which remembers."""
        file = file_of(key)
        facts = self.context.body(file)
        definition = facts.definitions[definition_of(key)]
        kind = definition.kind
        if kind in _CLASSES:
            return (Value(Tag.CLASS, key),)
        if kind in _FUNCTIONS:
            return (Value(Tag.FUNCTION, key),)
        match kind:
            case DefinitionKind.PROPERTY:
                return self.inference.calls.of_function(key, None)
            case DefinitionKind.OBJECT:
                return (Value(Tag.INSTANCE, key),)
            case DefinitionKind.ENUM_MEMBER:
                owner = facts.scopes[definition.scope].definition
                return (Value(Tag.INSTANCE, key_of(file, owner)),) if owner >= 0 else NOTHING
            case DefinitionKind.TYPE_ALIAS:
                values = [self.context.types.of(file, value) for value in definition.values]
                return tuple(
                    Value(Tag.CLASS, v.key, "", v.arguments) if v.tag == Tag.INSTANCE else v
                    for v in join(values)
                )
            case DefinitionKind.TYPE_PARAMETER:
                return NOTHING
            case _:
                return self._variable(file, facts, definition, key)

    def _variable(
        self, file: int, facts: FileFacts, definition: Definition, key: DefinitionKey
    ) -> Values:
        if definition.type >= 0:
            declared = self.context.types.of(file, definition.type)
            if declared:
                return self._collected(file, definition, declared)
        if definition.flags & Flag.RECEIVER:
            return self._receiver(file, facts, definition)
        groups = [self.inference.of_expression(file, value) for value in definition.values]
        if definition.kind == DefinitionKind.PARAMETER:
            groups.append(self.inference.calls.arguments_of(file, facts, definition, key))
            groups.append(self._given(file, facts, definition, key))
        values = join(groups) if groups else NOTHING
        return self._collected(file, definition, values)

    def _given(
        self, file: int, facts: FileFacts, definition: Definition, key: DefinitionKey
    ) -> Values:
        """What the place of a function literal says about its parameter."""
        function = facts.scopes[definition.scope].definition
        if function < 0 or facts.definitions[function].kind != DefinitionKind.LAMBDA:
            return NOTHING
        parameters = facts.definitions[function].parameters
        position = parameters.index(definition_of(key)) if definition_of(key) in parameters else 0
        return self.context.callbacks.given(file, facts, function, position)

    def _collected(self, file: int, definition: Definition, values: Values) -> Values:
        """A parameter that takes the rest of the arguments is a container of them."""
        if definition.flags & Flag.VARIADIC:
            return (self.context.builtin_instance(file, "list", (values,)),)
        if definition.flags & Flag.KEYWORDS:
            return (self.context.builtin_instance(file, "dict", (NOTHING, values)),)
        return values

    def _receiver(self, file: int, facts: FileFacts, definition: Definition) -> Values:
        function = facts.scopes[definition.scope].definition
        if function == NONE:
            return NOTHING
        owner = facts.scopes[facts.definitions[function].scope].definition
        if owner == NONE:
            return NOTHING
        tag = Tag.CLASS if definition.flags & Flag.CLASS_METHOD else Tag.INSTANCE
        return (Value(tag, key_of(file, owner)),)
