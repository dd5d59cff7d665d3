"""From links to rows: the nodes and edges that one file contributes to the graph."""

import hashlib
import posixpath
from dataclasses import dataclass

import msgspec

from graph.model.edges import Certainty, EdgeKind, Rule
from graph.model.nodes import NodeKind
from graph.model.rows import DocumentRow, DocumentRows, EdgeRow, NodeRow
from graph.model.symbols import definition_symbol, external_symbol, file_symbol, node_id
from graph.resolve.binder import Binder, Tally
from graph.resolve.context import Context
from graph.resolve.links import VARIABLES
from graph.resolve.values import Tag, Target, Value, definition_of, file_of, key_of
from parsers.codec import OutlineName
from parsers.facts import NONE, Definition, DefinitionKind, FileFacts, Flag
from parsers.scopes import is_partial
from parsers.skips import SkipReason

# What facts call a definition, and what the graph calls its node. The others make no node.
NODE_KIND_OF: dict[int, NodeKind] = {
    DefinitionKind.CLASS: NodeKind.CLASS,
    DefinitionKind.INTERFACE: NodeKind.INTERFACE,
    DefinitionKind.TRAIT: NodeKind.TRAIT,
    DefinitionKind.STRUCT: NodeKind.STRUCT,
    DefinitionKind.ENUM: NodeKind.ENUM,
    DefinitionKind.ENUM_MEMBER: NodeKind.ENUM_MEMBER,
    DefinitionKind.FUNCTION: NodeKind.FUNCTION,
    DefinitionKind.METHOD: NodeKind.METHOD,
    DefinitionKind.CONSTRUCTOR: NodeKind.CONSTRUCTOR,
    DefinitionKind.PROPERTY: NodeKind.PROPERTY,
    DefinitionKind.FIELD: NodeKind.FIELD,
    DefinitionKind.VARIABLE: NodeKind.VARIABLE,
    DefinitionKind.CONSTANT: NodeKind.CONSTANT,
    DefinitionKind.TYPE_ALIAS: NodeKind.TYPE_ALIAS,
    DefinitionKind.MACRO: NodeKind.MACRO,
    DefinitionKind.NAMESPACE: NodeKind.NAMESPACE,
}

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


def is_node(facts: FileFacts, definition: Definition) -> bool:
    """Whether a definition becomes a node: it can be seen outside its function and has a name."""
    if definition.kind not in NODE_KIND_OF or definition.flags & Flag.LOCAL or not definition.name:
        return False
    if is_partial(definition):
        return False
    holder = facts.scopes[definition.scope].definition
    if holder >= 0 and facts.definitions[holder].kind == DefinitionKind.OBJECT:
        # The plain values of a literal inside a function are the function's own business.
        return definition.owner == NONE or definition.kind not in VARIABLES
    return True


class Documents:
    """Makes the documents of one commit."""

    def __init__(self, context: Context, repository_number: int) -> None:
        self.context = context
        self.repository = repository_number
        self._ids: dict[Target, int] = {}
        self._encoder = msgspec.msgpack.Encoder()

    def resolve(self, number: int, source: SourceDocument) -> ResolvedDocument:
        """Everything the file with this number in the index contributes."""
        self.context.memo.touched = set()
        binder = Binder(self.context, number)
        maker = _Maker(self, binder, source)
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
        maker = _Maker(self, None, source)
        row = self._row(source, maker, status="skipped", reason=reason, lines=0, tally=Tally())
        return DocumentRows(row, maker.nodes, maker.edges)

    def _row(
        self,
        source: SourceDocument,
        maker: "_Maker",
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
            return _makes_node(name)
        facts = self.context.body(number)
        return is_node(facts, facts.definitions[index])


def _makes_node(name: OutlineName) -> bool:
    """`is_node` for a definition that no literal holds."""
    partial = name.kind == DefinitionKind.STRUCT and name.flags & Flag.DECLARATION
    hidden = partial or name.flags & Flag.LOCAL
    return bool(name.name) and name.kind in NODE_KIND_OF and not hidden


def external_name(value: Value) -> str:
    """The dotted name of an external symbol or of a package of the repository."""
    return value.name.split(":", 1)[-1] if value.tag == Tag.PACKAGE else value.name


class _Maker:
    """The rows of one document in the making."""

    def __init__(self, documents: Documents, binder: Binder | None, source: SourceDocument) -> None:
        self.documents = documents
        self.binder = binder
        self.nodes: list[NodeRow] = []
        self.edges: list[EdgeRow] = []
        self._external: set[int] = set()
        self._node_of: dict[int, int] = {}
        path = source.display_path
        symbol = file_symbol(path)
        self.file = node_id(documents.repository, symbol)
        name = posixpath.basename(path)
        lines = binder.facts.lines if binder is not None else 0
        self.nodes.append(
            (self.file, NodeKind.FILE, name, path, 0, 1, 0, 1, max(1, lines), 0, "", "", symbol)
        )

    def add_definitions(self) -> None:
        """A node for each definition, and the edge from what encloses it."""
        binder = self.binder
        if binder is None:
            return
        facts, documents = binder.facts, self.documents
        path = documents.context.index.files[binder.file].path
        for index, definition in enumerate(facts.definitions):
            if not is_node(facts, definition):
                continue
            symbol = definition_symbol(path, definition.descriptor)
            node = node_id(documents.repository, symbol)
            self._node_of[index] = node
            parent = self._parent(definition)
            self.nodes.append(
                (
                    node,
                    NODE_KIND_OF[definition.kind],
                    definition.name,
                    definition.qualified_name,
                    parent,
                    definition.line,
                    definition.column,
                    definition.start_line,
                    definition.end_line,
                    definition.flags,
                    definition.signature,
                    definition.doc,
                    symbol,
                )
            )
            kind = EdgeKind.DEFINES if parent == self.file else EdgeKind.CONTAINS
            self.edges.append(
                (
                    parent,
                    node,
                    kind,
                    Certainty.EXACT,
                    Rule.STRUCTURE,
                    1,
                    definition.line,
                    definition.column,
                )
            )

    def _parent(self, definition: Definition) -> int:
        """The node around a definition; for a member of a partial type, the type's own."""
        owner = definition.owner
        if owner == NONE or self.binder is None:
            return self.file
        if owner in self._node_of:
            return self._node_of[owner]
        facts = self.binder.facts
        if is_partial(facts.definitions[owner]):
            context = self.documents.context
            package = context.index.files[self.binder.file].package
            context.touch_package(package)
            for key in context.index.packages[package].top.get(facts.definitions[owner].name, ()):
                return self.documents.id_of(key)
        return self.file

    def add_links(self) -> None:
        """An edge for each link whose target has a node; external targets get theirs here."""
        binder, documents = self.binder, self.documents
        if binder is None:
            return
        own = binder.file
        for link in binder.links():
            target = link.target
            if isinstance(target, int):
                if file_of(target) == own:
                    node = self._node_of.get(definition_of(target))
                    if node is None:
                        continue
                elif not documents.has_node(target):
                    continue
                else:
                    node = documents.id_of(target)
            else:
                node = documents.id_of(target)
                if target.tag != Tag.MODULE and node not in self._external:
                    self._add_external(node, target, link.kind)
            source = self._source(link.source)
            self.edges.append((source, node, *link[2:8]))

    def _source(self, definition: int) -> int:
        if definition == NONE or self.binder is None:
            return self.file
        node = self._node_of.get(definition)
        if node is not None:
            return node
        return self._source(self.binder.facts.definitions[definition].owner)

    def _add_external(self, node: int, value: Value, kind: int) -> None:
        self._external.add(node)
        dotted = external_name(value)
        package = value.tag == Tag.PACKAGE or (kind == EdgeKind.IMPORTS and "." not in dotted)
        self.nodes.append(
            (
                node,
                NodeKind.EXTERNAL_PACKAGE if package else NodeKind.EXTERNAL_SYMBOL,
                dotted.rsplit(".", 1)[-1],
                dotted,
                0,
                0,
                0,
                0,
                0,
                0,
                "",
                "",
                external_symbol(dotted),
            )
        )


__all__ = ["Documents", "ResolvedDocument", "SourceDocument", "display", "is_node", "key_of"]
