"""A dead job as operators are told of it, by the API and at the command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graph.storage.jobs.dead import DeadJob


def told(row: "DeadJob") -> dict[str, Any]:
    """What is told of it; what it was about is its tenant's to read."""
    return {
        "id": row.id,
        "tenant_id": row.tenant_id,
        "kind": row.kind,
        "repository_id": row.repository_id,
        "large": row.large,
        "stage": row.stage,
        "error_code": row.error_code,
        "workers_lost": row.resets,
        "created_at": row.created_at,
        "died_at": row.died_at,
    }
