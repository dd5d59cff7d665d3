"""Several children: started in order, watched, and stopped in order, with none left behind."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from service.embedded import process, watchdog
from service.embedded.errors import ProcessFailed
from service.embedded.process import ProcessSpec, RunningProcess

_WATCHDOG_SECONDS = 5
# A child that has lived this long did not die of its start.
_STEADY_SECONDS = 60
# So often in a row a child that dies sooner is started again.
_RESTARTS = 3


class Supervisor:
    """The parent of the stack's processes.

    Use it as an asynchronous context: at its end everything still running is stopped, the last
    started first. `inherit` are open files that must stay open until the last process has gone,
    even when this one is killed: the lock on the state directory.
    """

    def __init__(self, log_folder: Path, *, inherit: Sequence[int] = ()) -> None:
        self._log_folder = log_folder
        self._inherit = tuple(inherit)
        self._running: dict[str, RunningProcess] = {}
        self._watchdog: subprocess.Popen[str] | None = None

    async def __aenter__(self) -> Self:
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            text=True,
            cwd="/",
            pass_fds=self._inherit,
            start_new_session=True,
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name in reversed(list(self._running)):
            await self.stop([name])
        await asyncio.to_thread(self._dismiss)

    async def start(self, *specs: ProcessSpec) -> None:
        """All of them are started and ready afterwards.

        Raises ProcessFailed when one is not; those that did start are stopped by `stop` or at the
        end of the context.
        """
        started = [await self._start(spec) for spec in specs]
        waits = [asyncio.create_task(child.until_ready()) for child in started]
        try:
            await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()

    async def stop(self, names: Iterable[str]) -> None:
        """Those of the named children that run are stopped afterwards, together."""
        children = [self._running.pop(name) for name in names if name in self._running]
        await asyncio.gather(*(child.stop() for child in children))

    async def keep(self, say: Callable[[str], None]) -> ProcessFailed:
        """Start those that end by themselves again, as far as their specifications allow.

        Answers the failure of the first that is not started again; waits until there is one.
        """
        kept = [asyncio.create_task(self._keep(child, say)) for child in self._running.values()]
        try:
            done, _ = await asyncio.wait(kept, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in kept:
                task.cancel()
            # One may be starting a child just now, which a stop afterwards has to find.
            await asyncio.gather(*kept, return_exceptions=True)
        return done.pop().result()

    def pids(self) -> dict[str, int]:
        """The process id of each running child by its name."""
        return {name: child.pid for name, child in self._running.items()}

    async def _keep(self, child: RunningProcess, say: Callable[[str], None]) -> ProcessFailed:
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            began = loop.time()
            ending = f"ended unexpectedly with {process.describe(await child.wait())}"
            deaths = deaths + 1 if loop.time() - began < _STEADY_SECONDS else 1
            if not child.spec.restarts or deaths > _RESTARTS:
                return child.failure(ending)
            say(f"{child.spec.name} {ending}, and is started again (its log is {child.log})")
            # What it leaves behind would be in the way of the next.
            await child.stop()
            self._tell(f"{watchdog.GONE}{child.pid}")
            try:
                child = await self._start(child.spec)
            except ProcessFailed as failure:
                return failure

    async def _start(self, spec: ProcessSpec) -> RunningProcess:
        child = await process.start(spec, self._log_folder)
        self._running[spec.name] = child
        self._tell(str(child.pid))
        return child

    def _tell(self, word: str) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.write(f"{word}\n")
            self._watchdog.stdin.flush()

    def _dismiss(self) -> None:
        if self._watchdog is None:
            return
        try:
            self._tell(watchdog.FAREWELL)
        except BrokenPipeError:
            # It was killed from outside; there is nobody left to dismiss.
            self._watchdog.kill()
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        try:
            self._watchdog.wait(_WATCHDOG_SECONDS)
        except subprocess.TimeoutExpired:
            self._watchdog.send_signal(signal.SIGKILL)
            self._watchdog.wait()
