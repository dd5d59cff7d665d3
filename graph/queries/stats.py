"""What stands out in a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass

from graph.model.edges import EdgeKind
from graph.model.nodes import NodeKind
from graph.queries import symbols
from graph.queries.references import TARGET, USES
from graph.queries.snapshots import MEMBER, Reading, statement


@dataclass(frozen=True, slots=True)
class Used:
    """A symbol and how often it is used."""

    symbol: symbols.Brief
    uses: int


# The symbols that most edges point at. Reads every edge of the repository once, from the index
# that holds them by target; looking up what they point at stops at the number that is wanted.
_MOST_USED = statement(
    """
with used as (
  select e.dst as far, count(*) as uses
  from edges e
  where e.tenant_id = :tenant and e.repository = :repository and e.kind = any(:edge_kinds)
    and e.document {member}
  group by e.dst
  order by uses desc, e.dst
)
select u.uses, n.*
from used u
join lateral (
{end}
) n on n.kind = any(:node_kinds)
order by u.uses desc, u.far
limit :limit
""".replace("{end}", TARGET.replace("p.far", "u.far")),
    columns=symbols.FULL,
    member=MEMBER,
)


def most_used(
    reading: Reading,
    *,
    node_kinds: Sequence[NodeKind],
    edge_kinds: Sequence[EdgeKind] = USES,
    limit: int,
) -> list[Used]:
    """The symbols of these kinds that most edges point at, the most used first."""
    found = reading.rows(
        _MOST_USED,
        node_kinds=[int(kind) for kind in node_kinds],
        edge_kinds=[int(kind) for kind in edge_kinds],
        limit=limit,
    )
    return [Used(symbols.brief(row), row.uses) for row in found]
