"""The digest of a file's interface: it changes when another file's answers might.

It covers what the names that others can reach mean, and no position. It follows the expressions
that give a name its type - declared types, assigned and returned values, bases, decorators,
parameters, and the calls whose arguments say what an undeclared parameter is - through local
variables as far as they carry a value out.
"""

import hashlib

from parsers.facts import (
    NONE,
    Definition,
    DefinitionKind,
    Expression,
    FileFacts,
    Flag,
    Op,
    ScopeKind,
    bound_import,
    import_binding,
)

_DIGEST_BYTES = 16
# Their declared result is believed, whatever they return.
_CALLABLES = (DefinitionKind.FUNCTION, DefinitionKind.METHOD, DefinitionKind.PROPERTY)


def interface_digest(facts: FileFacts, offered: list[int]) -> bytes:
    """The digest over the definitions `offered` to other files, imports and exports."""
    reach = _Reach(facts, offered)
    out = reach.out
    out.append(f"{facts.language}\0{facts.package}")
    for record in facts.imports:
        out.append(f"\1{record.module}\0{record.name}\0{record.alias}")
        out.append(f"{record.level}{record.reexport}{record.type_only}{record.default}")
    for export in facts.exports:
        out.append("\2" + export.name)
        reach.expression(export.value)
    reach.run()
    text = "\n".join(out)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=_DIGEST_BYTES).digest()


class _Reach:
    """Everything the interface's expressions lead to, as text, each definition once."""

    def __init__(self, facts: FileFacts, roots: list[int]) -> None:
        self.facts = facts
        self.seen = set(roots)
        self.pending = list(reversed(roots))
        self.out: list[str] = []
        self._calls: dict[int, list[int]] | None = None

    def run(self) -> None:
        """Follow everything that is still to be followed."""
        definitions = self.facts.definitions
        while self.pending:
            self._definition(definitions[self.pending.pop()])

    def _definition(self, definition: Definition) -> None:
        kind = definition.kind
        self.out.append(f"\3{definition.descriptor}\0{definition.name}\0{kind}\0{definition.flags}")
        self.expression(definition.type)
        if definition.type < 0 or kind not in _CALLABLES:
            for value in definition.values:
                self.expression(value)
        for value in definition.bases:
            self.expression(value)
        for value in definition.decorators:
            self.expression(value)
        for parameter in definition.parameters:
            self._later(parameter)
        if kind == DefinitionKind.PARAMETER and definition.type < 0:
            self._arguments(definition)

    def _arguments(self, parameter: Definition) -> None:
        """The calls in this file of the function that an undeclared parameter belongs to."""
        if parameter.flags & Flag.RECEIVER:
            return
        facts = self.facts
        function = facts.scopes[parameter.scope].definition
        if function < 0:
            return
        home = facts.scopes[facts.definitions[function].scope]
        owner = home.definition if home.kind == ScopeKind.CLASS else NONE
        calls = self._call_sites()
        for call in (*calls.get(function, ()), *calls.get(owner, ())):
            self.expression(call)

    def _call_sites(self) -> dict[int, list[int]]:
        """Calls by the definition that their callee's name is bound to."""
        if self._calls is None:
            self._calls = {}
            expressions, operands = self.facts.expressions, self.facts.operands
            for index, entry in enumerate(expressions):
                if entry.op in (Op.CALL, Op.NEW) and entry.count > 1:
                    callee = operands[entry.first]
                    if callee >= 0 and expressions[callee].binding >= 0:
                        self._calls.setdefault(expressions[callee].binding, []).append(index)
        return self._calls

    def expression(self, root: int) -> None:
        """Write down an expression and remember what its names are bound to."""
        if root < 0:
            return
        expressions, operands, out = self.facts.expressions, self.facts.operands, self.out
        stack = [root]
        while stack:
            index = stack.pop()
            if index < 0:
                out.append("-")
                continue
            entry = expressions[index]
            if entry.op == Op.ASSIGN:
                continue
            bound = self._bound(entry) if entry.binding != NONE else ""
            out.append(f"({entry.op}\0{entry.name}\0{entry.count}{bound}")
            if entry.count:
                stack.extend(operands[entry.first : entry.first + entry.count])

    def _bound(self, entry: Expression) -> str:
        """What the expression's name or value is bound to, which its op gives a meaning."""
        binding = import_binding(entry.binding) if entry.op == Op.IMPORT else entry.binding
        if binding >= 0:
            self._later(binding)
            definition = self.facts.definitions[binding]
            return definition.descriptor or f"local {definition.name}"
        record = self.facts.imports[bound_import(binding)]
        return f"import {record.level} {record.module} {record.name}"

    def _later(self, definition: int) -> None:
        if definition not in self.seen:
            local = self.facts.definitions[definition]
            if local.flags & Flag.LOCAL or not local.descriptor:
                self.seen.add(definition)
                self.pending.append(definition)
