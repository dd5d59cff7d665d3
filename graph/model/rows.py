"""The rows of one document as they leave resolution and enter the database.

Nodes and edges are plain tuples in column order: a repository of a million lines makes over a
million of them, and a tuple is what the binary COPY takes without another copy.
"""

from dataclasses import dataclass
from typing import Literal

# id, kind, name, qualified_name, parent, line, column, start_line, end_line, flags,
# signature, doc, symbol. `parent` is 0 for a file. Lines are 1-based, columns 0-based UTF-16.
NodeRow = tuple[int, int, str, str, int, int, int, int, int, int, str, str, str]

# src, dst, kind, certainty, rule, candidates, line, column: the site is in the source's document.
EdgeRow = tuple[int, int, int, int, int, int, int, int]

DocumentStatus = Literal["parsed", "partial", "skipped"]


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One path with one content and one resolution.

    Two snapshots share a document when `path`, `fingerprint` and `resolution` are equal.
    """

    path: bytes
    display_path: str  # `path` as text, undecodable bytes escaped
    blob_sha: str
    language: str | None
    fingerprint: bytes  # cache key of the facts: content, grammar, rules and facts version
    resolution: bytes  # digest over the nodes and edges that follow
    status: DocumentStatus
    skip_reason: str | None
    lines: int
    size_bytes: int
    resolved: int  # references linked to a definition of this repository
    external: int  # references linked outside it
    unresolved: int  # references for which no evidence was found


@dataclass(frozen=True, slots=True)
class DocumentRows:
    """A document with everything that is stored under it."""

    document: DocumentRow
    nodes: list[NodeRow]
    edges: list[EdgeRow]
