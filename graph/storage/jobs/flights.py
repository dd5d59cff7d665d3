"""Which jobs must not run at once."""

from graph.model.jobs import JobKind
from graph.storage.refs import DEFAULT


def flight(kind: JobKind, ref: str | None, commit: str | None) -> str:
    """What a job is in its repository the only one to be doing."""
    if not kind.reads_remote:
        return f"kind:{kind.name}"
    if ref is None and commit is not None:
        return f"commit:{commit}"
    return f"ref:{ref or DEFAULT}"
