"""Children that end early, never get ready, ignore signals or leave children of their own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from service.embedded.errors import ProcessFailed
from service.embedded.process import ProcessSpec, ReadyCheck, tail
from service.embedded.supervisor import Supervisor
from tests.service.embedded.conftest import eventually, session_of

# Starts a grandchild in a session of its own, deaf to polite signals, and says who it is.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=SESSION)
open(sys.argv[1], "w").write(str(child.pid) + "\\n")
time.sleep(600)
"""


async def at_once(_pid: int) -> bool:
    return True


async def never(_pid: int) -> bool:
    return False


def specification(
    name: str, program: str, *arguments: str, ready: ReadyCheck, ready_seconds: float = 30
) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=[sys.executable, "-c", program, *arguments],
        environment={"PATH": os.environ["PATH"]},
        ready=ready,
        ready_seconds=ready_seconds,
        stop_seconds=0.3,
    )


def written(file: Path) -> ReadyCheck:
    async def ready(_pid: int) -> bool:
        return file.exists() and file.read_text().endswith("\n")

    return ready


def test_a_child_that_ends_before_it_is_ready_is_shown_with_its_log(tmp_path: Path) -> None:
    async def run() -> None:
        async with Supervisor(tmp_path) as supervisor:
            program = "print('why it ended'); raise SystemExit(3)"
            await supervisor.start(specification("early", program, ready=never))

    with pytest.raises(ProcessFailed) as failure:
        asyncio.run(run())
    assert "early ended with exit code 3 before it was ready" in failure.value.message
    assert "why it ended" in failure.value.message


def test_a_child_that_does_not_get_ready_in_time_is_a_failure_and_is_stopped(
    tmp_path: Path,
) -> None:
    async def run() -> dict[str, int]:
        async with Supervisor(tmp_path) as supervisor:
            program = "import time; time.sleep(600)"
            child = specification("slow", program, ready=never, ready_seconds=0.5)
            with pytest.raises(ProcessFailed, match=r"was not ready within 0\.5 s"):
                await supervisor.start(child)
            return supervisor.pids()

    pids = asyncio.run(run())
    assert set(pids) == {"slow"}
    assert session_of(pids["slow"]) == 0


def test_a_program_that_does_not_exist_is_a_failure(tmp_path: Path) -> None:
    async def run() -> None:
        async with Supervisor(tmp_path) as supervisor:
            spec = ProcessSpec(name="gone", argv=["/no/such"], environment={}, ready=at_once)
            await supervisor.start(spec)

    with pytest.raises(ProcessFailed, match="gone cannot be started"):
        asyncio.run(run())


def test_a_child_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    async def run() -> str:
        async with Supervisor(tmp_path) as supervisor:
            await supervisor.start(
                specification("stays", "import time; time.sleep(600)", ready=at_once),
                specification("leaves", "import time; time.sleep(0.2)", ready=at_once),
            )
            return (await supervisor.keep(print)).message

    assert asyncio.run(run()).startswith("leaves ended unexpectedly with exit code 0")


def test_a_child_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    said: list[str] = []
    starts = tmp_path / "starts"

    async def run() -> tuple[str, dict[str, int]]:
        async with Supervisor(tmp_path) as supervisor:
            program = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(3)"
            spec = specification("brief", program, str(starts), ready=at_once)
            await supervisor.start(replace(spec, restarts=True))
            return (await supervisor.keep(said.append)).message, supervisor.pids()

    failure, running = asyncio.run(run())
    assert starts.read_text() == "xxxx"
    assert failure.startswith("brief ended unexpectedly with exit code 3.")
    assert len(said) == 3
    assert said[0].startswith("brief ended unexpectedly with exit code 3, and is started again")
    assert list(running) == ["brief"]


def test_a_child_that_is_started_again_is_stopped_like_the_first(tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = STUBBORN.replace("SESSION", "False")

    async def run() -> tuple[list[int], list[int]]:
        async with Supervisor(tmp_path) as supervisor:
            spec = specification("stubborn", program, str(said), ready=written(said))
            await supervisor.start(replace(spec, restarts=True))
            kept = asyncio.create_task(supervisor.keep(print))
            children, left_behind = [supervisor.pids()["stubborn"]], [int(said.read_text())]
            said.unlink()
            os.kill(children[0], signal.SIGKILL)
            while not await written(said)(0):
                await asyncio.sleep(0.05)
            children.append(supervisor.pids()["stubborn"])
            assert session_of(left_behind[0]) == 0
            left_behind.append(int(said.read_text()))
            kept.cancel()
            await asyncio.wait({kept})
            return children, left_behind

    children, left_behind = asyncio.run(run())
    assert children[0] != children[1]
    assert [session_of(pid) for pid in (*children, *left_behind)] == [0, 0, 0, 0]


@pytest.mark.parametrize("own_session", ["True", "False"])
def test_a_stop_takes_the_descendants_of_a_child_that_ignores_it(
    tmp_path: Path, own_session: str
) -> None:
    said = tmp_path / "said"

    async def run() -> tuple[int, float]:
        async with Supervisor(tmp_path) as supervisor:
            program = STUBBORN.replace("SESSION", own_session)
            ready = written(said)
            await supervisor.start(specification("stubborn", program, str(said), ready=ready))
            child = supervisor.pids()["stubborn"]
            begun = time.monotonic()
            await supervisor.stop(["stubborn"])
            return child, time.monotonic() - begun

    child, seconds = asyncio.run(run())
    assert seconds < 2
    assert session_of(child) == 0
    assert session_of(int(said.read_text())) == 0


def test_a_killed_supervisor_leaves_not_even_a_deaf_grandchild(tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = f"""
import asyncio
from pathlib import Path
from tests.service.embedded.test_supervisor import STUBBORN, specification, written
from service.embedded.supervisor import Supervisor

async def run():
    async with Supervisor(Path({str(tmp_path)!r})) as supervisor:
        said = Path({str(said)!r})
        stubborn = STUBBORN.replace("SESSION", "True")
        spec = specification("stubborn", stubborn, str(said), ready=written(said))
        await supervisor.start(spec)
        print(supervisor.pids()["stubborn"], flush=True)
        await asyncio.sleep(600)

asyncio.run(run())
"""
    root = Path(__file__).parents[3]
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root
    )
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    grandchild = int(said.read_text())
    assert session_of(child) == child
    assert session_of(grandchild) == grandchild
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.communicate()
    assert eventually(lambda: session_of(child) == 0 and session_of(grandchild) == 0, 3)


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert tail(log) == ""
    log.write_text("\n".join(str(number) for number in range(100_000)))
    assert tail(log, lines=2) == "99998\n99999"


def test_a_grown_log_is_set_aside_at_the_next_start(tmp_path: Path) -> None:
    log = tmp_path / "brief.log"
    log.write_bytes(b"x" * (9 * 1024 * 1024))

    async def run() -> None:
        async with Supervisor(tmp_path) as supervisor:
            await supervisor.start(specification("brief", "print('new')", ready=at_once))
            await supervisor.keep(print)

    asyncio.run(run())
    assert log.read_text() == "new\n"
    assert (tmp_path / "brief.log.1").stat().st_size == 9 * 1024 * 1024
