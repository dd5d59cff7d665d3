"""Links: the edges before they have ids."""

from typing import NamedTuple

from graph.resolve.values import Target
from parsers.facts import DefinitionKind

VARIABLES = frozenset(
    {
        DefinitionKind.VARIABLE,
        DefinitionKind.CONSTANT,
        DefinitionKind.FIELD,
        DefinitionKind.PARAMETER,
    }
)
TYPES = frozenset(
    {
        DefinitionKind.CLASS,
        DefinitionKind.STRUCT,
        DefinitionKind.INTERFACE,
        DefinitionKind.ENUM,
        DefinitionKind.TRAIT,
        DefinitionKind.TYPE_ALIAS,
    }
)


class Link(NamedTuple):
    """One use of one target."""

    source: int  # the definition around the use, in this file; NONE is the file
    target: Target
    kind: int
    certainty: int
    rule: int
    candidates: int
    line: int
    column: int
    name: str
