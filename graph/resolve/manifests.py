"""What manifests say about how modules are named: package.json, tsconfig.json, go.mod.

They are read as hostile input: what cannot be understood is ignored and counted.
"""

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# The manifests that resolution wants to see, by file name. tsconfig.*.json are found by pattern.
NAMES = frozenset({"package.json", "tsconfig.json", "jsconfig.json", "go.mod"})
MAX_BYTES = 1 << 20

_COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_GO_MODULE = re.compile(rb"^\s*module\s+\"?([^\s\"]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PathMapping:
    """The module paths of one tsconfig: patterns with at most one `*`, to folders."""

    base: str  # folder that bare names are tried in, "" for the root; None-like "-" if not set
    has_base: bool
    patterns: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class NodePackage:
    """A package.json: its name, folder and where its entry points lead."""

    name: str
    folder: str
    entries: tuple[tuple[str, tuple[str, ...]], ...]  # "." or "./sub/*" -> candidate files
    imports: tuple[tuple[str, tuple[str, ...]], ...]  # "#internal/*" -> candidate files


@dataclass(slots=True)
class Manifests:
    """Everything the manifests of one commit say."""

    packages: dict[str, NodePackage] = field(default_factory=dict)  # by name
    packages_by_folder: dict[str, NodePackage] = field(default_factory=dict)
    mappings: dict[str, PathMapping] = field(default_factory=dict)  # by folder of the tsconfig
    go_modules: dict[str, str] = field(default_factory=dict)  # module path -> folder
    unreadable: int = 0


def wanted(path: str) -> bool:
    """Whether the file at `path` is a manifest that resolution reads."""
    name = posixpath.basename(path)
    return name in NAMES or (name.startswith("tsconfig.") and name.endswith(".json"))


def read(files: Mapping[str, bytes]) -> Manifests:
    """Understand the manifests, by path."""
    manifests = Manifests()
    documents: dict[str, dict[str, object]] = {}
    for path, data in sorted(files.items()):
        if path.endswith("go.mod"):
            found = _GO_MODULE.search(data)
            if found:
                module = found.group(1).decode("utf-8", "replace")
                manifests.go_modules[module] = posixpath.dirname(path)
            continue
        document = _json(data)
        if document is None:
            manifests.unreadable += 1
            continue
        documents[path] = document
        if posixpath.basename(path) == "package.json":
            _add_package(manifests, posixpath.dirname(path), document)
    for path, document in documents.items():
        if posixpath.basename(path) in ("tsconfig.json", "jsconfig.json"):
            mapping = _mapping(path, document, documents)
            if mapping is not None:
                manifests.mappings[posixpath.dirname(path)] = mapping
    return manifests


def _json(data: bytes) -> dict[str, object] | None:
    """JSON with comments and trailing commas, as the TypeScript compiler accepts it."""
    text = data.decode("utf-8-sig", "replace")
    text = _COMMENT.sub(lambda found: found.group(1) or "", text)
    text = _TRAILING_COMMA.sub(r"\1", text)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _add_package(manifests: Manifests, folder: str, document: dict[str, object]) -> None:
    name = document.get("name")
    exports = document.get("exports")
    entries: list[tuple[str, tuple[str, ...]]] = []
    if isinstance(exports, str):
        entries.append((".", (exports,)))
    elif isinstance(exports, dict):
        keys = [key for key in exports if isinstance(key, str) and key.startswith(".")]
        if keys:
            entries += [(key, tuple(_targets(exports[key]))) for key in keys]
        else:
            entries.append((".", tuple(_targets(exports))))
    main = [document.get(key) for key in ("source", "types", "typings", "module", "main")]
    found = tuple(value for value in main if isinstance(value, str))
    if found:
        entries.append((".", found))
    imports = document.get("imports")
    aliases = (
        tuple((key, tuple(_targets(value))) for key, value in imports.items())
        if isinstance(imports, dict)
        else ()
    )
    package = NodePackage(name if isinstance(name, str) else "", folder, tuple(entries), aliases)
    manifests.packages_by_folder[folder] = package
    if package.name:
        manifests.packages.setdefault(package.name, package)


def _targets(value: object) -> list[str]:
    """All files a conditional export may lead to, in the order written."""
    found: list[str] = []
    pending: list[object] = [value]
    while pending:
        item = pending.pop(0)
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, dict):
            pending = [*item.values(), *pending]
        elif isinstance(item, list):
            pending = [*item, *pending]
    return found


def _mapping(
    path: str, document: dict[str, object], documents: Mapping[str, dict[str, object]]
) -> PathMapping | None:
    """The path mapping of a tsconfig, from itself or the first config it extends that has one."""
    seen: set[str] = set()
    while path not in seen:
        seen.add(path)
        folder = posixpath.dirname(path)
        options = document.get("compilerOptions")
        options = options if isinstance(options, dict) else {}
        base, paths = options.get("baseUrl"), options.get("paths")
        if isinstance(base, str) or isinstance(paths, dict):
            root = _inside(folder, base if isinstance(base, str) else ".")
            return PathMapping(root, isinstance(base, str), _patterns(root, paths))
        parent = document.get("extends")
        parents = parent if isinstance(parent, list) else [parent]
        following = [p for p in parents if isinstance(p, str) and p.startswith(".")]
        if not following:
            return None
        target = _inside(folder, following[-1])
        path = next((p for p in (target, target + ".json") if p in documents), "")
        if not path:
            return None
        document = documents[path]
    return None


def _patterns(root: str, paths: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(paths, dict):
        return ()
    patterns = []
    for pattern, targets in paths.items():
        if isinstance(targets, list):
            found = tuple(_inside(root, t) for t in targets if isinstance(t, str))
            patterns.append((str(pattern), found))
    return tuple(patterns)


def _inside(folder: str, relative: str) -> str:
    path = posixpath.normpath(posixpath.join(folder, relative))
    return "" if path == "." else path
