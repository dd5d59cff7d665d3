"""Facts as bytes, and back: two parts, because resolution needs the one for every file at once.

The *outline* says what a file offers to others: names, members, imports, exports, and a digest of
everything another file's answers can depend on. The *body* is the whole of the facts. Both are
MessagePack, compressed with zstd in the process that parsed, so compression uses every core.
"""

from dataclasses import dataclass
from functools import cache

import msgspec
import zstandard

from parsers.facts import (
    NONE,
    DefinitionKind,
    Export,
    FileFacts,
    Import,
    ScopeKind,
)
from parsers.interface import interface_digest

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
        interface_digest(facts, [name.index for name in names]),
    )


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
