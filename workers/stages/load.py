"""Documents -> rows in the database, invisible until they are published."""

from collections.abc import Callable, Iterable

from graph.model.ids import RepositoryNumber, TenantId
from graph.model.rows import DocumentRows
from graph.settings import Settings
from graph.storage.jobs import Counts
from graph.storage.load import Loaded, open_load
from workers.stages.resolve import Kept


def load(
    documents: Iterable[DocumentRows | Kept],
    *,
    tenant_id: TenantId,
    repository: RepositoryNumber,
    settings: Settings,
    on_progress: Callable[[Counts], None],
) -> Loaded:
    """Store every document that is not there yet; says which documents there are.

    `on_progress` is called after each document, and may raise to stop. What was stored by then
    stays, invisible, and is found by the next attempt.
    """
    with open_load(tenant_id, repository=repository, settings=settings) as loader:
        for document in documents:
            match document:
                case Kept():
                    loader.reuse(document.document)
                case DocumentRows():
                    loader.add(document)
            on_progress(Counts(nodes=loader.nodes, edges=loader.edges))
        return loader.finish()
