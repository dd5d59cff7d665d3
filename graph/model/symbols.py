"""Symbols: the string identity of a definition, and the 64-bit node id made from it.

A symbol is shaped as SCIP writes them: the file's path as a namespace, then the descriptors of the
definition inside it: `src/app.py/Flask#run().`. It has no line and no commit in it, so it stays the
same when code moves within the file and in every snapshot. External symbols have the package or
module in angle brackets for a path: `<requests>/Session#`.
"""

import hashlib

from graph.model.ids import NodeId

_SIGN = 1 << 63
_RANGE = 1 << 64


def file_symbol(path: str) -> str:
    """The symbol of a whole file."""
    return f"{path}/"


def definition_symbol(path: str, descriptor: str) -> str:
    """The symbol of a definition in a file."""
    return f"{path}/{descriptor}"


def external_symbol(dotted: str) -> str:
    """The symbol of something defined outside the repository, by its dotted name."""
    return f"<{dotted}>"


def node_id(repository_number: int, symbol: str) -> NodeId:
    """The node's id: a signed 64-bit hash (BLAKE2b) of the repository and the symbol.

    Two symbols of one repository collide with a probability of about n²/2⁶⁵: one in 37 million for
    a repository of a million definitions.
    """
    digest = hashlib.blake2b(
        symbol.encode("utf-8", "surrogatepass"),
        digest_size=8,
        salt=repository_number.to_bytes(8, "little"),
    ).digest()
    value = int.from_bytes(digest, "little")
    return NodeId(value - _RANGE if value >= _SIGN else value)
