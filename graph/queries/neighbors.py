"""One step from a symbol along its calls. Longer walks are made of these steps elsewhere."""

from graph.model.ids import NodeId
from graph.queries.page import Key, Page
from graph.queries.references import CALLS, Direction, Link, links
from graph.queries.snapshots import Reading


def callers(
    reading: Reading, *, symbol: NodeId, after: Key | None = None, limit: int
) -> Page[Link]:
    """Who calls or instantiates the symbol, one item for each call site."""
    return links(reading, Direction.INCOMING, symbol=symbol, kinds=CALLS, after=after, limit=limit)


def callees(
    reading: Reading, *, symbol: NodeId, after: Key | None = None, limit: int
) -> Page[Link]:
    """What the symbol itself calls or instantiates, one item for each call site."""
    return links(reading, Direction.OUTGOING, symbol=symbol, kinds=CALLS, after=after, limit=limit)
