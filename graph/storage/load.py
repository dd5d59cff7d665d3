"""Loads documents with their nodes and edges: binary COPY, then insert-select under the policy.

COPY into a table with row-level security is not supported, so rows go into temporary tables first,
without the columns that are the same for all of them, and from there into their tables in one
statement each. Measured, that costs 1.1 times a bare COPY into the same indexed tables.

What may happen to a load, and why it does no harm:

1. It is killed. A batch is one transaction, and a document is written in the transaction of its
   nodes and edges: each is there as a whole or not at all. The next load finds what is there.
2. It runs twice at the same time, for two refs that share files. The unique key of a document
   decides; the second one waits for the first, uses its document and drops its own rows. Documents
   are inserted in the order of their keys, so two loads never wait for each other.
3. The server crashes. Batches are committed without waiting for the disk, because nothing is
   visible before it is published, and publishing does wait: the log is written in order, so what
   was committed before it is on the disk with it. What a crash did lose, publishing misses and
   refuses. Numbers of documents are handed out in a commit of their own that does wait: a number
   that was lost and came again would let publishing mistake one document for another.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text

from graph import telemetry
from graph.errors import StorageRefused
from graph.model.ids import DocumentId, RepositoryNumber, TenantId
from graph.model.rows import DocumentRows
from graph.settings import Settings
from graph.storage import counters, documents
from graph.storage.copying import (
    Numbered,
    cleaned,
    document_key,
    store_documents,
    store_rows,
)
from graph.storage.session import tenant_session

# Large enough that the fixed cost of a batch does not show, small enough to hold two in memory.
BATCH_ROWS = 50_000

_DO_NOT_WAIT = text("set local synchronous_commit = off")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load has made sure is there."""

    documents: frozenset[DocumentId]  # all that were added or reused
    new: frozenset[DocumentId]  # those that were written
    nodes: int  # rows that were written
    edges: int


@contextmanager
def open_load(
    tenant_id: TenantId,
    *,
    repository: RepositoryNumber,
    settings: Settings | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator["Loader"]:
    """A loader for one repository; `finish` says what is there in the end."""
    sender = ThreadPoolExecutor(1, thread_name_prefix="load")
    try:
        yield Loader(tenant_id, repository, settings, batch_rows, sender)
    finally:
        # A batch under way ends by itself; the next load finds it, or finds that it failed.
        sender.shutdown(cancel_futures=True)


class Loader:
    """Collects documents and stores them in batches, one of which is under way meanwhile.

    Every method raises StorageError or StorageRefused, also for a batch that was sent before.
    """

    def __init__(
        self,
        tenant_id: TenantId,
        repository: RepositoryNumber,
        settings: Settings | None,
        batch_rows: int,
        sender: ThreadPoolExecutor,
    ) -> None:
        """Use `open_load`."""
        self._tenant_id = tenant_id
        self._repository = repository
        self._settings = settings
        self._batch_rows = batch_rows
        self._sender = sender
        self._collected: dict[bytes, DocumentRows] = {}
        self._collected_rows = 0
        self._under_way: Future[None] | None = None
        self._documents: set[DocumentId] = set()
        self._new: set[DocumentId] = set()
        self.nodes = 0
        self.edges = 0

    def add(self, rows: DocumentRows) -> None:
        """The document will be stored, or found to be there already."""
        self._collected[document_key(rows.document)] = rows
        self._collected_rows += 1 + len(rows.nodes) + len(rows.edges)
        if self._collected_rows >= self._batch_rows:
            self._send_on()

    def reuse(self, document: DocumentId) -> None:
        """The document, which is known to be stored, belongs to what is being loaded."""
        self._documents.add(document)

    def finish(self) -> Loaded:
        """Everything that was added is stored; says what there is."""
        self._send_on()
        self._wait()
        return Loaded(
            documents=frozenset(self._documents),
            new=frozenset(self._new),
            nodes=self.nodes,
            edges=self.edges,
        )

    def _send_on(self) -> None:
        self._wait()
        batch, self._collected, self._collected_rows = self._collected, {}, 0
        if batch:
            self._under_way = self._sender.submit(telemetry.carried(self._store), batch)

    def _wait(self) -> None:
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None

    def _store(self, batch: dict[bytes, DocumentRows]) -> None:
        try:
            self._store_new(batch)
        except (StorageRefused, UnicodeEncodeError):
            # Text that the database cannot hold is rare and costs much to look for, so it is only
            # looked for now. If it was something else, that happens again.
            self._store_new({key: cleaned(rows) for key, rows in batch.items()})

    def _store_new(self, batch: dict[bytes, DocumentRows]) -> None:
        numbered = self._number(batch)
        if not numbered:
            return
        with self._session() as conn:
            conn.execute(_DO_NOT_WAIT)
            stored = store_documents(conn, repository=self._repository, batch=numbered)
            ours = [document for document in numbered if document.id in stored]
            nodes, edges = store_rows(conn, repository=self._repository, batch=ours)
            beaten = [document.key for document in numbered if document.id not in stored]
            theirs = documents.known(conn, repository=self._repository, keys=beaten)
        self._documents |= stored | set(theirs.values())
        self._new |= stored
        self.nodes += nodes
        self.edges += edges

    def _number(self, batch: dict[bytes, DocumentRows]) -> list[Numbered]:
        """The documents that are not there yet, each with a number of its own."""
        with self._session() as conn:
            there = documents.known(conn, repository=self._repository, keys=batch)
            missing = [key for key in batch if key not in there]
            first = 0
            if missing:
                first = counters.take(
                    conn, name="documents", repository=self._repository, count=len(missing)
                )
        self._documents |= set(there.values())
        return [
            Numbered(id=DocumentId(number), key=key, rows=batch[key])
            for number, key in enumerate(missing, first)
        ]

    def _session(self) -> AbstractContextManager[Connection]:
        return tenant_session(self._tenant_id, role="worker", settings=self._settings)
