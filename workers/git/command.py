"""Starts git, and is the only code that does: environment, limits, deadline, cancellation.

`run` is for commands that answer once; `GitProcess` for those that are spoken with or that stream.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from os import P_PID, WEXITED, WNOWAIT, getpid, killpg, waitid
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from graph import telemetry
from graph.errors import CheckoutTimedOut, JobCancelled
from workers.git import failures
from workers.git.errors import GitMissing
from workers.git.waiting import Trace

_GUARD = str(Path(__file__).with_name("guard.py"))

# One answer: what ls-remote of a repository with 500,000 refs says stays below.
_MAX_ANSWER = 64 << 20
_MAX_STDERR = 1024
_POLL_SECONDS = 0.2

ShouldStop = Callable[[], bool]


def never() -> bool:
    """The `should_stop` of work that nobody can cancel."""
    return False


@dataclass(frozen=True, slots=True)
class GitLimits:
    """What one git process may use, and when it has to stop."""

    # Of one process. A deadline over several is the caller's: it hands in what is left.
    wall_seconds: float
    # The largest file that it may write: the pack of a fetch is one file.
    file_bytes: int
    memory_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Network:
    """How git reaches a host. Both are the operator's, never a tenant's."""

    # The egress proxy, which judges addresses. Without one, the network around us has to.
    proxy: str | None = None
    # Certificate authorities to trust instead of the system's.
    ca_file: Path | None = None


# Each line removes a way in which a repository or a host could make git do more than it was asked.
_CONFIGURATION = (
    "safe.directory=*",  # the owner of a folder does not matter: nothing of its settings is used
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.askPass=",
    "core.packedGitWindowSize=64m",
    "core.packedGitLimit=512m",
    "core.untrackedCache=false",
    "credential.helper=",
    "protocol.version=2",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "transfer.fsckObjects=true",
    "transfer.bundleURI=false",
    "transfer.credentialsInUrl=die",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.windowMemory=64m",
    "pack.threads=1",
    "index.threads=1",
    # Old, honest repositories have these; none is a danger to a reader of trees and blobs.
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.zeroPaddedDate=ignore",
    "fetch.fsck.missingEmail=ignore",
)


def _git() -> str:
    found = shutil.which("git")
    if found is None:
        raise GitMissing
    return found


def _environment(git: str, *, network: Network | None, home: Path) -> dict[str, str]:
    """Everything git is told by its environment: nothing of ours leaks in.

    Above all no `*_proxy`, which would go around the egress proxy, and no `GIT_*` of the parent.
    """
    return {
        "PATH": f"{Path(git).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LC_ALL": "C.UTF-8",  # messages are matched in English
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": "https" if network else "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def _settings(network: Network | None) -> list[str]:
    settings = [*_CONFIGURATION, "protocol.allow=never"]
    if network is not None:
        settings += ["protocol.https.allow=always", f"http.proxy={network.proxy or ''}"]
        if network.ca_file is not None:
            settings.append(f"http.sslCAInfo={network.ca_file}")
    return [argument for setting in settings for argument in ("-c", setting)]


def _guard(limits: GitLimits) -> list[str]:
    cpu_seconds = int(limits.wall_seconds) + 1
    numbers = (getpid(), limits.memory_bytes, limits.file_bytes, cpu_seconds)
    return [sys.executable, "-I", "-S", _GUARD, *map(str, numbers), "--"]


class GitProcess:
    """A running git: a context manager that leaves no process behind, whatever happens.

    A thread of its own kills the whole group at the deadline or when the job is to stop; who reads
    then meets the end of the stream, and `finish` says why as a typed error.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        limits: GitLimits,
        home: Path,
        network: Network | None = None,
        environment: dict[str, str] | None = None,
        should_stop: ShouldStop = never,
    ) -> None:
        git = _git()
        self._reason: type[CheckoutTimedOut | JobCancelled] | None = None
        self._limits = limits
        self._should_stop = should_stop
        self._over = threading.Event()
        self._reaping = threading.Lock()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed by __exit__
        self._process = subprocess.Popen(
            [*_guard(limits), git, *_settings(network), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=1 << 18,
            pipesize=1 << 20,
            cwd="/",
            env=_environment(git, network=network, home=home) | (environment or {}),
            start_new_session=True,
        )
        self._watch = threading.Thread(
            target=telemetry.carried(self._stop_in_time), daemon=True, name="git-watch"
        )
        self._watch.start()

    @property
    def stdin(self) -> IO[bytes]:
        """What git reads."""
        assert self._process.stdin is not None  # noqa: S101  opened as a pipe above
        return self._process.stdin

    @property
    def stdout(self) -> BufferedReader:
        """What git writes."""
        return cast("BufferedReader", self._process.stdout)  # what `bufsize` makes of the pipe

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._kill()
        self._reap()
        self._watch.join()
        with suppress(BrokenPipeError):  # what was still buffered for a process that is gone
            self.stdin.close()
        self.stdout.close()
        self._stderr.close()

    def finish(self) -> int:
        """Wait for the end and return the exit code; raise if it was ended by us."""
        code = self._reap()
        self._over.set()
        self.raise_if_stopped()
        return code

    def raise_if_stopped(self) -> None:
        """Raise the reason for which the process was killed, if it was."""
        if self._reason is not None:
            raise self._reason

    def complaint(self) -> str:
        """The end of standard error, for the mapping to a typed error and for nothing else."""
        size = self._stderr.seek(0, 2)
        self._stderr.seek(max(0, size - _MAX_STDERR))
        return self._stderr.read().decode("utf-8", "replace")

    def _stop_in_time(self) -> None:
        deadline = time.monotonic() + self._limits.wall_seconds
        while not self._over.wait(_POLL_SECONDS):
            if self._should_stop():
                self._reason = JobCancelled
            elif time.monotonic() > deadline:
                self._reason = CheckoutTimedOut
            if self._reason is not None:
                self._kill()
                return

    def _reap(self) -> int:
        if self._process.returncode is None:
            # Wait without taking the exit code: until it is taken the number of the group cannot
            # go to another process, so what the leader left behind can be killed safely.
            waitid(P_PID, self._process.pid, WEXITED | WNOWAIT)
            self._kill()
        with self._reaping:
            return self._process.wait()

    def _kill(self) -> None:
        with self._reaping:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    killpg(self._process.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said that answered once."""

    code: int
    output: bytes
    complaint: str
    # What the host asked for, if it refused for now.
    retry_after_seconds: float | None = None


def run(
    arguments: Sequence[str],
    *,
    limits: GitLimits,
    home: Path,
    network: Network | None = None,
    environment: dict[str, str] | None = None,
    stdin: bytes = b"",
    should_stop: ShouldStop = never,
) -> Answer:
    """Run one command to its end. An exit code that is not 0 is the caller's to judge.

    `stdin` has to fit a pipe (64 KiB): it is written before anything is read.
    """
    trace = Trace(home) if network is not None else None
    with GitProcess(
        arguments,
        limits=limits,
        home=home,
        network=network,
        environment=(environment or {}) | (trace.environment if trace else {}),
        should_stop=should_stop,
    ) as process:
        with suppress(BrokenPipeError):  # it ended without reading: its exit code says why
            process.stdin.write(stdin)
            process.stdin.close()
        output = process.stdout.read(_MAX_ANSWER)
        if len(output) == _MAX_ANSWER:
            raise failures.answer_too_long()
        code = process.finish()
        wait = trace.retry_after_seconds() if trace and code != 0 else None
        return Answer(code, output, process.complaint(), wait)
