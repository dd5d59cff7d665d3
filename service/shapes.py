"""What the graph answers, in the shapes of the wire."""

from graph.model.ids import NodeId
from graph.queries import references, snapshots, symbols
from service import schemas

_RANGE = 1 << 64


def symbol_id(node: NodeId) -> str:
    """A node's id on the wire: its 64 bits, unsigned, as 16 hexadecimal digits."""
    return f"{node % _RANGE:016x}"


def node_id(text: str) -> NodeId:
    """The node of a well-formed symbol id."""
    value = int(text, 16)
    return NodeId(value - _RANGE if value >= _RANGE // 2 else value)


def snapshot(found: snapshots.PublishedSnapshot) -> schemas.Snapshot:
    """The snapshot that answers."""
    return schemas.Snapshot(
        id=found.id,
        commit=found.commit,
        ref=found.ref,
        published_at=found.published_at,
    )


def coverage(found: snapshots.PublishedSnapshot) -> schemas.Coverage:
    """How much of the commit the snapshot knows."""
    known = found.coverage
    return schemas.Coverage(
        files=known.files,
        parsed=known.parsed,
        skipped=dict(known.skipped),
        unresolved_ratio=round(known.unresolved_ratio, 4),
    )


def brief(found: symbols.Brief) -> schemas.SymbolBrief:
    """A symbol in a list."""
    return schemas.SymbolBrief(
        id=symbol_id(found.id),
        kind=found.kind.label,
        name=found.name,
        qualified_name=found.qualified_name,
        external=found.external,
        path=found.path,
        line=found.line,
        column=found.column,
    )


def symbol(found: symbols.Symbol) -> schemas.Symbol:
    """A symbol with its definition."""
    return schemas.Symbol(
        **dict(brief(found.brief)),
        language=found.language,
        start_line=found.start_line,
        end_line=found.end_line,
        parent=None if found.parent is None else symbol_id(found.parent),
        flags=list(found.flags),
        signature=found.signature,
        doc=found.doc,
    )


def edge(found: references.Edge) -> schemas.Edge:
    """Why two symbols are linked."""
    return schemas.Edge(
        kind=found.kind.label,
        certainty=found.certainty.label,
        rule=found.rule.label,
        candidates=found.candidates,
        site=schemas.Site(path=found.path, line=found.line, column=found.column),
    )


def link(found: references.Link) -> schemas.Link:
    """One edge with the symbol at its other end."""
    return schemas.Link(symbol=brief(found.symbol), edge=edge(found.edge))
