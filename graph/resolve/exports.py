"""What a module offers under a name: its own definitions, export clauses, and what it passes on."""

from typing import TYPE_CHECKING

from graph.resolve.context import Context
from graph.resolve.index import IndexedFile
from graph.resolve.values import DefinitionKey, Tag, Target, Targets, Value, file_of, key_of
from parsers.facts import NONE, DefinitionKind, Flag
from parsers.language import ModuleStyle
from parsers.scopes import ONLY_TYPES

if TYPE_CHECKING:
    from graph.resolve.lookup import Lookup

# The name of what a module exports in place of itself: `module.exports = value`.
WHOLE = "="


class Exports:
    """The part of lookup that is about the names inside modules."""

    def __init__(self, context: Context, lookup: "Lookup") -> None:
        self.context = context
        self.lookup = lookup

    def member(self, value: Value, name: str, *, strict: bool = False) -> Targets:
        """What `name` means inside the module; ask `Lookup.member`, which remembers."""
        context = self.context
        file = context.index.files[value.key]
        context.touch(file.number)
        exported = self._exported(file, name)
        if exported:
            return exported
        if file.language.policy.module_style == ModuleStyle.PATH:
            defined = self._exported_definitions(file, name)
            return defined or (() if strict else self._assigned_module(file, name))
        own: tuple[DefinitionKey, ...] = tuple(
            [key_of(file.number, index) for index in file.top.get(name, ())]
        )
        if own:
            return self._last(own)
        return self._reexported(file, value, name)

    def _last(self, keys: tuple[DefinitionKey, ...]) -> Targets:
        """Of several definitions of one name the last that is no bare variable."""
        if len(keys) == 1:
            return keys
        solid = [
            key for key in keys if self.context.outline_name(key).kind != DefinitionKind.VARIABLE
        ]
        implemented = [
            key for key in solid if not self.context.outline_name(key).flags & Flag.OVERLOAD
        ]
        return tuple((implemented or solid or list(keys))[-1:])

    def _exported_definitions(self, file: IndexedFile, name: str) -> Targets:
        flag = Flag.DEFAULT_EXPORT if name == "default" else Flag.EXPORTED
        if name == "default":
            return tuple(
                key_of(file.number, entry.index)
                for entry in file.outline.names
                if entry.flags & flag and entry.container == NONE
            )
        keys = [
            key_of(file.number, index)
            for index in file.top.get(name, ())
            if file.names[index].flags & flag
        ]
        return self.merged(keys)

    def merged(self, keys: list[DefinitionKey]) -> Targets:
        """Overload signatures stand aside for the implementation; a merged name is its first.

        Where types and values are different things it is the first of each.
        """
        if len(keys) < 2:  # noqa: PLR2004 - nothing to merge
            return tuple(keys)
        outline = self.context.outline_name
        solid = [k for k in keys if not outline(k).flags & Flag.OVERLOAD] or keys
        if not self.context.policy_of(file_of(keys[0])).separate_types:
            return tuple(solid[:1])
        values = [k for k in solid if outline(k).kind not in ONLY_TYPES]
        types = [k for k in solid if outline(k).kind in ONLY_TYPES]
        return (*values[:1], *types[:1])

    def whole(self, module: Value) -> Targets:
        """What the module exports in place of itself."""
        file = self.context.index.files[module.key]
        self.context.touch(file.number)
        for export in file.outline.exports:
            if export.name == WHOLE and export.value >= 0:
                facts = self.context.body(file.number)
                expression = facts.expressions[export.value]
                return self.context.inference.targets(file.number, facts, expression)
        return ()

    def _exported(self, file: IndexedFile, name: str) -> Targets:
        """By an export clause or a re-export of the file."""
        found: list[Target] = []
        for export in file.outline.exports:
            if export.name == name and export.value >= 0:
                facts = self.context.body(file.number)
                expression = facts.expressions[export.value]
                found += self.context.inference.targets(file.number, facts, expression)
        if found:
            return tuple(dict.fromkeys(found))
        if file.language.policy.module_style != ModuleStyle.PATH:
            return ()
        return self._offered_on(file, name)

    def _offered_on(self, file: IndexedFile, name: str) -> Targets:
        """By `export { name } from` or, unless it is the default, by `export * from`."""
        for record in file.outline.imports:
            if record.reexport == name:
                return self.lookup.imported(file.number, record)
        for record in file.outline.imports if name != "default" else ():
            if record.reexport == "*" and record.name == "*":
                module = self.lookup.module(file, record.module, record.level)
                found = (
                    self.lookup.member(module, name, strict=True)
                    if module.tag == Tag.MODULE
                    else ()
                )
                if found:
                    return found
        return ()

    def _assigned_module(self, file: IndexedFile, name: str) -> Targets:
        """`module.exports = value`: the module is the value, and its members are the value's."""
        for export in file.outline.exports:
            if export.name == WHOLE and export.value >= 0:
                if name == "default":
                    return self.whole(Value(Tag.MODULE, file.number))
                values = self.context.inference.of_expression(file.number, export.value)
                return tuple(
                    dict.fromkeys(
                        target
                        for value in values
                        for target in self.context.inference.member_targets(value, name)
                    )
                )
        return ()

    def _reexported(self, file: IndexedFile, value: Value, name: str) -> Targets:
        """A module also offers what it imports, what it takes by wildcard, and its submodules."""
        for record in reversed(file.outline.imports):
            if record.alias == name:
                found = self.lookup.imported(file.number, record)
                # Nothing if it asks for itself: `from . import b` in the package that holds b.
                if found:
                    return found
        inner = self.context.modules.submodule(value, name)
        if inner is not None:
            return (inner,)
        for record in file.outline.imports:
            if record.name == "*":
                found = self.lookup.wildcard(file, record, name)
                if found:
                    return found
        return ()
