"""Becomes the program named after `--`, with limits on itself. Started by path, never imported.

`subprocess` offers `preexec_fn` for this, which may deadlock where the parent has threads, and
every worker has. This costs 6 ms a process instead. Usage:

    python -I -S guard.py <parent pid> <memory bytes> <file bytes> <cpu seconds> -- program ...
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Limit this process, tie its life to the parent's, and become the program."""
    parent, memory, file_bytes, cpu = (int(argument) for argument in sys.argv[1:5])
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:  # Linux
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above could tie us to it
        raise SystemExit(1)
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (soft, soft))
    # Python ignores both, and a program that is executed inherits what is ignored: git has to die
    # of a closed pipe, and of a file that grows past its limit.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execv(sys.argv[6], sys.argv[6:])  # noqa: S606  there is no shell


if __name__ == "__main__":
    main()
