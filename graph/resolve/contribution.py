"""What one file contributes to the graph: its rows, in the making."""

import posixpath
from typing import TYPE_CHECKING

from graph.model.edges import Certainty, EdgeKind, Rule
from graph.model.nodes import NodeKind
from graph.model.rows import EdgeRow, NodeRow
from graph.model.symbols import definition_symbol, external_symbol, file_symbol, node_id
from graph.resolve.binder import Binder
from graph.resolve.nodes import NODE_KIND_OF, external_name, is_node
from graph.resolve.values import Tag, Value, definition_of, file_of
from parsers.facts import NONE, Definition
from parsers.scopes import is_partial

if TYPE_CHECKING:
    from graph.resolve.documents import Documents, SourceDocument


class RowMaker:
    """The rows of one document in the making."""

    def __init__(
        self, documents: "Documents", binder: Binder | None, source: "SourceDocument"
    ) -> None:
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
            self._add_definition(index, definition, symbol)

    def _add_definition(self, index: int, definition: Definition, symbol: str) -> None:
        node = self._node_of[index] = node_id(self.documents.repository, symbol)
        parent = self._parent(definition)
        line, column = definition.line, definition.column
        self.nodes.append(
            (
                node,
                NODE_KIND_OF[definition.kind],
                definition.name,
                definition.qualified_name,
                parent,
                line,
                column,
                definition.start_line,
                definition.end_line,
                definition.flags,
                definition.signature,
                definition.doc,
                symbol,
            )
        )
        kind = EdgeKind.DEFINES if parent == self.file else EdgeKind.CONTAINS
        self.edges.append((parent, node, kind, Certainty.EXACT, Rule.STRUCTURE, 1, line, column))

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
                elif documents.has_node(target):
                    node = documents.id_of(target)
                elif documents.is_literal(target):
                    # What another file exports without a name is, to others, that file.
                    node = documents.id_of(Value(Tag.MODULE, file_of(target)))
                else:
                    continue
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
