"""A program for the tests: hold a state directory with both stores until a signal comes.

    python holder.py HOME

Prints one JSON line when the stores are ready. Without migrations, so that what is tested is the
stores and their supervisor alone.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from service.embedded.errors import EmbeddedError
from service.embedded.postgres import PostgresServer
from service.embedded.state import RunningServer, StateDirectory
from service.embedded.supervisor import Supervisor
from service.embedded.valkey import ValkeyServer


async def hold(home: Path) -> None:
    state = StateDirectory(home)
    with state.held() as lock:
        postgres = PostgresServer(*state.postgres_places(), durable=False)
        valkey = ValkeyServer(state.valkey, state.sockets())
        await postgres.prepare()
        async with Supervisor(state.logs, inherit=[lock]) as supervisor:
            await supervisor.start(postgres.specification(), valkey.specification())
            await postgres.create_login()
            state.announce(
                RunningServer(os.getpid(), "http://127.0.0.1:1", postgres.url(), valkey.url())
            )
            stopped = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
            ready = {
                "pid": os.getpid(),
                "children": supervisor.pids(),
                "database_url": postgres.url(),
                "redis_url": valkey.url(),
            }
            print(json.dumps(ready), flush=True)
            await stopped.wait()


if __name__ == "__main__":
    try:
        asyncio.run(hold(Path(sys.argv[1])))
    except EmbeddedError as error:
        sys.exit(str(error))
