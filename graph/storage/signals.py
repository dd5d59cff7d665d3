"""Wake-up calls through the database: what was committed is told to whoever waits.

A call says only "look again". It may be lost (a reconnecting listener misses what was told
meanwhile), so every listener also looks at intervals.
"""

from sqlalchemy import Connection, text

from graph.settings import Settings
from graph.storage.engine import Role
from graph.storage.failures import translated
from graph.storage.own_connection import OwnConnection

# A job may have become ready, or a slot free.
JOBS_CHANNEL = "codeloom_jobs"
# A job went on to another state; a trigger tells which, see the migration.
JOB_STATES_CHANNEL = "codeloom_job_states"

_TELL = text("select pg_notify(:channel, '')")


def tell(conn: Connection, channel: str = JOBS_CHANNEL) -> None:
    """Listeners are woken when this transaction commits; not at all if it does not."""
    conn.execute(_TELL, {"channel": channel})


class Listener(OwnConnection):
    """Waits for calls on one channel."""

    def __init__(
        self, settings: Settings, channel: str = JOBS_CHANNEL, *, role: Role = "dispatcher"
    ) -> None:
        """Calls that are committed from now on are heard."""
        super().__init__(settings, role)
        with translated():
            self._connection.execute(f'listen "{channel}"')  # the names are constants of ours

    def wait(self, seconds: float) -> bool:
        """Whether a call came within that time; several calls that have come count as one."""
        with translated():
            heard = list(self._connection.notifies(timeout=seconds, stop_after=1))
        return bool(heard)

    def calls(self, seconds: float) -> list[str]:
        """What was told, if anything was within that time."""
        with translated():
            return [
                call.payload for call in self._connection.notifies(timeout=seconds, stop_after=1)
            ]
