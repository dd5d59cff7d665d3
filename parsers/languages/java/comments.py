"""Javadoc comments, found while walking down from the body that holds the declaration."""

from collections.abc import Sequence

from tree_sitter import Node

from parsers.facts import NONE
from parsers.walk import Walk

_MAX_BYTES = 2000


def remember(walk: Walk, children: Sequence[Node]) -> None:
    """Keep the Javadoc comment before each declaration for when that is recorded."""
    start = NONE
    for child in children:
        if child.type == "block_comment":
            start = child.start_byte
        elif child.type != "line_comment":
            if start >= 0:
                walk.memory["doc", child.start_byte] = start
            start = NONE


def doc(walk: Walk, node: Node) -> str:
    """The first sentence of the Javadoc comment that was kept for `node`."""
    start = walk.memory.get(("doc", node.start_byte), NONE)
    if start < 0 or walk.data[start : start + 3] != b"/**":
        return ""
    end = walk.data.find(b"*/", start, min(node.start_byte, start + _MAX_BYTES))
    raw = walk.data[start + 3 : end if end >= 0 else start + _MAX_BYTES].decode("utf-8", "replace")
    words: list[str] = []
    for line in raw.splitlines():
        text = line.strip().lstrip("*").strip()
        if text.startswith("@") or (not text and words):
            break
        words += text.split()
        if text.endswith(".") or ". " in text:
            break
    sentence, dot, _ = " ".join(words).partition(". ")
    return walk.doc(sentence + dot.strip())
