"""Documents with nodes and edges, small and all different."""

import hashlib

from graph.model.rows import DocumentRow, DocumentRows, EdgeRow, NodeRow


def document(
    path: str = "a.py",
    *,
    content: str = "1",
    nodes: int = 3,
    edges: int = 2,
    name: str = "name",
    resolution: bytes = b"resolution",
) -> DocumentRows:
    """A document whose rows depend on nothing but what is said here."""
    first = int.from_bytes(
        hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()[:4], "big"
    )
    row = DocumentRow(
        path=path.encode("utf-8", "surrogateescape"),
        display_path=path,
        blob_sha=hashlib.sha1(content.encode()).hexdigest(),
        language="python",
        fingerprint=hashlib.sha256(content.encode()).digest(),
        resolution=resolution,
        status="parsed",
        skip_reason=None,
        lines=10,
        size_bytes=100,
        resolved=1,
        external=1,
        unresolved=0,
    )
    return DocumentRows(
        document=row,
        nodes=[node(first + number, f"{name}{number}") for number in range(nodes)],
        edges=[edge(first, first + number) for number in range(edges)],
    )


def node(number: int, name: str) -> NodeRow:
    return (number, 11, name, f"a.{name}", 0, 1, 4, 1, 2, 0, f"def {name}()", "Says.", f"a/{name}.")


def edge(src: int, dst: int) -> EdgeRow:
    return (src, dst, 4, 1, 2, 1, 7, 3)
