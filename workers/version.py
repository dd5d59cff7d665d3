"""Which pipeline made a snapshot.

A snapshot answers for a commit only as long as the same code would make the same graph of it. That
is decided by the code itself, not by a number that somebody would have to remember to raise.
"""

import hashlib
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

# What decides which nodes and edges there are. How they get into the database is not in it.
_ROOMS = ("parsers", "graph/model", "graph/resolve", "workers/stages")
_LIBRARIES = ("tree-sitter", "tree-sitter-language-pack")
_DIGEST_BYTES = 16


@cache
def pipeline_version() -> str:
    """A digest of the code, the grammars and the interpreter that turn bytes into a graph."""
    root = Path(__file__).parent.parent
    parts = [f"python {sys.version_info.major}.{sys.version_info.minor}"]
    parts += [f"{library} {version(library)}" for library in _LIBRARIES]
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=_DIGEST_BYTES)
    for room in _ROOMS:
        for source in sorted((root / room).rglob("*.py")):
            digest.update(str(source.relative_to(root)).encode())
            digest.update(hashlib.blake2b(source.read_bytes()).digest())
    return digest.hexdigest()
