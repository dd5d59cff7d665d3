"""Places where a test can make a worker die, fail or wait, named by the stage that begins there.

`CODELOOM_FAILPOINT=parse:kill` ends the process as an out-of-memory killer would, `parse:raise`
raises, `parse:wait` waits for a minute or until the work is no longer wanted, `parse:stick` goes on
whatever it is told, `parse:hold` does so and lets no other thread of the process work either. Other
names are of places inside of a stage. `@/path` reads all that from a file, each time. Nothing is
set outside of tests.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from graph.errors import StorageError

_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.05

_log = structlog.get_logger(__name__)


def reach(name: str, failpoint: str, should_stop: Callable[[], bool]) -> None:
    """Do what the setting says should happen here: usually nothing."""
    if failpoint.startswith("@"):
        failpoint = Path(failpoint[1:]).read_text()
    place, _, action = failpoint.partition(":")
    if place != name:
        return
    _log.info("failpoint.reached", place=name, action=action)
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise StorageError(f"The failpoint {name} was reached.")
        case "wait":
            until = time.monotonic() + _WAIT_SECONDS
            while time.monotonic() < until and not should_stop():
                time.sleep(_POLL_SECONDS)
        case "stick":
            _stick()
        case "hold":
            _hold()
        case _:
            raise ValueError(f"unknown failpoint action: {action}")


def _hold() -> None:
    """Do what a loop in C does that does not let go of the interpreter: no signal is handled."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).sleep(int(_WAIT_SECONDS))


def _stick() -> None:
    """Do what a loop does that nobody thought of: not end, and take no exception for an answer."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        with suppress(Exception):
            time.sleep(_POLL_SECONDS)
