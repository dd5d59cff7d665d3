"""One child process: what it is, how it starts, how it stops.

A child starts in a session of its own, so that the Ctrl-C of a terminal reaches only its
supervisor, and asks the kernel for a signal at the death of its supervisor. Its output goes
straight into a log file: nothing of it is lost, and nothing blocks, when the supervisor is killed.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.embedded import watchdog
from service.embedded.errors import ProcessFailed
from service.embedded.identity import Identity, SpawnAs

# Asked with the id of the process, so that no earlier one is taken for it.
ReadyCheck = Callable[[int], Awaitable[bool]]

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05
_TAIL_LINES = 20
_TAIL_BYTES = 16_384
# A log is set aside at the next start when it has grown beyond this.
_ROTATE_BYTES = 8 * 1024 * 1024

# Loaded before any fork: loading a library in the child of a threaded process may deadlock.
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run, when it counts as ready and how it is asked to stop."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    # Asked repeatedly after the start; an answer of False means "not yet".
    ready: ReadyCheck
    ready_seconds: float = 60
    # Whether it is started again when it ends by itself.
    restarts: bool = False
    # Also sent by the kernel when the supervisor dies, unless `orphan_signal` differs.
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals | None = None
    # After this long, it is killed.
    stop_seconds: float = 3
    identity: Identity | None = None


class RunningProcess:
    """A started child and its log."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, log: Path) -> None:
        self.spec = spec
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """The process id, which is also the id of the child's session and process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, None while it runs; negative is a signal."""
        return self._process.returncode

    async def wait(self) -> int:
        """How it ended, once it has."""
        return await self._process.wait()

    async def until_ready(self) -> None:
        """True readiness, as the check of the child's specification says.

        Raises ProcessFailed, with the end of the log, when the child ends before it is ready or
        is not ready in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.spec.ready_seconds
        while True:
            if self.returncode is not None:
                raise self.failure(f"ended with {describe(self.returncode)} before it was ready")
            if await self.spec.ready(self.pid):
                return
            if loop.time() > deadline:
                raise self.failure(f"was not ready within {self.spec.ready_seconds:g} s")
            await asyncio.sleep(_POLL_SECONDS)

    def failure(self, what: str) -> ProcessFailed:
        """The error that says what happened to this child and shows the end of its log."""
        shown = tail(self.log)
        ending = f"\n--- end of {self.log} ---\n{shown}" if shown else f" (its log is {self.log})"
        return ProcessFailed(f"{self.spec.name} {what}.{ending}")

    async def stop(self) -> None:
        """Nothing of the child and its descendants is left afterwards.

        A descendant may have a session of its own and outlive its parents; it is remembered from
        before they end.
        """
        family = await asyncio.to_thread(watchdog.left, {self.pid})
        if self.returncode is None:
            self._process.send_signal(self.spec.stop_signal)
            # Being late is answered below: what is left is killed either way.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), self.spec.stop_seconds)
        await asyncio.to_thread(watchdog.clear, {self.pid}, family)
        await self._process.wait()


async def start(spec: ProcessSpec, log_folder: Path) -> RunningProcess:
    """The child is running afterwards, not necessarily ready.

    Raises ProcessFailed when the program cannot be started at all.
    """
    log = log_folder / f"{spec.name}.log"
    if log.exists() and log.stat().st_size > _ROTATE_BYTES:
        log.replace(log.with_suffix(".log.1"))
    spawn_as: SpawnAs = spec.identity.spawn_arguments() if spec.identity else {}
    with log.open("ab") as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *spec.argv,
                env=dict(spec.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
                preexec_fn=_follow_parent(spec.orphan_signal or spec.stop_signal),
                **spawn_as,
            )
        except OSError as error:
            raise ProcessFailed(f"{spec.name} cannot be started: {error}.") from error
    return RunningProcess(spec, process, log)


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log, empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def describe(returncode: int) -> str:
    """A return code in words."""
    if returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"


def _follow_parent(sig: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def in_child() -> None:
        # Runs after the change of user, which would have cleared the request.
        _libc.prctl(_PR_SET_PDEATHSIG, int(sig))
        if os.getppid() != parent:
            # The supervisor died between the fork and the request.
            os._exit(1)

    return in_child
