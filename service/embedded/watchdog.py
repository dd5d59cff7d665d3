"""The last one out: ends what a killed supervisor leaves behind.

The supervisor starts this file as a program of its own, before anything else, and tells it the
session of each child over a pipe. When the pipe closes without a farewell the supervisor was
killed. The kernel has then signalled the children; whatever of them or of their descendants is
left after a grace period is killed here. A child alone could not promise that: a busy grandchild
(a job's process, a parser) hears nothing of the kernel's signal to its parent.

The watchdog also inherits the lock on the state directory, so the directory stays locked until
the last process is gone.

Standard library only, nothing imported from the project: it must start in milliseconds and
survive anything.
"""

import os
import signal
import sys
import time
from pathlib import Path

FAREWELL = "farewell"
# Before a session: nothing of it is left, and its number may become another's.
GONE = "-"
GRACE_SECONDS = 1.5
_POLL_SECONDS = 0.05

# Processes by their id, with their start times: an id alone may belong to another one later.
Known = dict[int, str]

# Fields of /proc/<pid>/stat after the name, which may itself hold spaces and brackets.
_STATE, _PARENT, _SESSION, _STARTED = 0, 1, 3, 19


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _processes() -> dict[int, list[str]]:
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  pathlib would import more than it saves
        if entry.isdecimal():
            fields = _stat(int(entry))
            if fields is not None and fields[_STATE] != "Z":
                found[int(entry)] = fields
    return found


def left(sessions: set[int], known: Known | None = None) -> Known:
    """The live processes of the sessions and their descendants.

    `known` are those found before: a process whose parent has died since is still ours.
    """
    known = known or {}
    processes = _processes()
    ours = {
        pid: fields[_STARTED]
        for pid, fields in processes.items()
        if int(fields[_SESSION]) in sessions or known.get(pid) == fields[_STARTED]
    }
    grown = True
    while grown:
        born = {
            pid: fields[_STARTED]
            for pid, fields in processes.items()
            if pid not in ours and int(fields[_PARENT]) in ours
        }
        ours |= born
        grown = bool(born)
    return ours


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It ended by itself between the look and the kill.
        return


def clear(sessions: set[int], known: Known | None = None, *, grace_seconds: float = 0) -> None:
    """No process of the sessions is left afterwards; each had the grace period to end itself."""
    deadline = time.monotonic() + grace_seconds
    remaining = left(sessions, known)
    while remaining and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        remaining = left(sessions, remaining)
    while remaining:
        for pid in remaining:
            _kill(pid)
        time.sleep(_POLL_SECONDS)
        remaining = left(sessions, remaining)


def main() -> None:
    """Read sessions from the pipe until it closes; clear them unless a farewell came."""
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)
    sessions: set[int] = set()
    for line in sys.stdin:
        word = line.strip()
        if word == FAREWELL:
            return
        if word.startswith(GONE):
            sessions.discard(int(word.removeprefix(GONE)))
        else:
            sessions.add(int(word))
    clear(sessions, grace_seconds=GRACE_SECONDS)


if __name__ == "__main__":
    main()
