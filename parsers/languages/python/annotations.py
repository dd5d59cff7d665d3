"""Types written inside strings: `x: "Foo[Bar]"` names Foo and Bar as much as the bare form does."""

import ast
import warnings

from tree_sitter import Node

from parsers.facts import Expression, Op, Role
from parsers.walk import Walk

# Longer strings are prose, and the standard parser's cost and depth grow with its input.
_MAX_LENGTH = 300


def record(walk: Walk, node: Node, text: str, dest: int, scope: int) -> bool:
    """Record the names in the annotation `text` of the string `node`; False if it is none."""
    if len(text) > _MAX_LENGTH or "\n" in text or not text.isascii():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the stranger's escapes and literals
            tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    line, column = walk.position(node)
    quote = node.named_children[0]
    offset = column + (quote.end_byte - quote.start_byte)
    _Recorder(walk, line, offset, scope).visit(tree.body, dest)
    return True


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class _Recorder:
    """Turns the standard library's expression nodes into ours, shifted to the string's place."""

    def __init__(self, walk: Walk, line: int, offset: int, scope: int) -> None:
        self.walk = walk
        self.line = line
        self.offset = offset
        self.scope = scope

    def visit(self, root: ast.expr, dest: int) -> None:
        pending: list[tuple[ast.expr, int]] = [(root, dest)]
        while pending:
            node, slot = pending.pop()
            pending.extend(self._record(node, slot))

    def _record(self, node: ast.expr, dest: int) -> list[tuple[ast.expr, int]]:
        match node:
            case ast.Name():
                self._add(Op.NAME, node.id, node.col_offset, dest, 0)
                return []
            case ast.Attribute():
                column = (node.end_col_offset or 0) - len(node.attr)
                first = self._add(Op.MEMBER, node.attr, column, dest, 1)
                return [(node.value, first)]
            case ast.Subscript():
                keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                first = self._add(Op.INDEX, "", node.col_offset, dest, 1 + len(keys))
                return [(node.value, first), *((k, first + i) for i, k in enumerate(keys, 1))]
            case ast.BinOp(op=ast.BitOr()):
                first = self._add(Op.UNION, "", node.col_offset, dest, 2)
                sides = [(node.left, first), (node.right, first + 1)]
                return [side for side in sides if not _is_none(side[0])]
            case ast.List():
                first = self._add(Op.SEQUENCE, "list", node.col_offset, dest, len(node.elts))
                return [(element, first + i) for i, element in enumerate(node.elts)]
            case ast.Constant(value=None):
                self._add(Op.LITERAL, "None", node.col_offset, dest, 0)
                return []
            case _:
                return []

    def _add(self, op: Op, name: str, column: int, dest: int, count: int) -> int:
        walk = self.walk
        first = len(walk.operands)
        walk.operands.extend([-1] * count)
        walk.expressions.append(
            Expression(
                op, name, self.line, self.offset + column, self.scope, Role.TYPE, -1, first, count
            )
        )
        if dest >= 0:
            walk.operands[dest] = len(walk.expressions) - 1
        return first
