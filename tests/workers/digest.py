"""What a ref answers with, as one value: two equal graphs have equal digests."""

import hashlib

from sqlalchemy import text

from graph.storage.session import tenant_session
from tests.workers.stand import Stand

_MEMBERS = """
  from refs f
  join snapshots s on s.tenant_id = f.tenant_id and s.repository = f.repository
    and s.snapshot = f.head
  join documents d on d.tenant_id = s.tenant_id and d.repository = s.repository
    and d.document <@ s.documents
"""
_DOCUMENTS = f"""
select d.path, d.blob_sha, d.language, d.status, d.skip_reason, d.lines, d.size_bytes, d.resolved,
  d.external, d.unresolved {_MEMBERS}
where f.tenant_id = :tenant_id and f.repository = :repository and f.name = :ref order by 1
"""
_NODES = f"""
select d.path, n.symbol, n.kind, n.name, n.qualified_name, n.line, n.utf16_column, n.start_line,
  n.end_line, n.flags, n.signature, n.doc, n.id, n.parent {_MEMBERS}
  join nodes n on n.tenant_id = d.tenant_id and n.repository = d.repository
    and n.document = d.document
where f.tenant_id = :tenant_id and f.repository = :repository and f.name = :ref
"""
_EDGES = f"""
select d.path, e.src, e.dst, e.kind, e.certainty, e.rule, e.candidates, e.line, e.utf16_column
  {_MEMBERS}
  join edges e on e.tenant_id = d.tenant_id and e.repository = d.repository
    and e.document = d.document
where f.tenant_id = :tenant_id and f.repository = :repository and f.name = :ref
"""


Rows = list[tuple[object, ...]]


def graph(stand: Stand, ref: str = "HEAD", repository: int | None = None) -> dict[str, Rows]:
    """Documents, nodes and edges that the ref answers with, in one order.

    Ids are replaced by the symbols they stand for: they differ between repositories.
    """
    place = {
        "tenant_id": stand.tenant_id,
        "repository": repository or stand.repository.number,
        "ref": ref,
    }
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        documents, nodes, edges = (
            [tuple(row) for row in conn.execute(text(query), place)]
            for query in (_DOCUMENTS, _NODES, _EDGES)
        )
    symbols = {row[12]: row[1] for row in nodes} | {0: None}
    named = [(*row[:12], symbols[row[13]]) for row in nodes]
    linked = [(row[0], symbols.get(row[1]), symbols.get(row[2]), *row[3:]) for row in edges]
    return {
        # What a resolution digest covers holds ids, so it is no part of this.
        "documents": sorted(documents, key=repr),
        "nodes": sorted(named, key=repr),
        "edges": sorted(linked, key=repr),
    }


def digest(stand: Stand, ref: str = "HEAD", repository: int | None = None) -> str:
    found = graph(stand, ref, repository)
    assert found["documents"], f"{ref} answers with nothing"
    return hashlib.sha256(repr(found).encode()).hexdigest()
