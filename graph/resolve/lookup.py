"""From names to targets: imports, members of modules and packages, free names."""

from graph.model.edges import Rule
from graph.resolve.context import Context
from graph.resolve.exports import WHOLE, Exports
from graph.resolve.index import IndexedFile, ambient_key
from graph.resolve.values import (
    DefinitionKey,
    Tag,
    Target,
    Targets,
    Value,
    key_of,
)
from parsers.facts import (
    NONE,
    Definition,
    DefinitionKind,
    Expression,
    FileFacts,
    Flag,
    Import,
    Op,
    Role,
    ScopeKind,
    bound_import,
)
from parsers.language import ModuleStyle
from parsers.scopes import fits

Found = tuple[Targets, Rule]

_NOT_FOUND: Found = ((), Rule.LEXICAL)


class Lookup:
    """Name lookup for one commit."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._exports = Exports(context, self)

    # --- names --------------------------------------------------------------------------------

    def name(self, file: int, facts: FileFacts, expression: Expression) -> Found:
        """What an identifier refers to, and by which rule."""
        binding = expression.binding
        if binding >= 0:
            hidden = self._hidden(file, facts, expression)
            if hidden:
                return hidden, Rule.INHERITED
            if facts.definitions[binding].flags & Flag.ALIAS:
                held = self._held(file, facts, facts.definitions[binding])
                if held:
                    return held, Rule.IMPORT
            if expression.role == Role.EXPORT:
                return self._offered(file, facts, binding), Rule.LEXICAL
            return self._siblings(file, facts, binding), Rule.LEXICAL
        if binding < NONE:
            return self.imported(file, facts.imports[bound_import(binding)]), Rule.IMPORT
        return self.free(file, facts, expression)

    def _hidden(self, file: int, facts: FileFacts, expression: Expression) -> Targets:
        """What a class between the use and the binding inherits under the same name."""
        if not self.context.policy_of(file).inherited_names:
            return ()
        home = facts.definitions[expression.binding].scope
        return self._inherited(file, facts, expression, home)

    def _siblings(self, file: int, facts: FileFacts, binding: int) -> Targets:
        """The bound definition; with it, where overloads are several definitions, the others."""
        if not self.context.policy_of(file).overload_by_arity:
            return (key_of(file, binding),)
        definition = facts.definitions[binding]
        if definition.kind not in (DefinitionKind.METHOD, DefinitionKind.CONSTRUCTOR):
            return (key_of(file, binding),)
        owner = facts.scopes[definition.scope].definition
        table = self.context.index.files[file].members.get(owner, {})
        keys = tuple(key_of(file, index) for index in table.get(definition.name, ()))
        return keys or (key_of(file, binding),)

    def _held(self, file: int, facts: FileFacts, variable: Definition) -> Targets:
        """What a variable stands for that is given an import: if that is of this repository."""
        found: list[Target] = []
        for index in variable.values:
            expression = facts.expressions[index]
            if expression.op == Op.IMPORT:
                targets = self.imported(file, facts.imports[expression.binding])
                found += [target for target in targets if not _is_external(target)]
        return tuple(dict.fromkeys(found))

    def _offered(self, file: int, facts: FileFacts, binding: int) -> Targets:
        """The bound definition; with it, where types and values share names, the other one."""
        if not self.context.policy_of(file).separate_types or facts.definitions[binding].scope:
            return (key_of(file, binding),)
        keys = self.context.index.files[file].top.get(facts.definitions[binding].name, ())
        return self._exports.merged([key_of(file, key) for key in keys]) or (key_of(file, binding),)

    def free(self, file: int, facts: FileFacts, expression: Expression) -> Found:
        """A name that its own file does not bind."""
        context = self.context
        entry = context.index.files[file]
        policy = entry.language.policy
        if policy.inherited_names:
            found = self._inherited(file, facts, expression, NONE)
            if found:
                return found, Rule.INHERITED
        return context.memo.ask(
            ("free", file, expression.name),
            lambda: self._outside(entry, facts, expression.name),
            _NOT_FOUND,
        )

    def _outside(self, entry: IndexedFile, facts: FileFacts, name: str) -> Found:
        context = self.context
        shared = entry.package
        if entry.language.policy.ambient_suffixes:
            shared = ambient_key(entry.family)
        if shared in context.index.packages:
            context.touch_package(shared)
            keys = context.index.packages[shared].top.get(name)
            if keys:
                return tuple(keys), Rule.PACKAGE
        for record in facts.imports:
            if record.name == "*" and record.scope == 0:
                found = self.wildcard(entry, record, name)
                if found:
                    return found, Rule.WILDCARD
        policy = entry.language.policy
        if name in policy.builtins:
            return (Value(Tag.EXTERNAL, -1, f"{policy.builtin_module}.{name}"),), Rule.BUILTIN
        return _NOT_FOUND

    def _inherited(self, file: int, facts: FileFacts, expression: Expression, home: int) -> Targets:
        """A bare name that a base type of an enclosing class inside the scope `home` declares."""
        scope = expression.scope
        while scope not in (home, NONE):
            entry = facts.scopes[scope]
            if entry.kind == ScopeKind.CLASS and entry.definition >= 0:
                found = self.context.members.of_class(
                    key_of(file, entry.definition), expression.name
                )
                internal = tuple(
                    target
                    for target in found
                    if isinstance(target, int) and self._is_inherited(file, target, expression)
                )
                if internal:
                    return internal
            scope = entry.parent
        return ()

    def _is_inherited(self, file: int, key: DefinitionKey, expression: Expression) -> bool:
        """Constructors are not inherited; a name means a member that its use can mean."""
        kind = self.context.outline_name(key).kind
        if kind == DefinitionKind.CONSTRUCTOR:
            return False
        return fits(kind, expression.role, self.context.policy_of(file))

    # --- imports ------------------------------------------------------------------------------

    def imported(self, file: int, record: Import) -> Targets:
        """What the name that an import binds refers to."""
        entry = self.context.index.files[file]
        key = (
            "import",
            file,
            record.module,
            record.name,
            record.level,
            record.default,
            record.alias_line,
        )
        return self.context.memo.ask(key, lambda: self._imported(entry, record), ())

    def _imported(self, entry: IndexedFile, record: Import) -> Targets:
        module = record.module
        if record.name == WHOLE:
            value = self.module(entry, module, record.level)
            return (value,) if value.tag != Tag.MODULE else self._exports.whole(value) or (value,)
        if not record.name:
            if entry.language.policy.module_style == ModuleStyle.DOTTED and not record.alias_line:
                module = module.split(".", 1)[0]
            found = self.module(entry, module, record.level)
            if record.default and found.tag == Tag.MODULE:
                return self.member(found, "default") or (found,)
            return (found,)
        return self.from_module(entry, record, record.name)

    def module(self, entry: IndexedFile, name: str, level: int) -> Value:
        """The module, package or external name that `name` stands for in `entry`."""
        value = self.context.modules.find(entry, name, level)
        if value.tag == Tag.EXTERNAL and entry.language.policy.module_style == ModuleStyle.CLAUSE:
            return self._nested_type(entry, name) or value
        return value

    def _nested_type(self, entry: IndexedFile, name: str) -> Value | None:
        """`package.Outer.Inner` where only `package` is a package."""
        package, _, rest = name.rpartition(".")
        inner = [rest]
        while package:
            value = self.context.modules.find(entry, package, 0)
            if value.tag == Tag.PACKAGE:
                targets = self.member(value, inner[0])
                for part in inner[1:]:
                    targets = tuple(
                        found
                        for target in targets
                        if isinstance(target, int)
                        for found in self.context.members.of_class(target, part)
                    )
                first = next((t for t in targets if isinstance(t, int)), None)
                return Value(Tag.CLASS, first) if first is not None else None
            package, _, rest = package.rpartition(".")
            inner.insert(0, rest)
        return None

    def from_module(self, entry: IndexedFile, record: Import, name: str) -> Targets:
        """The name `name` taken out of the module that an import names."""
        value = self.module(entry, record.module, record.level)
        if value.tag == Tag.EXTERNAL:
            joined = f"{value.name}.{name}" if value.name.strip(".") else value.name + name
            return (Value(Tag.EXTERNAL, -1, joined),)
        return self.member(value, name)

    def wildcard(self, entry: IndexedFile, record: Import, name: str) -> Targets:
        """What a wildcard import provides under `name`, if anything of this repository."""
        value = self.module(entry, record.module, record.level)
        if value.tag == Tag.EXTERNAL:
            return ()
        if value.tag == Tag.MODULE and not self._offers(value.key, name):
            return ()
        return tuple(target for target in self.member(value, name) if not _is_external(target))

    def _offers(self, file: int, name: str) -> bool:
        """Whether a wildcard import takes the name: as `__all__` lists it, else if it is public."""
        listed = [e.name for e in self.context.index.files[file].outline.exports if e.value == NONE]
        self.context.touch(file)
        return "*" + name in listed if listed else not name.startswith("_")

    # --- members of modules and packages ------------------------------------------------------

    def member(self, value: Value, name: str, *, strict: bool = False) -> Targets:
        """What `name` means inside a module, package or class value.

        With `strict`, only what the module exports by a clause or syntax of its own.
        """
        match value.tag:
            case Tag.MODULE:
                return self.context.memo.ask(
                    ("module", value.key, name, strict),
                    lambda: self._exports.member(value, name, strict=strict),
                    (),
                )
            case Tag.PACKAGE:
                return self._package_member(value, name)
            case Tag.EXTERNAL:
                return (Value(Tag.EXTERNAL, -1, f"{value.name}.{name}"),)
            case Tag.CLASS:
                return self.context.members.of_class(value.key, name)
            case _:
                return ()

    def _package_member(self, value: Value, name: str) -> Targets:
        package = self.context.index.packages.get(value.name)
        if package is None:
            inner = self.context.modules.submodule(value, name)
            return (inner,) if inner is not None else ()
        self.context.touch_package(value.name)
        keys = package.top.get(name)
        if keys:
            return tuple(keys)
        return self._subpackage(value, name)

    def _subpackage(self, value: Value, name: str) -> Targets:
        key = f"{value.name}.{name}"
        return (Value(Tag.PACKAGE, -1, key),) if key in self.context.index.packages else ()


def _is_external(target: Target) -> bool:
    return isinstance(target, Value) and target.tag == Tag.EXTERNAL
