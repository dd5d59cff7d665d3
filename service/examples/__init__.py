"""Examples of the API document: one story, from a key to who calls what.

Every body that an operation takes has an example, and so have the answers that people meet first.
Ids and times are the same throughout, so that a reader can follow one job or one symbol.
"""

from collections.abc import Mapping

from service.examples import graph, operators, repositories, tenants
from service.examples.story import Examples

__all__ = ["EXAMPLES", "Examples"]

# By operation id.
EXAMPLES: Mapping[str, Examples] = {
    **tenants.EXAMPLES,
    **repositories.EXAMPLES,
    **graph.EXAMPLES,
    **operators.EXAMPLES,
}
