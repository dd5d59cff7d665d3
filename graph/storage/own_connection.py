"""What lives as long as a session of the database: a lock, a listener."""

from types import TracebackType
from typing import Self

from graph.settings import Settings
from graph.storage.engine import Role, dedicated
from graph.storage.failures import translated


class OwnConnection:
    """A connection outside any pool, closed at the end of the block.

    Raises StorageError, from every method, when it has died; open a new one then.
    """

    def __init__(self, settings: Settings, role: Role) -> None:
        """Connected afterwards."""
        with translated():
            self._connection = dedicated(settings, role)

    def close(self) -> None:
        """End the connection; a second time does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
