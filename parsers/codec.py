"""Facts as bytes, and back: two parts, because resolution needs the one for every file at once.

The *outline* says what a file offers to others: names, members, imports, exports, and a digest of
everything another file's answers can depend on. The *body* is the whole of the facts. Both are
MessagePack, compressed with zstd in the process that parsed, so compression uses every core.
"""

import hashlib
from dataclasses import dataclass
from functools import cache

import msgspec
import zstandard

from parsers.facts import (
    NONE,
    Definition,
    DefinitionKind,
    Export,
    Expression,
    FileFacts,
    Flag,
    Import,
    Op,
    ScopeKind,
    bound_import,
    import_binding,
)

# Raised whenever the structs of `parsers.facts`, the outline or the meaning of a field change.
FACTS_VERSION = 1

_LEVEL = 3
_MEMBER_SCOPES = (ScopeKind.CLASS, ScopeKind.NAMESPACE)


class OutlineName(msgspec.Struct, array_like=True, gc=False):
    """A definition that other files can reach."""

    index: int  # in the facts' definitions
    name: str
    kind: int
    flags: int
    container: int  # the definition it is a member of; NONE at the top of the file
    descriptor: str
    line: int


class Outline(msgspec.Struct, array_like=True, gc=False):
    """What a file offers. `digest` changes when another file's answers might."""

    language: str
    package: str
    lines: int
    partial: str
    names: list[OutlineName]
    imports: list[Import]  # those at the top of the file
    exports: list[Export]
    digest: bytes


class FactsDamaged(Exception):
    """Stored facts are not what was stored."""


@dataclass(frozen=True, slots=True)
class EncodedFacts:
    """One file's facts as they are kept."""

    outline: bytes
    body: bytes


@cache
def _tools() -> tuple[zstandard.ZstdCompressor, msgspec.msgpack.Encoder]:
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True), msgspec.msgpack.Encoder()


@cache
def _decoders() -> tuple[
    zstandard.ZstdDecompressor,
    "msgspec.msgpack.Decoder[Outline]",
    "msgspec.msgpack.Decoder[FileFacts]",
]:
    return (
        zstandard.ZstdDecompressor(),
        msgspec.msgpack.Decoder(Outline),
        msgspec.msgpack.Decoder(FileFacts),
    )


def encode(facts: FileFacts) -> EncodedFacts:
    """Both parts of the facts, compressed. Equal facts give equal bytes."""
    compressor, encoder = _tools()
    return EncodedFacts(
        compressor.compress(encoder.encode(outline(facts))),
        compressor.compress(encoder.encode(facts)),
    )


def expanded_bytes(facts: EncodedFacts) -> int:
    """What the larger part says it expands to, before it does; -1 if a part does not say."""
    try:
        sizes = [zstandard.frame_content_size(part) for part in (facts.outline, facts.body)]
    except zstandard.ZstdError:
        return -1
    return -1 if -1 in sizes else max(sizes)


def decode_outline(data: bytes) -> Outline:
    """The outline of a file. Raises FactsDamaged."""
    decompressor, outlines, _ = _decoders()
    try:
        return outlines.decode(decompressor.decompress(data))
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise FactsDamaged from error


def decode_body(data: bytes) -> FileFacts:
    """The whole facts of a file. Raises FactsDamaged."""
    decompressor, _, bodies = _decoders()
    try:
        return bodies.decode(decompressor.decompress(data))
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise FactsDamaged from error


def outline(facts: FileFacts) -> Outline:
    """What the file offers to others."""
    scopes = facts.scopes
    names = []
    for index, definition in enumerate(facts.definitions):
        scope = scopes[definition.scope]
        if scope.kind in _MEMBER_SCOPES:
            container = scope.definition
        elif definition.scope == 0:
            container = NONE
        else:
            continue
        if definition.kind in (DefinitionKind.LAMBDA, DefinitionKind.OBJECT):
            continue
        names.append(
            OutlineName(
                index,
                definition.name,
                definition.kind,
                definition.flags,
                container,
                definition.descriptor,
                definition.line,
            )
        )
    imports = [record for record in facts.imports if record.scope == 0]
    return Outline(
        facts.language,
        facts.package,
        facts.lines,
        facts.partial,
        names,
        imports,
        facts.exports,
        _interface_digest(facts, names),
    )


def _interface_digest(facts: FileFacts, names: list[OutlineName]) -> bytes:
    """A digest over what the outline's names mean, and over no position.

    Follows the expressions that give a name its type: declared types, assigned and returned values,
    bases, decorators, parameters; through local variables as far as they carry a value out.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{facts.language}\0{facts.package}".encode())
    for record in facts.imports:
        digest.update(
            f"\1{record.module}\0{record.name}\0{record.alias}".encode("utf-8", "replace")
        )
        digest.update(
            f"{record.level}{record.reexport}{record.type_only}".encode("utf-8", "replace")
        )
    reach = _Reach(facts, [name.index for name in names])
    for export in facts.exports:
        digest.update(("\2" + export.name).encode("utf-8", "replace"))
        reach.expression(export.value)
    for text in reach.texts():
        digest.update(text.encode("utf-8", "replace"))
    return digest.digest()


class _Reach:
    """Everything the interface's expressions lead to, as text, each definition once."""

    def __init__(self, facts: FileFacts, roots: list[int]) -> None:
        self.facts = facts
        self.seen = set(roots)
        self.pending = list(reversed(roots))
        self.out: list[str] = []

    def texts(self) -> list[str]:
        while self.pending:
            self.definition(self.facts.definitions[self.pending.pop()])
        return self.out

    def definition(self, definition: Definition) -> None:
        self.out.append(
            f"\3{definition.descriptor}\0{definition.name}\0{definition.kind}\0{definition.flags}"
        )
        self.expression(definition.type)
        if definition.type < 0:
            for value in definition.values:
                self.expression(value)
        for value in (*definition.bases, *definition.decorators):
            self.expression(value)
        for parameter in definition.parameters:
            self._later(parameter)

    def expression(self, root: int) -> None:
        if root < 0:
            return
        expressions, operands = self.facts.expressions, self.facts.operands
        stack = [root]
        while stack:
            index = stack.pop()
            if index < 0:
                self.out.append("-")
                continue
            entry = expressions[index]
            bound = self._bound(entry)
            self.out.append(f"({entry.op}\0{entry.name}\0{entry.count}{bound}")
            if entry.op != Op.ASSIGN:
                stack.extend(operands[entry.first : entry.first + entry.count])

    def _bound(self, entry: Expression) -> str:
        """What the expression's name or value is bound to, which its op gives a meaning."""
        binding = entry.binding
        if entry.op == Op.ASSIGN:
            return ""
        if entry.op == Op.IMPORT:
            binding = import_binding(binding)
        if binding >= 0:
            self._later(binding)
            definition = self.facts.definitions[binding]
            return definition.descriptor or f"local {definition.name}"
        if binding < NONE:
            record = self.facts.imports[bound_import(binding)]
            return f"import {record.level} {record.module} {record.name}"
        return ""

    def _later(self, definition: int) -> None:
        if definition not in self.seen:
            local = self.facts.definitions[definition]
            if local.flags & Flag.LOCAL or not local.descriptor:
                self.seen.add(definition)
                self.pending.append(definition)


__all__ = [
    "FACTS_VERSION",
    "EncodedFacts",
    "Outline",
    "OutlineName",
    "decode_body",
    "decode_outline",
    "encode",
    "expanded_bytes",
    "outline",
]
