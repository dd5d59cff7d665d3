"""Places where a test can make a worker die, fail or wait, named by the stage that begins there.

`CODELOOM_FAILPOINT=parse:kill` ends the process as an out-of-memory killer would, `parse:raise`
raises, `parse:wait` waits for a minute or until the work is no longer wanted. Nothing is set
outside of tests.
"""

import os
import signal
import time
from collections.abc import Callable

from graph.errors import StorageError

_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.05


def reach(name: str, failpoint: str, should_stop: Callable[[], bool]) -> None:
    """Do what the setting says should happen here: usually nothing."""
    place, _, action = failpoint.partition(":")
    if place != name:
        return
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise StorageError(f"The failpoint {name} was reached.")
        case "wait":
            until = time.monotonic() + _WAIT_SECONDS
            while time.monotonic() < until and not should_stop():
                time.sleep(_POLL_SECONDS)
        case _:
            raise ValueError(f"unknown failpoint action: {action}")
