"""Interfaces that are implemented without being named: a type that has all their methods.

By method names alone, so the certainty is `inferred`: parameter types are not compared. Every type
is checked only against the interfaces whose rarest method it has.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from graph.resolve.context import Context
from graph.resolve.values import DefinitionKey, Tag, key_of
from parsers.facts import DefinitionKind

_METHODS = (DefinitionKind.METHOD, DefinitionKind.PROPERTY)
# Of more bases than this nothing is inherited: embedding that deep is a cycle or an attack.
_MAX_BASES = 32


@dataclass(frozen=True, slots=True)
class _Interface:
    key: DefinitionKey
    methods: frozenset[str]


class Structural:
    """Who implements what, for the languages whose interfaces work this way."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._by_rarest: dict[str, dict[str, list[_Interface]]] = {}
        families = {
            file.family
            for file in context.index.files
            if file.language.policy.structural_interfaces
        }
        for family in families:
            interfaces = list(self._interfaces(family))
            counts = Counter(name for interface in interfaces for name in interface.methods)
            table: dict[str, list[_Interface]] = {}
            for interface in interfaces:
                rarest = min(interface.methods, key=lambda name: (counts[name], name))
                table.setdefault(rarest, []).append(interface)
            self._by_rarest[family] = table

    def digests(self) -> dict[str, bytes]:
        """For each family, a digest of all its interfaces: implementations depend on them."""
        found: dict[str, bytes] = {}
        for family, table in sorted(self._by_rarest.items()):
            digest = hashlib.blake2b(digest_size=8)
            for rarest, interfaces in sorted(table.items()):
                digest.update(rarest.encode("utf-8", "replace"))
                for interface in interfaces:
                    file = self.context.index.files[interface.key >> 24].path
                    names = " ".join(sorted(interface.methods))
                    digest.update(f"\0{file}\0{names}".encode("utf-8", "replace"))
            found[family] = digest.digest()
        return found

    def implemented(self, key: DefinitionKey) -> list[DefinitionKey]:
        """The interfaces that the type has all methods of, in the order of their keys."""
        file = self.context.index.files[key >> 24]
        table = self._by_rarest.get(file.family)
        if not table:
            return []
        methods = self._methods(key)
        return sorted(
            interface.key
            for name in methods
            for interface in table.get(name, ())
            if interface.key != key and interface.methods <= methods
        )

    def _interfaces(self, family: str) -> Iterator[_Interface]:
        for file in self.context.index.files:
            if file.family != family:
                continue
            for name in file.outline.names:
                if name.kind == DefinitionKind.INTERFACE:
                    key = key_of(file.number, name.index)
                    methods = self._methods(key)
                    if methods:
                        yield _Interface(key, methods)

    def _methods(self, key: DefinitionKey) -> frozenset[str]:
        """The names of the methods of a type, promoted ones included."""
        context = self.context
        names: set[str] = set()
        for base in context.members.linearization(key)[:_MAX_BASES]:
            if base.tag != Tag.CLASS:
                continue
            for name in context.index.member_names(base.key):
                found = context.index.members_of(base.key, name)
                if found and context.outline_name(found[0]).kind in _METHODS:
                    names.add(name)
        return frozenset(names)
