"""Documents -> rows in the database, invisible until they are published."""

from collections.abc import Callable, Iterable, Mapping

from graph.model.ids import RepositoryNumber, TenantId
from graph.model.rows import DocumentRows
from graph.settings import Settings
from graph.storage import usage
from graph.storage.jobs import ClaimedJob, Counts
from graph.storage.load import Loaded, open_load
from graph.storage.session import tenant_session
from workers.stages.resolve import Kept


def check_room(job: ClaimedJob, wanted: Mapping[str, int], settings: Settings) -> None:
    """Raise QuotaExceeded if the tenant has no room for so many `files` or `lines`.

    Asked as soon as they are known: what is loaded before a limit is met stays charged.
    """
    with tenant_session(job.tenant_id, role="worker", settings=settings) as conn:
        usage.check_room(conn, repository=job.repository.number, wanted=wanted)


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
    stays, invisible, and is found by the next attempt. Raises QuotaExceeded for a batch that would
    pass a limit of the tenant.
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
