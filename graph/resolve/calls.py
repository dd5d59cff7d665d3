"""Calls: what they give, and which arguments reach a parameter."""

from typing import TYPE_CHECKING

from graph.resolve.context import Context
from graph.resolve.types import FUNCTION_TYPE
from graph.resolve.values import (
    NOTHING,
    DefinitionKey,
    Tag,
    Value,
    Values,
    definition_of,
    file_of,
    instance,
    join,
    key_of,
)
from parsers.facts import NONE, Definition, Expression, FileFacts, Flag, Op

if TYPE_CHECKING:
    from graph.resolve.inference import Inference

# Call sites of one function that are looked at for the types of its parameters.
_MAX_SITES = 24


class Calls:
    """The part of inference that is about calls."""

    def __init__(self, context: Context, inference: "Inference") -> None:
        self.context = context
        self.inference = inference
        self._sites: dict[int, dict[int, list[int]]] = {}

    def result(
        self, file: int, _facts: FileFacts, _expression: Expression, operands: list[int]
    ) -> Values:
        """What the call with these operands gives."""
        if not operands or operands[0] < 0:
            return NOTHING
        callees = self.inference.of_expression(file, operands[0])
        if len(callees) > 1 and self.context.policy_of(file).overload_by_arity:
            keys = tuple(c.key for c in callees if c.tag == Tag.FUNCTION)
            chosen = self.context.overloads.choose(file, operands[1:], keys).targets
            callees = tuple(c for c in callees if c.tag != Tag.FUNCTION or c.key in chosen)
        groups = [self._result(file, callee, operands[1:]) for callee in callees]
        return join(groups) if groups else NOTHING

    def _result(self, file: int, callee: Value, arguments: list[int]) -> Values:
        match callee.tag:
            case Tag.CLASS:
                return (instance(callee),)
            case Tag.FUNCTION:
                receiver = callee.arguments[0][0] if callee.arguments else None
                generic = self.context.generics.result(file, callee.key, receiver, arguments)
                return generic or self.of_function(callee.key, receiver)
            case Tag.INSTANCE:
                name = self.context.policy_of(file_of(callee.key)).call_method
                if name:
                    return self.of_method(callee, name)
                underlying = self.context.types.underlying(callee)
                return join([self._result(file, value, arguments) for value in underlying])
            case Tag.EXTERNAL:
                return self._external(file, callee, arguments)
            case Tag.EXTERNAL_INSTANCE:
                if callee.name == FUNCTION_TYPE and callee.arguments:
                    return callee.arguments[0]
                return NOTHING
            case _:
                return NOTHING

    def instantiated(
        self, file: int, _facts: FileFacts, _expression: Expression, operands: list[int]
    ) -> Values:
        """Instances of the type that an explicit construction names."""
        if not operands or operands[0] < 0:
            return NOTHING
        values = self.inference.of_expression(file, operands[0])
        groups: list[Values] = []
        for value in values:
            if value.tag in (Tag.CLASS, Tag.EXTERNAL):
                groups.append((instance(value),))
            elif value.tag == Tag.FUNCTION:
                # A constructor function: its members hang on the function's own definition.
                groups.append((Value(Tag.INSTANCE, value.key),))
        return join(groups) if groups else self.context.types.of(file, operands[0])

    def _external(self, file: int, callee: Value, arguments: list[int]) -> Values:
        """A function or type defined elsewhere: by table, else an instance if it looks a type."""
        policy = self.context.policy_of(file)
        name = callee.name
        receiver = callee.arguments[0][0] if callee.arguments else None
        if receiver is not None and receiver.tag == Tag.EXTERNAL_INSTANCE:
            return self._container_member(file, receiver, name.rsplit(".", 1)[-1])
        first = arguments[0] if arguments else NONE
        match policy.call_forms.get(name, ""):
            case "same":
                return self.inference.of_expression(file, first)
            case "element":
                return self._elements(file, first)
            case "sequence":
                elements = self._elements(file, first)
                return (self.context.builtin_instance(file, "list", (elements,)),)
            case "pairs":
                elements = self._elements(file, first)
                pair = self.context.builtin_instance(file, "tuple", (NOTHING, elements))
                return (self.context.builtin_instance(file, "list", ((pair,),)),)
            case "cast":
                return self.context.types.of(file, first)
            case "class":
                values = self.inference.of_expression(file, first)
                return tuple(v._replace(tag=Tag.CLASS) for v in values if v.tag == Tag.INSTANCE)
            case _:
                module, _, short = name.rpartition(".")
                if short[:1].isupper() or module == policy.builtin_module:
                    return (Value(Tag.EXTERNAL_INSTANCE, -1, name),)
                owner = Value(Tag.EXTERNAL_INSTANCE, -1, module)
                return self._container_member(file, owner, short) if policy.root_type else NOTHING

    def _elements(self, file: int, argument: int) -> Values:
        values = self.inference.of_expression(file, argument)
        return self.inference.containers.elements(values)

    def _container_member(self, file: int, receiver: Value, member: str) -> Values:
        """A method of a builtin container, by the language's table."""
        short = receiver.name.rsplit(".", 1)[-1]
        arguments = receiver.arguments
        table = self.context.policy_of(file).builtin_members
        match table.get(f"{short}.{member}") or table.get(f"*.{member}", ""):
            case "":
                return NOTHING
            case "self" | "owner":
                return (receiver,)
            case "element" | "key":
                return arguments[0] if arguments else NOTHING
            case "value":
                return arguments[-1] if arguments else NOTHING
            case "keys":
                return (self.context.builtin_instance(file, "list", arguments[:1]),)
            case "values":
                return (self.context.builtin_instance(file, "list", arguments[-1:]),)
            case "items":
                pair = self.context.builtin_instance(file, "tuple", arguments)
                return (self.context.builtin_instance(file, "list", ((pair,),)),)
            case name:
                return (self.context.builtin_instance(file, name),)

    def of_method(self, receiver: Value, name: str) -> Values:
        """What calling the method `name` of an instance gives."""
        groups: list[Values] = []
        for target in self.context.members.of_class(receiver.key, name):
            if isinstance(target, int):
                values = self.inference.of_definition(target)
                functions = [value for value in values if value.tag == Tag.FUNCTION]
                groups += [self.of_function(value.key, receiver) for value in functions]
        return join(groups) if groups else NOTHING

    def of_function(self, key: DefinitionKey, receiver: Value | None) -> Values:
        """What calling a function gives; through `receiver` where its result is the receiver."""
        values = self.context.memo.ask(("result", key), lambda: self._of_function(key), NOTHING)
        if receiver is None or receiver.tag not in (Tag.INSTANCE, Tag.CLASS):
            return values
        # A method that returns its own instance returns the receiver's, which may be a subclass.
        owner = self._owner(key)
        if owner < 0 or owner == receiver.key:
            return values
        return tuple(
            v._replace(key=receiver.key, arguments=receiver.arguments)
            if v.tag == Tag.INSTANCE and v.key == owner and self._returns_self(key)
            else v
            for v in values
        )

    def _owner(self, key: DefinitionKey) -> int:
        file = file_of(key)
        facts = self.context.body(file)
        definition = facts.definitions[definition_of(key)]
        owner = facts.scopes[definition.scope].definition
        return key_of(file, owner) if owner >= 0 else NONE

    def _returns_self(self, key: DefinitionKey) -> bool:
        """Whether the function's result is written as its own receiver."""
        facts = self.context.body(file_of(key))
        definition = facts.definitions[definition_of(key)]
        if definition.type >= 0:
            declared = facts.expressions[definition.type]
            return declared.op == Op.THIS or declared.name == "Self"
        for index in definition.values:
            value = facts.expressions[index]
            if value.op == Op.THIS:
                return True
            if value.op == Op.CALL and facts.operands[value.first] >= 0:
                value = facts.expressions[facts.operands[value.first]]  # `return cls()`
            if _is_receiver(facts, value):
                return True
        return False

    def _of_function(self, key: DefinitionKey) -> Values:
        file = file_of(key)
        facts = self.context.body(file)
        definition = facts.definitions[definition_of(key)]
        if definition.type >= 0:
            declared = facts.expressions[definition.type]
            if declared.op in (Op.NAME, Op.MEMBER) and declared.name == "Self":
                owner = self._owner(key)
                return (Value(Tag.INSTANCE, owner),) if owner >= 0 else NOTHING
            return self.context.types.of(file, definition.type)
        groups = self.context.overloads.declared_results(key)
        groups += [self.inference.of_expression(file, value) for value in definition.values]
        return join(groups) if groups else NOTHING

    # --- arguments ------------------------------------------------------------------------------

    def arguments_of(
        self, file: int, facts: FileFacts, definition: Definition, key: DefinitionKey
    ) -> Values:
        """What the calls in the same file pass for a parameter."""
        function = facts.scopes[definition.scope].definition
        if function < 0:
            return NOTHING
        index = definition_of(key)
        owner = facts.definitions[function]
        sites = self._call_sites(file, facts).get(function, ())
        if not sites or index not in owner.parameters:
            return NOTHING
        position = owner.parameters.index(index)
        first = facts.definitions[owner.parameters[0]]
        if first.flags & Flag.RECEIVER:
            position -= 1
        groups: list[Values] = []
        for site in sites[:_MAX_SITES]:
            call = facts.expressions[site]
            arguments = facts.operands[call.first + 1 : call.first + call.count]
            matching = _matching(facts, arguments, position, definition)
            groups += [self.inference.of_expression(file, operand) for operand in matching]
        return join(groups) if groups else NOTHING

    def _call_sites(self, file: int, facts: FileFacts) -> dict[int, list[int]]:
        """Calls whose callee is a plain name of a function or class of this file, by definition."""
        known = self._sites.get(file)
        if known is not None:
            return known
        sites: dict[int, list[int]] = {}
        constructors = self.context.policy_of(file).constructors
        for index, expression in enumerate(facts.expressions):
            if expression.op not in (Op.CALL, Op.NEW) or expression.count < 2:  # noqa: PLR2004
                continue
            callee = facts.operands[expression.first]
            if callee < 0:
                continue
            binding = facts.expressions[callee].binding
            if facts.expressions[callee].op != Op.NAME or binding < 0:
                continue
            sites.setdefault(binding, []).append(index)
            members = self.context.index.files[file].members.get(binding)
            for name in constructors if members else ():
                for constructor in (members or {}).get(name, ()):
                    sites.setdefault(constructor, []).append(index)
        if len(self._sites) > 256:  # noqa: PLR2004 - a few files are asked again and again
            self._sites.clear()
        self._sites[file] = sites
        return sites


def _matching(
    facts: FileFacts, arguments: list[int], position: int, parameter: Definition
) -> list[int]:
    """The arguments of one call that reach the parameter."""
    found: list[int] = []
    for at, operand in enumerate(arguments):
        if operand < 0:
            continue
        expression = facts.expressions[operand]
        if expression.op == Op.KEYWORD:
            if expression.name == parameter.name or parameter.flags & Flag.KEYWORDS:
                found.append(operand)
        elif at == position or (parameter.flags & Flag.VARIADIC and at >= position):
            found.append(operand)
    return found


def _is_receiver(facts: FileFacts, value: Expression) -> bool:
    """Whether the expression names the parameter that is the receiver."""
    return (
        value.op == Op.NAME
        and value.binding >= 0
        and bool(facts.definitions[value.binding].flags & Flag.RECEIVER)
    )
