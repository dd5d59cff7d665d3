"""What expressions stand for: names, members, calls, containers, followed across files.

Flow-insensitive: a variable has every value that is assigned to it anywhere. A declared type is
believed before any assigned value.
"""

from graph.model.edges import Rule
from graph.resolve.calls import Calls
from graph.resolve.context import Context
from graph.resolve.lookup import Found
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
    instances,
    join,
    key_of,
)
from parsers.facts import (
    NONE,
    Definition,
    DefinitionKind,
    Expression,
    FileFacts,
    Flag,
    Op,
    Role,
    ScopeKind,
)
from parsers.scopes import fits

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
_CONTAINERS_BY_KEY = ("dict", "Map", "Record", "map", "WeakMap", "HashMap")


class Inference:
    """Evaluates expressions and definitions for one commit."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.calls = Calls(context, self)
        self._local: dict[int, Values] = {}
        self._local_file = -1

    def enter_file(self, file: int) -> None:
        """Expressions of `file` are about to be asked for: remember their values until the next."""
        self._local = {}
        self._local_file = file

    # --- targets: what a name or member refers to ----------------------------------------------

    def targets(self, file: int, facts: FileFacts, expression: Expression) -> Targets:
        """What the expression refers to, if it is a name, a member or an import."""
        return self.found(file, facts, expression)[0]

    def found(self, file: int, facts: FileFacts, expression: Expression) -> Found:
        """The same, with the rule that found it."""
        targets, rule = self._found(file, facts, expression)
        if len(targets) > 1 and self.context.policy_of(file).separate_names:
            targets = self._of_role(targets, expression.role)
        return targets, rule

    def _of_role(self, targets: Targets, role: int) -> Targets:
        """Of a field and methods of one name those that the use can mean."""
        fitting = tuple(
            target
            for target in targets
            if not isinstance(target, int) or fits(self._kind(target), role)
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
        found: dict[Target, None] = {}
        for value in values:
            for target in self.member_targets(value, expression.name):
                found[target] = None
        return tuple(found), self._rule(facts, facts.expressions[receiver], values)

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
        local = file == self._local_file and self.context.memo.outermost
        if local:
            known = self._local.get(index)
            if known is not None:
                return known
        facts = self.context.body(file)
        values = self.evaluate(file, facts, facts.expressions[index])
        if local:
            self._local[index] = values
        return values

    def evaluate(self, file: int, facts: FileFacts, expression: Expression) -> Values:
        """What an expression stands for; bounded by the memo's depth, not by the source's."""
        operands = facts.operands[expression.first : expression.first + expression.count]
        match expression.op:
            case Op.NAME | Op.IMPORT | Op.DEFINITION:
                targets = self.targets(file, facts, expression)
                return join([self.of_target(target) for target in targets])
            case Op.MEMBER:
                return self._member_values(file, facts, expression)
            case Op.CALL:
                return self.calls.result(file, facts, operands)
            case Op.NEW:
                return self.calls.instantiated(file, operands)
            case Op.THIS:
                return self._this(file, facts, expression)
            case Op.SUPER:
                return (
                    (Value(Tag.SUPER, key_of(file, expression.binding)),)
                    if expression.binding >= 0
                    else NOTHING
                )
            case Op.INDEX:
                return self._indexed(file, expression, operands)
            case _:
                return self._composite(file, expression, operands)

    def _composite(self, file: int, expression: Expression, operands: list[int]) -> Values:
        match expression.op:
            case Op.UNION | Op.AWAIT | Op.KEYWORD:
                return join([self.of_expression(file, operand) for operand in operands])
            case Op.LITERAL:
                return (self._builtin(file, expression.name),) if expression.name else NOTHING
            case Op.STRING:
                return (self._builtin(file, "str"),)
            case Op.SEQUENCE:
                return (self._sequence(file, expression, operands),)
            case Op.MAPPING:
                keys = join([self.of_expression(file, o) for o in operands[0::2]])
                values = join([self.of_expression(file, o) for o in operands[1::2]])
                return (self._builtin(file, expression.name, (keys, values)),)
            case Op.YIELD:
                values = join([self.of_expression(file, operand) for operand in operands])
                return (self._builtin(file, "Generator", (values,)),)
            case Op.CAST | Op.INSTANCE:
                return self.context.types.of(file, operands[0]) if operands else NOTHING
            case Op.ITERATE | Op.SPREAD:
                values = self.of_expression(file, operands[0]) if operands else NOTHING
                return (
                    self.parts(values, expression.name)
                    if expression.name
                    else self.elements(values)
                )
            case Op.ELEMENT:
                values = self.of_expression(file, operands[0]) if operands else NOTHING
                return self.element_at(values, expression.name)
            case Op.ENTER:
                return self._entered(self.of_expression(file, operands[0]) if operands else ())
            case _:
                return NOTHING

    def _builtin(self, file: int, name: str, arguments: tuple[Values, ...] = ()) -> Value:
        return Value(Tag.EXTERNAL_INSTANCE, -1, self.context.builtin(file, name), arguments)

    def _sequence(self, file: int, expression: Expression, operands: list[int]) -> Value:
        elements = [self.of_expression(file, operand) for operand in operands]
        if expression.name == "tuple":
            return self._builtin(file, "tuple", tuple(elements))
        return self._builtin(file, expression.name, (join(elements),) if elements else ())

    def _member_values(self, file: int, facts: FileFacts, expression: Expression) -> Values:
        receiver = facts.operands[expression.first]
        groups: list[Values] = []
        for value in self.of_expression(file, receiver):
            for target in self.member_targets(value, expression.name):
                found = self.of_target(target)
                if value.tag in (Tag.INSTANCE, Tag.CLASS, Tag.SUPER):
                    found = tuple(_bound(v, value) for v in found)
                elif value.tag == Tag.EXTERNAL_INSTANCE:
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
            self._builtin(file, type_) if type_ else value
            for value, type_ in zip(values, types, strict=True)
        )

    def _this(self, file: int, facts: FileFacts, expression: Expression) -> Values:
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

    # --- containers -----------------------------------------------------------------------------

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
                groups.append(self.calls.of_method(value, "__iter__", element=True))
                groups.append(self.calls.of_method(value, "__aiter__", element=True))
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

    def _indexed(self, file: int, expression: Expression, operands: list[int]) -> Values:
        groups: list[Values] = []
        for value in self.of_expression(file, operands[0]) if operands else ():
            if value.tag == Tag.CLASS:
                arguments = tuple(self.context.types.of(file, o) for o in operands[1:])
                groups.append((value._replace(arguments=arguments),))
            elif value.tag == Tag.INSTANCE:
                groups.append(self.calls.of_method(value, "__getitem__"))
                groups.append(self._element_of(self.context.types.underlying(value), ""))
                if expression.name:
                    targets = self.context.members.of_class(value.key, expression.name)
                    groups += [self.of_target(target) for target in targets]
            elif value.tag in (Tag.EXTERNAL, Tag.FUNCTION):
                groups.append((value,))  # with type arguments
            else:
                groups.append(self._element_of((value,), expression.name))
        return join(groups) if groups else NOTHING

    def _element_of(self, values: Values, position: str) -> Values:
        """What a container gives for a key or position."""
        groups: list[Values] = []
        for value in values:
            if value.name.rsplit(".", 1)[-1] in _CONTAINERS_BY_KEY:
                groups.append(value.arguments[-1] if value.arguments else NOTHING)
            else:
                groups.append(self.element_at((value,), position))
        return join(groups) if groups else NOTHING

    def _entered(self, values: Values) -> Values:
        groups: list[Values] = []
        for value in values:
            if value.tag == Tag.INSTANCE:
                found = self.calls.of_method(value, "__enter__")
                groups.append(found or self.calls.of_method(value, "__aenter__"))
            elif value.name.endswith(".Generator"):
                groups.append(self.elements((value,)))
            else:
                groups.append((value,))
        return join(groups) if groups else NOTHING

    # --- definitions ----------------------------------------------------------------------------

    def of_definition(self, key: DefinitionKey) -> Values:
        """What using a definition's name gives."""
        return self.context.memo.ask(("value", key), lambda: self._of_definition(key), NOTHING)

    def _of_definition(self, key: DefinitionKey) -> Values:
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
                return self.calls.of_function(key, None)
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
        groups = [self.of_expression(file, value) for value in definition.values]
        if definition.kind == DefinitionKind.PARAMETER:
            groups.append(self.calls.arguments_of(file, facts, definition, key))
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
            return (self._builtin(file, "list", (values,)),)
        if definition.flags & Flag.KEYWORDS:
            return (self._builtin(file, "dict", (NOTHING, values)),)
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


def _bound(value: Value, receiver: Value) -> Value:
    """A function found through a receiver remembers it, for results like `self`."""
    if value.tag in (Tag.FUNCTION, Tag.EXTERNAL) and not value.arguments:
        return value._replace(arguments=((receiver,),))
    return value


def _target(value: Value) -> Target:
    if value.tag in (Tag.CLASS, Tag.FUNCTION):
        return value.key
    return value


__all__ = ["Inference", "instances"]
