"""Places where a test can make a worker die or fail, named by the stage that would begin there.

`CODELOOM_FAILPOINT=parse:kill` ends the process as an out-of-memory killer would; `parse:raise`
raises. Nothing is set outside of tests.
"""

import os
import signal

from graph.errors import StorageError


def reach(name: str, failpoint: str) -> None:
    """Do what the setting says should happen here: usually nothing."""
    place, _, action = failpoint.partition(":")
    if place != name:
        return
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise StorageError(f"The failpoint {name} was reached.")
        case _:
            raise ValueError(f"unknown failpoint action: {action}")
