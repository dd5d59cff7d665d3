"""From links to rows: the nodes and edges that one file contributes to the graph."""

import hashlib
from dataclasses import dataclass

import msgspec

from graph.model.rows import DocumentRow, DocumentRows
from graph.model.symbols import definition_symbol, external_symbol, file_symbol, node_id
from graph.resolve.binder import Binder, Tally
from graph.resolve.context import Context
from graph.resolve.contribution import RowMaker
from graph.resolve.nodes import external_name, is_node, makes_node
from graph.resolve.values import Tag, Target, definition_of, file_of
from parsers.facts import NONE, DefinitionKind
from parsers.skips import SkipReason

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """One path of the commit, before it is resolved."""

    path: bytes
    blob_sha: str
    size_bytes: int
    language: str | None
    fingerprint: bytes

    @property
    def display_path(self) -> str:
        """The path as text; bytes that are no UTF-8 are escaped."""
        return display(self.path)


@dataclass(frozen=True, slots=True)
class ResolvedDocument:
    """The rows of a file, and the files and packages that its answers were drawn from."""

    rows: DocumentRows
    dependencies: frozenset[int]  # file numbers; negative for packages


def display(path: bytes) -> str:
    """A path as text; bytes that are no UTF-8 are escaped."""
    return path.decode("utf-8", "backslashreplace").replace("\0", "\\0")


class Documents:
    """Makes the documents of one commit."""

    def __init__(self, context: Context, repository_number: int) -> None:
        self.context = context
        self.repository = repository_number
        self._ids: dict[Target, int] = {}
        self._encoder = msgspec.msgpack.Encoder()

    def resolve(self, number: int, source: SourceDocument) -> ResolvedDocument:
        """Everything the file with this number in the index contributes."""
        self.context.memo.begin_document()
        binder = Binder(self.context, number)
        maker = RowMaker(self, binder, source)
        maker.add_definitions()
        maker.add_links()
        facts = binder.facts
        partial = bool(facts.partial)
        row = self._row(
            source,
            maker,
            status="partial" if partial else "parsed",
            reason=facts.partial or None,
            lines=facts.lines,
            tally=binder.tally,
        )
        touched = frozenset(self.context.memo.touched)
        return ResolvedDocument(DocumentRows(row, maker.nodes, maker.edges), touched)

    def skipped(self, source: SourceDocument, reason: SkipReason) -> DocumentRows:
        """A path without facts: it still has its file node."""
        maker = RowMaker(self, None, source)
        row = self._row(source, maker, status="skipped", reason=reason, lines=0, tally=Tally())
        return DocumentRows(row, maker.nodes, maker.edges)

    def _row(
        self,
        source: SourceDocument,
        maker: RowMaker,
        *,
        status: str,
        reason: str | None,
        lines: int,
        tally: Tally,
    ) -> DocumentRow:
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        digest.update(self._encoder.encode((maker.nodes, maker.edges, status, reason)))
        return DocumentRow(
            path=source.path,
            display_path=source.display_path,
            blob_sha=source.blob_sha,
            language=source.language,
            fingerprint=source.fingerprint,
            resolution=digest.digest(),
            status=status,  # type: ignore[arg-type]  # the two callers pass the literals
            skip_reason=reason,
            lines=lines,
            size_bytes=source.size_bytes,
            resolved=tally.resolved,
            external=tally.external,
            unresolved=tally.unresolved,
        )

    def id_of(self, target: Target) -> int:
        """The node id of a target."""
        found = self._ids.get(target)
        if found is None:
            found = self._ids[target] = node_id(self.repository, self._symbol(target))
        return found

    def _symbol(self, target: Target) -> str:
        if isinstance(target, int):
            file = self.context.index.files[file_of(target)]
            name = file.names.get(definition_of(target))
            descriptor = (
                name.descriptor
                if name is not None
                else self.context.body(file.number).definitions[definition_of(target)].descriptor
            )
            return definition_symbol(file.path, descriptor)
        if target.tag == Tag.MODULE:
            return file_symbol(self.context.index.files[target.key].path)
        return external_symbol(external_name(target))

    def is_literal(self, target: Target) -> bool:
        """Whether the target is a function or object without a name."""
        if not isinstance(target, int):
            return False
        definition = self.context.body(file_of(target)).definitions[definition_of(target)]
        return definition.kind in (DefinitionKind.LAMBDA, DefinitionKind.OBJECT)

    def has_node(self, target: Target) -> bool:
        """Whether a link to the target is an edge."""
        if not isinstance(target, int):
            return target.tag in (Tag.MODULE, Tag.EXTERNAL, Tag.PACKAGE)
        number = file_of(target)
        file = self.context.index.files[number]
        index = definition_of(target)
        name = file.names.get(index)
        if name is not None and (name.container == NONE or name.container in file.names):
            # Nearly always: the outline tells, and the body need not be read.
            self.context.touch(number)
            return makes_node(name)
        facts = self.context.body(number)
        return is_node(facts, facts.definitions[index])
