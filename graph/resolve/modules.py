"""Which file or package a module's written name means, one function per module style.

Each gives a `Value`: a MODULE (a file), a PACKAGE (a folder, or files that share a scope), or an
EXTERNAL symbol, which is the honest answer when nothing in the repository is meant.
"""

import posixpath
from collections.abc import Callable

from graph.resolve.index import Index, IndexedFile
from graph.resolve.manifests import Manifests
from graph.resolve.paths import PathModules
from graph.resolve.values import Tag, Value
from parsers.language import ModuleStyle

Finder = Callable[["Modules", IndexedFile, str, int], Value]


def module(file: IndexedFile) -> Value:
    """The value of a file seen as a module."""
    return Value(Tag.MODULE, file.number)


class Modules:
    """Finds modules by name for every file of one commit."""

    def __init__(self, index: Index, manifests: Manifests) -> None:
        self.index = index
        self.manifests = manifests
        self.dotted = _DottedModules(index)
        self._paths: dict[str, PathModules] = {}
        self._go_folders = self._packages_by_folder()
        self._found: dict[tuple[str, str, str, int], Value] = {}

    def find(self, file: IndexedFile, name: str, level: int) -> Value:
        """What `name`, written in `file`, means; `level` counts the dots of a relative import."""
        folder = posixpath.dirname(file.path)
        key = (file.language.policy.module_style, folder, name, level)
        value = self._found.get(key)
        if value is None:
            value = self._found[key] = _FINDERS[file.language.policy.module_style](
                self, file, name, level
            )
        return value

    def paths_of(self, file: IndexedFile) -> PathModules:
        """The finder of path-like modules for the family of a file."""
        found = self._paths.get(file.family)
        if found is None:
            policy = file.language.policy
            found = self._paths[file.family] = PathModules(self.index, self.manifests, policy)
        return found

    def submodule(self, value: Value, name: str) -> Value | None:
        """The module or folder `name` inside a module or package value, if there is one."""
        if value.tag == Tag.MODULE:
            file = self.index.files[value.key]
            stem = posixpath.splitext(posixpath.basename(file.path))[0]
            if stem not in file.language.policy.entry_names:
                return None
            return self.dotted.inside(posixpath.dirname(file.path), [name])
        if value.tag == Tag.PACKAGE and value.name.startswith("folder:"):
            return self.dotted.inside(value.name.removeprefix("folder:"), [name])
        return None

    def _packages_by_folder(self) -> dict[str, list[str]]:
        folders: dict[str, list[str]] = {}
        for key in self.index.packages:
            family, folder, *clause = key.split(":")
            if clause:
                folders.setdefault(f"{family}:{folder}", []).append(key)
        return folders

    def folder_package(self, family: str, folder: str) -> Value | None:
        """The package whose files stand in `folder`, external test packages left aside."""
        keys = self._go_folders.get(f"{family}:{folder}", [])
        chosen = [key for key in keys if not key.endswith("_test")] or keys
        return Value(Tag.PACKAGE, -1, min(chosen)) if chosen else None


def _dotted(modules: Modules, file: IndexedFile, name: str, level: int) -> Value:
    folder = posixpath.dirname(file.path)
    parts = name.split(".") if name else []
    if level:
        for _ in range(level - 1):
            folder = posixpath.dirname(folder)
        found = modules.dotted.inside(folder, parts)
        if found is not None:
            return found
        return Value(Tag.EXTERNAL, -1, "." * level + name)
    return modules.dotted.absolute(name, file) or Value(Tag.EXTERNAL, -1, name)


def _path(modules: Modules, file: IndexedFile, name: str, _level: int) -> Value:
    found = modules.paths_of(file).find(file.path, name)
    return module(found) if found is not None else Value(Tag.EXTERNAL, -1, name)


def _directory(modules: Modules, file: IndexedFile, name: str, _level: int) -> Value:
    """The longest module path of a go.mod that starts the import path gives the folder."""
    family = file.family
    best = ""
    for path in modules.manifests.go_modules:
        if (name == path or name.startswith(path + "/")) and len(path) > len(best):
            best = path
    if best:
        root = modules.manifests.go_modules[best]
        folder = posixpath.normpath(posixpath.join(root, name[len(best) :].strip("/")))
        found = modules.folder_package(family, "" if folder == "." else folder)
        if found is not None:
            return found
    elif not modules.manifests.go_modules:
        # Without any go.mod the folders mirror the import paths below some GOPATH.
        parts = name.split("/")
        for start in range(len(parts)):
            found = modules.folder_package(family, "/".join(parts[start:]))
            if found is not None and (start == 0 or "." in parts[0]):
                return found
    return Value(Tag.EXTERNAL, -1, name)


def _clause(modules: Modules, file: IndexedFile, name: str, _level: int) -> Value:
    key = f"{file.family}:{name}"
    if key in modules.index.packages:
        return Value(Tag.PACKAGE, -1, key)
    return Value(Tag.EXTERNAL, -1, name)


_FINDERS: dict[str, Finder] = {
    ModuleStyle.DOTTED: _dotted,
    ModuleStyle.PATH: _path,
    ModuleStyle.DIRECTORY: _directory,
    ModuleStyle.CLAUSE: _clause,
}


class _DottedModules:
    """Modules named by dots: every file by each dotted name some import root gives it.

    Import roots are the repository's own root and every folder that holds a top-level package or
    module: `src/` in `src/flask/__init__.py`, because `src` itself is no package.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.packages: set[str] = set()
        self.names: dict[str, list[IndexedFile]] = {}
        self.folders: dict[str, list[str]] = {}
        files = [f for f in index.files if f.language.policy.module_style == ModuleStyle.DOTTED]
        for file in files:
            if _stem(file) in file.language.policy.entry_names:
                self.packages.add(posixpath.dirname(file.path))
        policies = {f.language.policy.family: f.language.policy for f in files}.values()
        self.suffixes = [suffix for policy in policies for suffix in policy.module_suffixes]
        self.entries = [
            name + suffix
            for policy in policies
            for name in policy.entry_names
            for suffix in policy.module_suffixes
        ]
        roots = {self._root(file) for file in files} | {""}
        for file in files:
            self._register(file, roots)

    def _root(self, file: IndexedFile) -> str:
        folder = posixpath.dirname(file.path)
        while folder and folder in self.packages:
            folder = posixpath.dirname(folder)
        return folder

    def _register(self, file: IndexedFile, roots: set[str]) -> None:
        folder = posixpath.dirname(file.path)
        stem = _stem(file)
        parts = [] if stem in file.language.policy.entry_names else [stem]
        while True:
            if folder in roots and parts:
                self.names.setdefault(".".join(parts), []).append(file)
                for end in range(1, len(parts)):
                    inner = posixpath.join(folder, *parts[:end])
                    known = self.folders.setdefault(".".join(parts[:end]), [])
                    if inner not in known:
                        known.append(inner)
            if not folder:
                return
            parts.insert(0, posixpath.basename(folder))
            folder = posixpath.dirname(folder)

    def absolute(self, name: str, importer: IndexedFile) -> Value | None:
        """The module of an absolute import; among several the one nearest to the importer."""
        files = [f for f in self.names.get(name, ()) if f is not importer]
        if files:
            return module(min(files, key=lambda f: _distance(f, importer)))
        folders = self.folders.get(name)
        if folders:
            return Value(Tag.PACKAGE, -1, "folder:" + folders[0])
        return None

    def inside(self, folder: str, parts: list[str]) -> Value | None:
        """The module that `parts` name below a folder."""
        path = posixpath.join(folder, *parts) if parts else folder
        candidates = [path + suffix for suffix in self.suffixes] if parts else []
        candidates += [posixpath.join(path, entry) for entry in self.entries]
        for candidate in candidates:
            file = self.index.by_path.get(candidate)
            if file is not None:
                return module(file)
        if path in self.index.folders:
            return Value(Tag.PACKAGE, -1, "folder:" + path)
        return None


def _stem(file: IndexedFile) -> str:
    return posixpath.splitext(posixpath.basename(file.path))[0]


def _distance(file: IndexedFile, importer: IndexedFile) -> tuple[int, int, int, str]:
    """Nearness of two paths: shared leading folders first, then real sources, then depth."""
    shared = 0
    for mine, theirs in zip(file.path.split("/")[:-1], importer.path.split("/")[:-1], strict=False):
        if mine != theirs:
            break
        shared += 1
    best, *_ = file.language.policy.module_suffixes
    return (-shared, not file.path.endswith(best), file.path.count("/"), file.path)
