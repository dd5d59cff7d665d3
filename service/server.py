"""The HTTP server: the API behind uvicorn, with the limits of `service.connection`.

    python -m service.server

is how every API process begins, in the embedded stack as in a container. A SIGTERM ends it in good
order: it takes no more connections, answers what it has begun, and exits with 0.
"""

import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType

from starlette.types import ASGIApp
from uvicorn import Server
from uvicorn.supervisors import Multiprocess

from graph import telemetry
from graph.settings import Settings, get_settings
from service.app import create_app
from service.bounds import LimitedConfig, Limits
from service.connection import LimitedConnection

# Open files besides the clients' connections: the pools to the stores, logs, libraries.
_OTHER_FILES = 512
_STARTUP_FAILED = 3
# How long a thread of Python's may keep the others from running. The event loop needs its turn many
# times for every request; at the usual 5 ms, a few threads that make large answers delay each.
_SWITCH_SECONDS = 0.0005

Make = Callable[[Settings], ASGIApp]


def serve(settings: Settings, make: Make = create_app) -> None:
    """Serve until a signal says to stop; exits with another code than 0 if it cannot begin."""
    telemetry.configure("api", level=settings.log_level, form=settings.log_format)
    # uvicorn stops at these signals and then sends them once more, which would end us by signal.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ended)
    config = configuration(settings, make)
    if settings.api_processes > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
        return
    server = Server(config)
    server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILED)


def configuration(settings: Settings, make: Make = create_app) -> LimitedConfig:
    """How uvicorn runs the API; also what it hands to further processes, so all can be pickled."""
    limits = Limits(
        connections=_affordable(settings.max_connections),
        head_bytes=settings.max_header_bytes,
        head_seconds=settings.header_timeout_seconds,
        answer_seconds=settings.answer_timeout_seconds,
    )
    return LimitedConfig(
        limits,
        app=partial(_application, settings, make),
        factory=True,
        http=LimitedConnection,
        host=settings.codeloom_host,
        port=settings.codeloom_port,
        workers=settings.api_processes,
        loop="uvloop",
        ws="none",
        lifespan="on",
        interface="asgi3",
        # Our own log says more, and in the form that was asked for.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # What the client said of itself counts only from those who are known to say it truly.
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_grace_seconds,
    )


def _application(settings: Settings, make: Make) -> ASGIApp:
    sys.setswitchinterval(_SWITCH_SECONDS)
    parent = multiprocessing.parent_process()
    if parent is not None:
        # One of several. Killed, the process that started us could not tell us to stop.
        follow = partial(_follow, parent.sentinel)
        threading.Thread(target=telemetry.carried(follow), daemon=True).start()
    return make(settings)


def _follow(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _affordable(connections: int) -> int:
    """As many of these connections as this process can have files open, which it then may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted - _OTHER_FILES)


def _ended(_number: int, _frame: FrameType | None) -> None:
    """The stop is under way, or over."""


if __name__ == "__main__":
    serve(get_settings())
