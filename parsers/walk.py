"""From a syntax tree to raw facts: one iterative walk that asks the language's rules.

The walk keeps its own stack, so nesting is bounded by memory and not by the interpreter. Each entry
carries where the node's value goes (`dest`), the scope it stands in and the role its parent gives
it; a rule records facts and pushes the children it wants visited, in reverse so that they come out
in the order of the source.

Walking every named node was measured against one combined tree-sitter query with the same captures:
facts need most identifiers and calls, and at that density `QueryCursor.matches` costs a third more
than the walk does, and still leaves parents and children to be joined by position.
"""

from collections.abc import Callable, Iterable, Sequence

from tree_sitter import Node

from parsers.facts import (
    NONE,
    Definition,
    DefinitionKind,
    Export,
    Expression,
    FileFacts,
    Import,
    Role,
    Scope,
    ScopeKind,
)
from parsers.language import Language, Rule

# How often the deadline is looked at: a node takes about a microsecond.
_CHECK_EVERY = 4096
_SIGNATURE_LENGTH = 240
# Names come again and again, and one string for all of them is smaller and faster to encode.
_REMEMBERED_LENGTH = 64
_DOC_LENGTH = 200

Entry = tuple[Node, int, int, int]


class NodeLimitReached(Exception):
    """The file has more syntax nodes than the limits allow."""


class Walk:
    """The state of one walk over one file, and the vocabulary that rules speak in."""

    __slots__ = (
        "_ascii",
        "_texts",
        "data",
        "definitions",
        "exports",
        "expressions",
        "imports",
        "language",
        "memory",
        "operands",
        "package",
        "scopes",
        "stack",
    )

    def __init__(self, data: bytes, language: Language) -> None:
        self.data = data
        self.language = language
        self.package = ""
        self.definitions: list[Definition] = []
        self.imports: list[Import] = []
        self.exports: list[Export] = []
        self.expressions: list[Expression] = []
        self.operands: list[int] = []
        self.scopes: list[Scope] = [Scope(ScopeKind.FILE, NONE, NONE)]
        self.stack: list[Entry] = []
        # What rules remember between nodes, e.g. (scope, name) of a variable already defined.
        self.memory: dict[object, int] = {}
        self._ascii = data.isascii()
        self._texts: dict[bytes, str] = {}

    def run(
        self,
        root: Node,
        rules: dict[int, Rule],
        *,
        node_limit: int,
        expired: Callable[[], bool],
    ) -> None:
        """Visit the tree below `root`.

        Raises:
            NodeLimitReached: more than `node_limit` nodes were visited.
            TimeoutError: `expired` said so.
        """
        stack = self.stack
        stack.append((root, NONE, 0, Role.READ))
        visited = 0
        get = rules.get
        while stack:
            node, dest, scope, role = stack.pop()
            rule = get(node.kind_id)
            if rule is not None:
                rule(self, node, dest, scope, role)
            else:
                for child in reversed(node.named_children):
                    stack.append((child, NONE, scope, role))
            visited += 1
            if not visited % _CHECK_EVERY:
                if visited > node_limit:
                    raise NodeLimitReached
                if expired():
                    raise TimeoutError

    # --- what rules ask about the source -----------------------------------------------------

    def text(self, node: Node) -> str:
        """The node's source text; undecodable bytes become U+FFFD, NUL becomes a space."""
        data = self.data[node.start_byte : node.end_byte]
        known = self._texts.get(data)
        if known is None:
            known = data.decode("utf-8", "replace").replace("\0", " ")
            if len(data) <= _REMEMBERED_LENGTH:
                self._texts[data] = known
        return known

    def position(self, node: Node) -> tuple[int, int]:
        """1-based line and 0-based column, in UTF-16 code units, of the node's first character."""
        row, column = node.start_point
        if not self._ascii and column:
            start = node.start_byte
            prefix = self.data[start - column : start]
            if not prefix.isascii():
                column = len(prefix.decode("utf-8", "replace").encode("utf-16-le")) // 2
        return row + 1, column

    def signature(self, node: Node, body: Node | None) -> str:
        """The source from `node` to its body on one line, cut to a readable length."""
        end = node.end_byte
        if body is not None:
            before = body.prev_sibling
            while before is not None and before.is_extra:  # a comment is no part of it
                before = before.prev_sibling
            end = before.end_byte if before is not None else body.start_byte
        raw = self.data[node.start_byte : min(end, node.start_byte + 4 * _SIGNATURE_LENGTH)]
        text = " ".join(raw.decode("utf-8", "replace").replace("\0", " ").split())
        return text[:_SIGNATURE_LENGTH].rstrip(" {:=>")

    def doc(self, text: str) -> str:
        """The first line of a comment or docstring that says something."""
        for line in text.splitlines():
            stripped = line.strip().strip("/*#\"'").strip()
            if stripped:
                return stripped[:_DOC_LENGTH]
        return ""

    # --- what rules record --------------------------------------------------------------------

    def push(self, node: Node | None, scope: int, dest: int = NONE, role: int = Role.READ) -> None:
        """Visit `node` next, before everything pushed earlier."""
        if node is not None:
            self.stack.append((node, dest, scope, role))

    def push_all(self, nodes: Sequence[Node], scope: int, role: int = Role.READ) -> None:
        """Visit `nodes` next, in their order."""
        for node in reversed(nodes):
            self.stack.append((node, NONE, scope, role))

    def slot(self) -> int:
        """A free operand for a value that is visited later; `Definition.values` takes slots."""
        self.operands.append(NONE)
        return len(self.operands) - 1

    def expression(
        self,
        op: int,
        at: Node,
        scope: int,
        dest: int,
        *,
        name: str = "",
        role: int = Role.READ,
        count: int = 0,
        binding: int = NONE,
    ) -> int:
        """Record an expression positioned at `at`, with `count` free operands; give its index.

        The operands are `first .. first + count` of `operands`, where `first` is
        `self.expressions[index].first`: pass them as `dest` when pushing the children.
        """
        expressions, operands = self.expressions, self.operands
        index = len(expressions)
        row, column = at.start_point
        if not self._ascii:
            _, column = self.position(at)
        expressions.append(
            Expression(op, name, row + 1, column, scope, role, binding, len(operands), count)
        )
        if count:
            operands.extend([NONE] * count)
        if dest >= 0:
            operands[dest] = index
        return index

    def open_scope(self, kind: int, parent: int, definition: int = NONE) -> int:
        """A new scope inside `parent`; the definition, if any, learns that this is its body."""
        self.scopes.append(Scope(kind, parent, definition))
        index = len(self.scopes) - 1
        if definition >= 0:
            self.definitions[definition].body = index
        return index

    def define(
        self,
        kind: DefinitionKind,
        name: str,
        at: Node,
        whole: Node,
        scope: int,
        flags: int = 0,
    ) -> int:
        """Record a definition whose name stands at `at` and which spans `whole`; give its index."""
        line, column = self.position(at)
        self.definitions.append(
            Definition(
                name,
                kind,
                scope,
                line,
                column,
                whole.start_point[0] + 1,
                whole.end_point[0] + 1,
                flags=flags,
                values=[],
                parameters=[],
                bases=[],
                decorators=[],
            )
        )
        return len(self.definitions) - 1

    def variable(
        self,
        kind: DefinitionKind,
        name: str,
        at: Node,
        whole: Node,
        scope: int,
        flags: int = 0,
    ) -> int:
        """The definition of a variable, made at its first assignment and found again later."""
        key = (scope, name)
        index = self.memory.get(key, NONE)
        if index < 0:
            index = self.define(kind, name, at, whole, scope, flags)
            self.memory[key] = index
        return index

    def function_scope(self, scope: int) -> int:
        """The nearest scope, from `scope` outwards, that is no block or comprehension."""
        while self.scopes[scope].kind in (ScopeKind.BLOCK, ScopeKind.COMPREHENSION):
            scope = self.scopes[scope].parent
        return scope

    def enclosing_class(self, scope: int) -> int:
        """The class scope whose method directly holds `scope`, or NONE."""
        while scope >= 0:
            entry = self.scopes[scope]
            if entry.kind == ScopeKind.CLASS:
                return scope
            scope = entry.parent
        return NONE

    def facts(self, lines: int, partial: str, errors: int) -> FileFacts:
        """The raw facts, before names are bound; slots are replaced by what reached them."""
        operands = self.operands
        for definition in self.definitions:
            definition.values = _filled(definition.values, operands)
            definition.bases = _filled(definition.bases, operands)
            definition.decorators = _filled(definition.decorators, operands)
            if definition.type >= 0:
                definition.type = operands[definition.type]
        for export in self.exports:
            if export.value >= 0:
                export.value = operands[export.value]
        return FileFacts(
            self.language.name,
            lines,
            self.package,
            self.definitions,
            self.imports,
            self.exports,
            self.scopes,
            self.expressions,
            operands,
            partial,
            errors,
        )


def _filled(slots: Iterable[int], operands: list[int]) -> list[int]:
    return [operands[slot] for slot in slots if operands[slot] >= 0]
