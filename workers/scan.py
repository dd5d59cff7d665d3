"""Parse and resolve a folder as it is, without git, broker or database: `codeloom scan`.

Yields plain records, one for every definition and every link: also for the locals that the stored
graph leaves out, because this is the form in which the graph is compared with compilers.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graph.model.edges import Certainty, EdgeKind, Rule
from graph.resolve import Context, manifests, open_context
from graph.resolve.binder import Binder, Tally
from graph.resolve.documents import display
from graph.resolve.links import Link
from graph.resolve.nodes import external_name
from graph.resolve.values import Tag, definition_of, file_of
from parsers import registry
from parsers.codec import EncodedFacts, decode_body, decode_outline
from parsers.detect import detect, detect_interpreter, inspect, may_name_interpreter
from parsers.facts import Definition, DefinitionKind, FileFacts, Flag
from parsers.language import Language
from parsers.sandbox import ParseItem, ParserPool, SandboxLimits
from parsers.skips import SkipReason

Record = dict[str, Any]

_LARGEST_FILE = 1 << 20
_FIRST_LINE_BYTES = 256

# How the kinds of definitions are named in the records.
_KIND_NAMES: dict[int, str] = {
    DefinitionKind.CLASS: "class",
    DefinitionKind.INTERFACE: "class",
    DefinitionKind.TRAIT: "class",
    DefinitionKind.STRUCT: "class",
    DefinitionKind.ENUM: "class",
    DefinitionKind.TYPE_ALIAS: "type",
    DefinitionKind.ENUM_MEMBER: "variable",
    DefinitionKind.FUNCTION: "function",
    DefinitionKind.METHOD: "method",
    DefinitionKind.CONSTRUCTOR: "method",
    DefinitionKind.PROPERTY: "method",
    DefinitionKind.FIELD: "variable",
    DefinitionKind.VARIABLE: "variable",
    DefinitionKind.CONSTANT: "variable",
    DefinitionKind.PARAMETER: "parameter",
    DefinitionKind.TYPE_PARAMETER: "typeparam",
    DefinitionKind.NAMESPACE: "namespace",
}
_CALLS = (EdgeKind.CALLS, EdgeKind.INSTANTIATES)


@dataclass(slots=True)
class Scanned:
    """What a scan found, for its summary."""

    files: int = 0
    lines: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    references: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True)
class _Source:
    path: bytes
    language: Language
    body: bytes
    outline: bytes


def scan(
    root: Path,
    *,
    pool: ParserPool | None = None,
    summary: Scanned | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[Record]:
    """Every definition and link below a folder, in the order of the paths.

    Raises:
        NotADirectoryError: there is no such folder.
    """
    if not root.is_dir():
        raise NotADirectoryError(str(root))
    summary = summary if summary is not None else Scanned()
    sources, found = _read(root, summary)
    if pool is None:
        with ParserPool(os.cpu_count() or 1, SandboxLimits()) as own:
            parsed = _parse(sources, own, summary)
    else:
        parsed = _parse(sources, pool, summary)
    bodies = [decode_body(source.body) for source in parsed]
    context = open_context(
        ((display(s.path), s.language, decode_outline(s.outline)) for s in parsed),
        manifests.read(found),
        bodies.__getitem__,
    )
    summary.files = len(parsed)
    summary.lines = sum(body.lines for body in bodies)
    for number, body in enumerate(bodies):
        yield from _definitions(context, number, body)
        binder = Binder(context, number, with_locals=True)
        for link in binder.links():
            yield from _records(context, binder, link)
        for name in Tally.__slots__:
            total = getattr(summary.references, name) + getattr(binder.tally, name)
            setattr(summary.references, name, total)
        if on_progress is not None:
            on_progress(number + 1)


def _read(root: Path, summary: Scanned) -> tuple[list[ParseItem[bytes]], dict[str, bytes]]:
    """The files below a folder that a language claims, and the manifests."""
    items: list[ParseItem[bytes]] = []
    found: dict[str, bytes] = {}
    base = os.fsencode(root)
    for folder, folders, names in os.walk(base):
        folders[:] = sorted(name for name in folders if name != b".git")
        for name in sorted(names):
            full = os.path.join(folder, name)  # noqa: PTH118 - bytes, as file names are
            path = os.path.relpath(full, base)
            if not os.path.isfile(full) or os.path.islink(full):  # noqa: PTH113, PTH114
                continue
            if manifests.wanted(display(path)) and os.path.getsize(full) <= manifests.MAX_BYTES:  # noqa: PTH202
                found[display(path)] = Path(os.fsdecode(full)).read_bytes()
            item = _item(path, full)
            if isinstance(item, SkipReason):
                summary.skipped[item] = summary.skipped.get(item, 0) + 1
            else:
                items.append(item)
    return items, found


def _item(path: bytes, full: bytes) -> ParseItem[bytes] | SkipReason:
    language = detect(path)
    file = Path(os.fsdecode(full))
    if language is SkipReason.UNKNOWN_LANGUAGE and may_name_interpreter(path):
        with file.open("rb") as opened:
            language = detect_interpreter(opened.read(_FIRST_LINE_BYTES)) or language
    if isinstance(language, SkipReason):
        return language
    if file.stat().st_size > _LARGEST_FILE:
        return SkipReason.OVERSIZE
    data = file.read_bytes()
    return inspect(data, language) or ParseItem(path, language.name, data)


def _parse(items: list[ParseItem[bytes]], pool: ParserPool, summary: Scanned) -> list[_Source]:
    languages = {item.key: registry.languages()[item.language] for item in items}
    parsed: list[_Source] = []
    for outcome in pool.parse_all(items):
        if isinstance(outcome.result, EncodedFacts):
            facts = outcome.result
            parsed.append(_Source(outcome.key, languages[outcome.key], facts.body, facts.outline))
        else:
            summary.skipped[outcome.result] = summary.skipped.get(outcome.result, 0) + 1
    parsed.sort(key=lambda source: source.path)
    return parsed


def _definitions(context: Context, number: int, body: FileFacts) -> Iterator[Record]:
    path = context.index.files[number].path
    for definition in body.definitions:
        kind = _kind(definition)
        if kind in ("function", "class", "method"):
            yield {
                "kind": "def",
                "src_file": path,
                "src_line": definition.line,
                "src_name": definition.qualified_name,
                "dst_kind": kind,
            }


def _kind(definition: Definition) -> str:
    kind = _KIND_NAMES.get(definition.kind, "")
    return "local" if kind == "variable" and definition.flags & Flag.LOCAL else kind


def _records(context: Context, binder: Binder, link: Link) -> Iterator[Record]:
    """A link as a call, as a reference, or as both."""
    kind, certainty, rule = EdgeKind(link.kind), Certainty(link.certainty), Rule(link.rule)
    if rule == Rule.STRUCTURE:  # it stands where the definition itself does
        return
    facts = binder.facts
    source = facts.definitions[link.source].qualified_name if link.source >= 0 else "<module>"
    record: Record = {
        "src_file": context.index.files[binder.file].path,
        "src_line": link.line,
        "src_col": link.column,
        "src_name": source,
        "name": link.name,
        **_target(context, link),
        "certainty": certainty.label,
        "rule": rule.label,
        "candidates": link.candidates,
    }
    if kind == EdgeKind.CALLS or (kind == EdgeKind.INSTANTIATES and not _is_struct(context, link)):
        yield {"kind": "call", **record}
    # Through a variable a call reaches a function that the name at its place does not refer to.
    if not (kind in _CALLS and rule == Rule.FLOW) and not _is_constructor(context, binder, link):
        yield {"kind": "ref", **record, "edge": kind.label}


def _is_struct(context: Context, link: Link) -> bool:
    """A literal of a struct, or of a type defined as another, runs no code, so it is no call."""
    if not isinstance(link.target, int):
        return False
    definition = context.body(file_of(link.target)).definitions[definition_of(link.target)]
    return definition.kind == DefinitionKind.STRUCT or definition.type >= 0


def _is_constructor(context: Context, binder: Binder, link: Link) -> bool:
    """`new Part()` names the class; the constructor it runs comes as a second link."""
    if not isinstance(link.target, int) or not context.policy_of(binder.file).overload_by_arity:
        return False
    definition = context.body(file_of(link.target)).definitions[definition_of(link.target)]
    return definition.kind == DefinitionKind.CONSTRUCTOR


def _target(context: Context, link: Link) -> Record:
    target = link.target
    if isinstance(target, int):
        file = context.index.files[file_of(target)]
        definition = context.body(file.number).definitions[definition_of(target)]
        return {
            "dst_file": file.path,
            "dst_line": definition.line,
            "dst_name": definition.qualified_name,
            "dst_kind": _kind(definition),
        }
    if target.tag == Tag.MODULE:
        path = context.index.files[target.key].path
        return {"dst_file": path, "dst_line": 1, "dst_name": "<module>", "dst_kind": "module"}
    name = external_name(target)
    return {"dst_file": f"<{name}>", "dst_line": 0, "dst_name": name, "dst_kind": "external"}
