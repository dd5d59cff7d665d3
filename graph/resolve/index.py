"""Lookup tables over the outlines of all files, which are all that is read here.

What stands at the top of a file, what is a member of what, which files make a package.
"""

import posixpath
from dataclasses import dataclass, field

from graph.resolve.values import DefinitionKey, definition_of, file_of, key_of
from parsers.codec import Outline, OutlineName
from parsers.facts import NONE, DefinitionKind, Flag
from parsers.language import Language, ModuleStyle

Names = dict[str, list[int]]

# Declarations that add members to another of the same name.
_MERGING = (DefinitionKind.INTERFACE, DefinitionKind.NAMESPACE, DefinitionKind.CLASS)


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """One parsed file as the index holds it."""

    number: int
    path: str
    language: Language
    outline: Outline
    top: Names  # definitions at the top of the file, by name
    members: dict[int, Names]  # members of each definition that has some, by name
    names: dict[int, OutlineName]  # every definition of the outline, by its index
    package: str  # the key of the package it belongs to, "" where files are modules

    @property
    def family(self) -> str:
        """Languages of one family see each other's names."""
        return self.language.policy.family


@dataclass(slots=True)
class Package:
    """Files that share one top-level scope (Go, Java)."""

    files: list[IndexedFile] = field(default_factory=list)
    top: dict[str, list[DefinitionKey]] = field(default_factory=dict)
    # Members of a type that are declared in another file than the type (Go's methods).
    scattered: dict[str, dict[str, list[DefinitionKey]]] = field(default_factory=dict)


class Index:
    """All files of one commit, ready to be asked."""

    def __init__(self) -> None:
        self.files: list[IndexedFile] = []
        self.by_path: dict[str, IndexedFile] = {}
        self.packages: dict[str, Package] = {}
        self.folders: set[str] = set()

    def add(self, path: str, language: Language, outline: Outline) -> IndexedFile:
        """Take in a file; the order of the calls decides the numbers, so it must be the paths'."""
        top: Names = {}
        members: dict[int, Names] = {}
        for name in outline.names:
            table = top if name.container == NONE else members.setdefault(name.container, {})
            table.setdefault(name.name, []).append(name.index)
        names = {name.index: name for name in outline.names}
        package = package_key(path, language, outline)
        file = IndexedFile(len(self.files), path, language, outline, top, members, names, package)
        self.files.append(file)
        self.by_path[path] = file
        self._add_folders(path)
        if package:
            self._join_package(file)
        return file

    def _add_folders(self, path: str) -> None:
        folder = posixpath.dirname(path)
        while folder and folder not in self.folders:
            self.folders.add(folder)
            folder = posixpath.dirname(folder)

    def _join_package(self, file: IndexedFile) -> None:
        package = self.packages.setdefault(file.package, Package())
        package.files.append(file)
        if file.language.policy.ambient_suffixes and _is_module(file.outline):
            return
        for name in file.outline.names:
            if name.container != NONE:
                continue
            if name.flags & Flag.DECLARATION and name.kind == DefinitionKind.STRUCT:
                self._scatter(package, file, name)
                continue
            package.top.setdefault(name.name, []).append(key_of(file.number, name.index))

    def _scatter(self, package: Package, file: IndexedFile, name: OutlineName) -> None:
        """Methods of a type that another file of the package declares."""
        table = package.scattered.setdefault(name.name, {})
        for member, indices in file.members.get(name.index, {}).items():
            table.setdefault(member, []).extend(key_of(file.number, i) for i in indices)

    def members_of(self, key: DefinitionKey, name: str) -> list[DefinitionKey]:
        """The members called `name` that the definition itself declares, in any place."""
        file = self.files[file_of(key)]
        found: list[DefinitionKey] = []
        for index in self._merged(file, definition_of(key)):
            own = file.members.get(index)
            if own:
                found += [key_of(file.number, member) for member in own.get(name, ())]
        scattered = self._scattered(file, key)
        if scattered:
            found += [member for member in scattered.get(name, ()) if member not in found]
        return found

    def member_names(self, key: DefinitionKey) -> set[str]:
        """The names of all members that the definition itself declares, in any place."""
        file = self.files[file_of(key)]
        names: set[str] = set(self._scattered(file, key))
        for index in self._merged(file, definition_of(key)):
            names.update(file.members.get(index, ()))
        return names

    def embedded(self, key: DefinitionKey) -> list[DefinitionKey]:
        """The fields whose members the type promotes to its own."""
        file = self.files[file_of(key)]
        members = file.members.get(definition_of(key), {})
        return [
            key_of(file.number, index)
            for indices in members.values()
            for index in indices
            if file.names[index].flags & Flag.EMBEDDED
        ]

    def _merged(self, file: IndexedFile, index: int) -> list[int]:
        """The definition and those of the same name beside it that add to it.

        An interface opened twice; a namespace that extends a class or function.
        """
        own = file.names.get(index)
        if own is None:
            return [index]
        table = file.top if own.container == NONE else file.members.get(own.container, {})
        beside = table.get(own.name, ())
        if len(beside) < 2:  # noqa: PLR2004 - alone
            return [index]
        return [index, *(i for i in beside if i != index and file.names[i].kind in _MERGING)]

    def _scattered(self, file: IndexedFile, key: DefinitionKey) -> dict[str, list[DefinitionKey]]:
        if not file.package:
            return {}
        scattered = self.packages[file.package].scattered
        name = file.names.get(definition_of(key)) if scattered else None
        return scattered.get(name.name, {}) if name is not None else {}


def ambient_key(family: str) -> str:
    """The package of the files whose declarations all files of a family see."""
    return f"{family}:<ambient>"


def _is_module(outline: Outline) -> bool:
    """Whether a file imports or exports anything, so that its other names are its own."""
    exported = Flag.EXPORTED | Flag.DEFAULT_EXPORT
    return bool(outline.imports or outline.exports) or any(
        name.flags & exported for name in outline.names if name.container == NONE
    )


def package_key(path: str, language: Language, outline: Outline) -> str:
    """Which package a file belongs to; "" where each file is a module of its own."""
    policy = language.policy
    if policy.module_style == ModuleStyle.DIRECTORY:
        # External test packages (`package x_test`) share the folder but not the scope.
        return f"{policy.family}:{posixpath.dirname(path)}:{outline.package}"
    if policy.module_style == ModuleStyle.CLAUSE:
        return f"{policy.family}:{outline.package}"
    if policy.ambient_suffixes and path.endswith(policy.ambient_suffixes):
        return ambient_key(policy.family)
    return ""
