"""All tenants there are, page by page, for what is done by the clock for each of them."""

from collections.abc import Iterator

from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import retention
from graph.storage.session import system_session


def every_tenant(settings: Settings) -> Iterator[TenantId]:
    """Each once, in the order of their ids; not those that are being erased."""
    last: TenantId | None = None
    while True:
        with system_session("maintenance", settings=settings) as conn:
            page = retention.every_tenant(conn, after=last)
        if not page:
            return
        yield from page
        last = page[-1]
