"""Module names that are paths (JavaScript, TypeScript): relative, mapped, or of a package."""

import posixpath

from graph.resolve.index import Index, IndexedFile
from graph.resolve.manifests import Manifests, NodePackage
from parsers.language import ResolutionPolicy

_BUILT_FOLDERS = ("dist", "lib", "build", "out", "cjs", "esm", "es", "types")


class PathModules:
    """Finds the file a path-like module name means."""

    def __init__(self, index: Index, manifests: Manifests, policy: ResolutionPolicy) -> None:
        self.index = index
        self.manifests = manifests
        self.family = policy.family
        self.suffixes = policy.module_suffixes
        self.entries = policy.entry_names
        self.sources_of = policy.compiled_suffixes

    def find(self, importer: str, name: str) -> IndexedFile | None:
        """The file, or None if the module is none of the repository's."""
        folder = posixpath.dirname(importer)
        if name.startswith("/"):
            return None
        if name.startswith(".") and name.lstrip(".")[:1] in ("", "/"):
            return self.at(posixpath.normpath(posixpath.join(folder, name)))
        return (
            self._mapped(folder, name)
            or self._of_package(name, folder)
            or self._aliased(folder, name)
        )

    def at(self, path: str) -> IndexedFile | None:
        """The file at a path that may lack its extension or name a folder."""
        if path.startswith(".."):
            return None
        path = "" if path == "." else path
        by_path = self.index.by_path
        stem, extension = posixpath.splitext(path)
        for compiled in self.sources_of.get(extension, ()):
            file = by_path.get(stem + compiled)
            if file is not None:
                return file
        candidates = [path, *(path + suffix for suffix in self.suffixes), *self._entries(path)]
        for candidate in candidates:
            file = by_path.get(candidate)
            if file is not None and file.family == self.family:
                return file
        package = self.manifests.packages_by_folder.get(path)
        return self._entry(package, ".") if package is not None and path else None

    def _mapped(self, folder: str, name: str) -> IndexedFile | None:
        """By the nearest tsconfig's `paths` and `baseUrl`."""
        while True:
            mapping = self.manifests.mappings.get(folder)
            if mapping is not None:
                for pattern, targets in mapping.patterns:
                    rest = _match(pattern, name)
                    if rest is None:
                        continue
                    for target in targets:
                        file = self.at(posixpath.normpath(target.replace("*", rest, 1)))
                        if file is not None:
                            return file
                return self.at(posixpath.join(mapping.base, name)) if mapping.has_base else None
            if not folder:
                return None
            folder = posixpath.dirname(folder)

    def _of_package(self, name: str, folder: str) -> IndexedFile | None:
        """By a package of this repository: `name` or `name/sub/path`."""
        parts = name.split("/")
        depth = 2 if name.startswith("@") else 1
        package = self.manifests.packages.get("/".join(parts[:depth]))
        if package is None:
            return None
        sub = "/".join(parts[depth:])
        del folder
        return self._entry(package, "./" + sub if sub else ".")

    def _aliased(self, folder: str, name: str) -> IndexedFile | None:
        """By the `imports` of the package around the importer: `#internal/x`."""
        if not name.startswith("#"):
            return None
        while True:
            package = self.manifests.packages_by_folder.get(folder)
            if package is not None:
                return self._first(package, package.imports, name)
            if not folder:
                return None
            folder = posixpath.dirname(folder)

    def _entry(self, package: NodePackage, sub: str) -> IndexedFile | None:
        found = self._first(package, package.entries, sub)
        if found is not None:
            return found
        inner = sub.removeprefix(".").lstrip("/")
        for root in ("", "src"):
            path = posixpath.normpath(posixpath.join(package.folder, root, inner))
            if path != package.folder or not inner:
                file = self._beside_manifest(path)
                if file is not None:
                    return file
        return None

    def _beside_manifest(self, path: str) -> IndexedFile | None:
        """Like `at`, without asking the folder's own manifest again."""
        path = "" if path == "." else path
        names = [path + suffix for suffix in self.suffixes] if path else []
        names += self._entries(path)
        return next((f for n in names if (f := self.index.by_path.get(n)) is not None), None)

    def _entries(self, folder: str) -> list[str]:
        """The files that may stand for a folder."""
        return [
            posixpath.join(folder, name + suffix)
            for name in self.entries
            for suffix in self.suffixes
        ]

    def _first(
        self, package: NodePackage, table: tuple[tuple[str, tuple[str, ...]], ...], name: str
    ) -> IndexedFile | None:
        for pattern, targets in table:
            rest = _match(pattern, name)
            if rest is None:
                continue
            for target in targets:
                file = self._built(package.folder, target.replace("*", rest, 1))
                if file is not None:
                    return file
        return None

    def _built(self, folder: str, target: str) -> IndexedFile | None:
        """The target itself, or the source that it is most likely built from."""
        path = posixpath.normpath(posixpath.join(folder, target))
        candidates = [path]
        inner = posixpath.relpath(path, folder) if folder else path
        parts = inner.split("/")
        if parts[0] in _BUILT_FOLDERS:
            candidates.append(posixpath.join(folder, "src", *parts[1:]))
        candidates.append(posixpath.join(folder, "src", inner))
        for candidate in candidates:
            stem = candidate.removesuffix(".d.ts") if candidate.endswith(".d.ts") else candidate
            file = self.index.by_path.get(candidate)
            if file is None or file.family != self.family:
                root, extension = posixpath.splitext(stem)
                file = self._beside_manifest(root if extension in self.suffixes else stem)
            if file is not None:
                return file
        return None


def _match(pattern: str, name: str) -> str | None:
    """What `*` stands for if `name` fits the pattern."""
    if "*" not in pattern:
        return "" if pattern == name else None
    before, after = pattern.split("*", 1)
    if name.startswith(before) and name.endswith(after) and len(name) >= len(before) + len(after):
        return name[len(before) : len(name) - len(after)]
    return None
