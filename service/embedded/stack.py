"""What runs, in which order, and how a command asks for it.

    storage     PostgreSQL and Valkey, then the migrations
    complete    storage, then the API, the dispatcher, the workers and beat together

The stop goes the other way: first what takes work in (API, dispatcher, beat), then the workers,
which finish or give back what they hold, then the stores. A part whose address is in the
settings (`DATABASE_URL`, `REDIS_URL`) is not started and not stopped. A process of ours that dies
is started again, unless it dies again and again; a store that dies ends the stack.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from graph.settings import Settings
from graph.storage import migrate
from service.embedded import services
from service.embedded.errors import AddressTaken
from service.embedded.postgres import PostgresServer
from service.embedded.state import RunningServer, StateDirectory
from service.embedded.supervisor import Supervisor
from service.embedded.valkey import ValkeyServer

Say = Callable[[str], None]
OnReady = Callable[["Stack"], Awaitable[int | None]]

_INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended
_LAST_WORDS_SECONDS = 2
# The stop goes through these in turn. What each may take adds up to less than ten seconds.
_TAKES_WORK_IN = ("api", "dispatcher", "beat")
_DOES_WORK = tuple(f"worker-{group}" for group in services.WORKER_GROUPS)
_STORES = ("valkey", "postgres")


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack, as a command in the same process sees it."""

    # With the addresses of the parts that were started; the same that the children got.
    settings: Settings
    # Where the API answers; None when only the stores run.
    address: str | None
    log_folder: Path
    supervisor: Supervisor


def say_to_stderr(line: str) -> None:
    """Standard output belongs to the answers of a command."""
    sys.stderr.write(f"codeloom: {line}\n")
    sys.stderr.flush()


@contextlib.asynccontextmanager
async def storage(settings: Settings, *, say: Say = say_to_stderr) -> AsyncIterator[Stack]:
    """The stores run, migrated, for the time of the context; nothing else does.

    Raises StateInUse when another stack holds the state directory, ProcessFailed when a store
    does not start.
    """
    state = StateDirectory(settings.codeloom_home)
    with state.held() as lock:
        async with Supervisor(state.logs, inherit=[lock]) as supervisor:
            settings = await _start_stores(settings, state, supervisor)
            await asyncio.to_thread(migrate.upgrade, settings)
            say("stores ready")
            stack = Stack(settings, None, state.logs, supervisor)
            state.announce(_described(stack))
            try:
                yield stack
            finally:
                await supervisor.stop(_STORES)


@contextlib.asynccontextmanager
async def complete(settings: Settings, *, say: Say = say_to_stderr) -> AsyncIterator[Stack]:
    """Everything runs and is ready for the time of the context.

    Raises AddressTaken before anything is started when something listens where the API should;
    otherwise as `storage`.
    """
    settings = _with_port(settings)
    async with storage(settings, say=say) as stores:
        supervisor = stores.supervisor
        state = StateDirectory(settings.codeloom_home)
        try:
            await supervisor.start(
                services.api(stores.settings),
                services.dispatcher(stores.settings),
                *(services.worker(stores.settings, group) for group in services.WORKER_GROUPS),
                services.beat(stores.settings),
            )
            address = services.address(stores.settings)
            stack = Stack(stores.settings, address, state.logs, supervisor)
            state.announce(_described(stack))
            say(f"ready at {address}")
            yield stack
        finally:
            await supervisor.stop(_TAKES_WORK_IN)
            await supervisor.stop(_DOES_WORK)


def up(settings: Settings, *, on_ready: OnReady | None = None, say: Say = say_to_stderr) -> int:
    """Run everything until SIGINT or SIGTERM, or until `on_ready` answers an exit code.

    `on_ready` is called once everything is ready; an answer of None means "keep serving". When
    the stop comes first it is cancelled, and has two seconds before the stack goes.
    The answer is 0 after a signal, 130 when the signal came before `on_ready` was done, 1 when a
    process of the stack ended by itself, for good. Raises what `complete` raises.
    """
    return asyncio.run(_until_stopped(settings, on_ready, say))


@contextlib.contextmanager
def opened(
    settings: Settings,
    *,
    everything: bool = False,
    say: Say = say_to_stderr,
) -> Iterator[Settings]:
    """Settings with which one command can work on the state directory, without an event loop.

    When a stack already runs there, these are its addresses. Otherwise the stores (or, when asked
    for, everything) are started for the time of the context. Raises what `complete` raises.

    A database of one's own needs no stores for a command, and is left as it is: it may serve
    others, who decide when it is migrated.
    """
    if settings.database_url is not None and not everything:
        yield settings
        return
    server = running(settings)
    if server is not None:
        yield _of_running(settings, server)
        return
    with asyncio.Runner() as runner:
        context = complete(settings, say=say) if everything else storage(settings, say=say)
        stack = runner.run(_enter(context))
        try:
            yield stack.settings
        finally:
            runner.run(_leave(context))


def running(settings: Settings) -> RunningServer | None:
    """The stack that another process runs on the same state directory, if one does."""
    return StateDirectory(settings.codeloom_home).running()


async def _until_stopped(settings: Settings, on_ready: OnReady | None, say: Say) -> int:
    work = asyncio.create_task(_serve(settings, on_ready, say))
    asked = asyncio.Event()

    def stop() -> None:
        # Only once: a second Ctrl-C must not interrupt the stop itself.
        if not asked.is_set():
            asked.set()
            say("stopping")
            work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever started us with a signal ignored (`nohup`) wants it ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)
    try:
        return await work
    except asyncio.CancelledError:
        return _INTERRUPTED


async def _serve(settings: Settings, on_ready: OnReady | None, say: Say) -> int:
    async with complete(settings, say=say) as stack:
        failure = asyncio.create_task(stack.supervisor.keep(say))
        answer = asyncio.ensure_future(on_ready(stack)) if on_ready else None
        try:
            if answer is not None:
                await asyncio.wait({failure, answer}, return_when=asyncio.FIRST_COMPLETED)
                if answer.done() and (code := answer.result()) is not None:
                    return code
                answer.cancel()
            try:
                say(str(await failure))
            except asyncio.CancelledError:
                # Serving until somebody asks to stop is what was asked for.
                return 0
            return 1
        finally:
            # What the answer began it may put away while there still is an API to say so to.
            last = {failure} if answer is None else {failure, answer}
            for task in last:
                task.cancel()
            await asyncio.wait(last, timeout=_LAST_WORDS_SECONDS)


async def _start_stores(
    settings: Settings,
    state: StateDirectory,
    supervisor: Supervisor,
) -> Settings:
    """The stores that have no address yet run afterwards; answers settings that have them all."""
    found: dict[str, object] = {"codeloom_home": state.home, "artifacts_url": settings.artifacts}
    specifications = []
    postgres: PostgresServer | None = None
    if settings.database_url is None:
        postgres = PostgresServer(*state.postgres_places())
        await postgres.prepare()
        specifications.append(postgres.specification())
        found["database_url"] = postgres.url()
    if settings.redis_url is None:
        valkey = ValkeyServer(state.valkey, state.sockets())
        specifications.append(valkey.specification())
        found["redis_url"] = valkey.url()
    if "allow_local_repositories" not in settings.model_fields_set:
        # Everything here belongs to one person, whose own files are what they want to see.
        found["allow_local_repositories"] = True
    if "shutdown_grace_seconds" not in settings.model_fields_set:
        # Streams of events never end by themselves, and Ctrl-C is not to be waited for.
        found["shutdown_grace_seconds"] = 1
    await supervisor.start(*specifications)
    if postgres is not None:
        await postgres.create_login()
    return settings.model_copy(update=found)


def _of_running(settings: Settings, server: RunningServer) -> Settings:
    found: dict[str, object] = {
        "database_url": server.database_url,
        "redis_url": server.redis_url,
        "artifacts_url": settings.artifacts,
    }
    if server.address is not None:
        parts = urlsplit(server.address)
        found |= {"codeloom_host": parts.hostname, "codeloom_port": parts.port}
    return settings.model_copy(update=found)


async def _enter(context: AbstractAsyncContextManager[Stack]) -> Stack:
    return await context.__aenter__()


async def _leave(context: AbstractAsyncContextManager[Stack]) -> None:
    await context.__aexit__(None, None, None)


def _with_port(settings: Settings) -> Settings:
    """Settings whose port is free; 0 asks for any free one.

    Raises AddressTaken otherwise. The port may still be lost before the API binds it, which then
    says so in its log; this check gives the common case its clear message.
    """
    family = socket.AF_INET6 if ":" in settings.codeloom_host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the API does: a port that only lingers after a stop counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.codeloom_host, settings.codeloom_port))
        except OSError as error:
            raise AddressTaken(
                f"The API cannot listen on {settings.codeloom_host}:{settings.codeloom_port}: "
                f"{error.strerror}. Stop what listens there, or choose another "
                "port with CODELOOM_PORT (0 takes any free one).",
            ) from error
        return settings.model_copy(update={"codeloom_port": probe.getsockname()[1]})


def _described(stack: Stack) -> RunningServer:
    return RunningServer(
        pid=os.getpid(),
        address=stack.address,
        database_url=str(stack.settings.database_url),
        redis_url=str(stack.settings.redis_url),
    )
