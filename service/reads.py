"""How every route that reads out of a snapshot answers.

Which snapshot it is, whether anything changed since the client last looked, and the shape that all
such answers share.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from graph.model.ids import RepositoryId, SnapshotId
from graph.queries import snapshots
from graph.queries.page import Key, Page
from graph.queries.snapshots import PublishedSnapshot, Reading, Selection
from graph.storage.session import tenant_session
from service import etags, schemas, shapes
from service.deps import Paged, Reader, Shared, made, may_use
from service.wire import Text

# Part of every entity tag: raised when the same snapshot begins to be told in another shape.
_REVISION = 1
_MAX_REF = 1024

Row = TypeVar("Row")
Item = TypeVar("Item")

RepositoryParameter = Annotated[UUID, Path(description="The repository.")]


class GraphRead:
    """A request that one snapshot answers."""

    def __init__(
        self,
        *,
        caller: Reader,
        backend: Shared,
        repository_id: RepositoryParameter,
        ref: Annotated[
            Text | None,
            Query(min_length=1, max_length=_MAX_REF, description="Answer with this ref's head."),
        ] = None,
        commit: Annotated[
            str | None,
            Query(
                pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$",
                description="Answer with the newest snapshot of this commit.",
            ),
        ] = None,
        snapshot: Annotated[UUID | None, Query(description="Answer with this snapshot.")] = None,
        if_none_match: Annotated[
            str | None, Header(description="The ETag of an earlier answer.")
        ] = None,
    ) -> None:
        self._caller = caller
        self._settings = backend.settings
        self._repository_id = RepositoryId(repository_id)
        self._ref = ref
        self._selection = Selection(
            ref=ref,
            commit=commit,
            snapshot_id=None if snapshot is None else SnapshotId(snapshot),
        )
        self._known = if_none_match

    def answer(
        self,
        build: Callable[[Reading], BaseModel],
        *,
        snapshot: bytes = b"",
    ) -> Response:
        """What `build` makes of the snapshot, or 304 when the client has that already.

        `snapshot` is the one that the pages before came from, if there were any.
        """
        selection = self._selection
        if snapshot:
            selection = Selection(snapshot_id=SnapshotId(UUID(bytes=snapshot)))
        may_use(self._caller, self._repository_id)
        with tenant_session(self._caller.tenant_id, settings=self._settings) as connection:
            reading = snapshots.open_reading(
                connection,
                repository_id=self._repository_id,
                selection=selection,
            )
            if self._ref is not None:
                reading = replace(reading, snapshot=replace(reading.snapshot, ref=self._ref))
            headers = _headers(reading.snapshot)
            if etags.matches_any(self._known, headers["etag"]):
                return Response(status_code=304, headers=headers)
            body = build(reading)
        # Made into bytes here, in the worker thread, and not again by FastAPI.
        return Response(
            body.model_dump_json().encode(),
            media_type="application/json",
            headers=headers,
        )


OneRead = Annotated[GraphRead, Depends(made(GraphRead))]


class GraphListing:
    """A request for a page of a list that one snapshot answers."""

    def __init__(self, read: OneRead, paging: Paged) -> None:
        self._read = read
        self._paging = paging

    def page(
        self,
        shape: type[schemas.GraphPage[Item]],
        read: Callable[[Reading, Key | None, int], Page[Row]],
        item: Callable[[Row], Item],
    ) -> Response:
        """A page of the rows that `read` finds after a key, each made into an item."""
        after, snapshot = self._paging.position()

        def build(reading: Reading) -> BaseModel:
            found = read(reading, after, self._paging.limit)
            return shape(
                snapshot=shapes.snapshot(reading.snapshot),
                coverage=shapes.coverage(reading.snapshot),
                items=[item(row) for row in found.rows],
                next_cursor=self._paging.next_cursor(found, reading.snapshot.id.bytes),
                truncated=False,
            )

        return self._read.answer(build, snapshot=snapshot)


ListRead = Annotated[GraphListing, Depends(made(GraphListing))]


def _headers(snapshot: PublishedSnapshot) -> dict[str, str]:
    return {**etags.HEADERS, "etag": f'"{snapshot.id.hex}.{_REVISION}"'}
