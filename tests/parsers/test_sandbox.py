"""The pool: one verdict for each file, whatever its process does, and nothing left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from parsers import codec
from parsers.codec import EncodedFacts
from parsers.sandbox import (
    ParseItem,
    ParserDidNotStart,
    ParserPool,
    ParsingStopped,
    SandboxLimits,
    process,
)
from parsers.skips import SkipReason
from tests.parsers.misbehaving import BOOT, items, parse

QUICK = SandboxLimits(file_seconds=1.0, grace_seconds=0.5)
GOOD = [b"def f%d(): return g(%d)\n" % (n, n) for n in range(200)]


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_BOOT", BOOT)


@pytest.fixture(scope="module")
def good_facts() -> list[EncodedFacts]:
    facts = [outcome.result for outcome in parse(GOOD, SandboxLimits())]
    assert all(isinstance(one, EncodedFacts) for one in facts)
    return facts  # type: ignore[return-value]


def test_facts_come_back(good_facts: list[EncodedFacts]) -> None:
    facts = codec.decode_body(good_facts[7].body)
    assert [one.name for one in facts.definitions] == ["f7"]
    assert [name.name for name in codec.decode_outline(good_facts[7].outline).names] == ["f7"]


@pytest.mark.usefixtures("misbehaving")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"segfault", SkipReason.CRASHED),
        (b"hang", SkipReason.TIMEOUT),
        (b"fault", SkipReason.CRASHED),
        (b"exit", SkipReason.CRASHED),
        (b"memory", SkipReason.MEMORY),
        (b"lie", SkipReason.CRASHED),
        (b"boast", SkipReason.CRASHED),
        (b"invent", SkipReason.CRASHED),
        (b"bomb", SkipReason.CRASHED),
        (b"noise", SkipReason.CRASHED),
    ],
)
def test_a_file_that_kills_its_process_gets_the_verdict_and_the_others_their_facts(
    data: bytes, reason: SkipReason, good_facts: list[EncodedFacts]
) -> None:
    files = [*GOOD]
    places = (0, 50, 51, 150, 199)
    for place in places:
        files[place] = data
    outcomes = parse(files, QUICK)
    assert {outcome.result for outcome in outcomes if outcome.key in places} == {reason}
    assert all(outcomes[place].note for place in places)
    for outcome in outcomes:
        if outcome.key not in places:
            assert outcome.result == good_facts[outcome.key]


@pytest.mark.usefixtures("misbehaving")
def test_replies_that_nobody_asked_for_end_the_process() -> None:
    outcomes = parse([b"twice", *GOOD[:3]], QUICK)
    assert isinstance(outcomes[3].result, EncodedFacts | SkipReason)


@pytest.mark.usefixtures("misbehaving")
def test_a_fault_names_its_place_and_quotes_nothing() -> None:
    (outcome,) = parse([b"fault"], QUICK)
    assert outcome.note.startswith("IndexError at ")


def test_a_process_killed_from_outside_costs_no_verdict(good_facts: list[EncodedFacts]) -> None:
    limits = SandboxLimits(batch_files=10)
    with ParserPool(2, limits) as pool:
        outcomes = {}
        for number, outcome in enumerate(pool.parse_all(items(*GOOD))):
            outcomes[outcome.key] = outcome.result
            if number in (0, 40, 90):
                psutil.Process().children()[0].kill()
    assert [outcomes[number] for number in range(len(GOOD))] == good_facts


@pytest.mark.usefixtures("misbehaving")
def test_a_process_that_dies_while_it_is_written_to_is_not_written_to_again() -> None:
    """Its descriptors are closed by then, or somebody else's. One tick tells of both pipes."""
    limits = SandboxLimits(batch_files=2)
    large = b"#" * (3 << 20)  # more than a pipe takes
    killed = []

    def stopped() -> bool:
        for one in pool.running:
            if one.blocked and one.answered and not killed:
                (child,) = psutil.Process().children()
                child.kill()
                killed.append(child.wait())
        return False

    with ParserPool(1, limits) as pool:
        files = items(GOOD[0], b"wait", large, GOOD[1])
        results = [outcome.result for outcome in pool.parse_all(files, stopped=stopped)]
    assert killed
    assert [type(result) for result in results] == [EncodedFacts] * 4


def test_processes_are_replaced_after_enough_work(good_facts: list[EncodedFacts]) -> None:
    seen = set()
    with ParserPool(2, SandboxLimits(process_files=20, batch_files=5)) as pool:
        outcomes = {}
        for outcome in pool.parse_all(items(*GOOD)):
            seen |= {child.pid for child in psutil.Process().children()}
            outcomes[outcome.key] = outcome.result
    assert len(seen) >= 8
    assert [outcomes[number] for number in range(len(GOOD))] == good_facts


def test_a_pool_serves_several_passes_with_the_same_processes() -> None:
    with ParserPool(2, SandboxLimits()) as pool:
        assert psutil.Process().children() == []
        first = [outcome.result for outcome in pool.parse_all(items(GOOD[0]))]
        running = psutil.Process().children()
        second = [outcome.result for outcome in pool.parse_all(items(GOOD[0]))]
        assert psutil.Process().children() == running
        assert list(pool.parse_all([])) == []
    assert first == second
    assert psutil.Process().children() == []


def test_items_are_taken_only_as_they_are_needed() -> None:
    taken = 0

    def source() -> Iterator[ParseItem[int]]:
        nonlocal taken
        for number in range(100_000):
            taken += 1
            yield ParseItem(number, "python", b"x = 1\n" * 100)

    limits = SandboxLimits(batch_files=8)
    with ParserPool(2, limits) as pool:
        outcomes = pool.parse_all(source())
        for answered in range(1, 200):
            next(outcomes)
            assert taken - answered <= 2 * 2 * limits.batch_files
        outcomes.close()
        assert taken < 1000


@pytest.mark.usefixtures("misbehaving")
def test_stopping_is_prompt_and_leaves_no_process() -> None:
    limits = SandboxLimits(file_seconds=60)
    started = time.monotonic()
    with ParserPool(2, limits) as pool:
        outcomes = pool.parse_all(
            items(*GOOD[:5], b"hang", b"hang"), stopped=lambda: time.monotonic() > started + 0.5
        )
        with pytest.raises(ParsingStopped):
            list(outcomes)
        assert time.monotonic() - started < 2
        assert psutil.Process().children() == []
        # The pool is good for another pass.
        (outcome,) = pool.parse_all(items(GOOD[0]))
        assert isinstance(outcome.result, EncodedFacts)


@pytest.mark.usefixtures("misbehaving")
def test_leaving_the_pool_in_the_middle_leaves_no_process() -> None:
    with ParserPool(2, SandboxLimits(file_seconds=60)) as pool:
        outcomes = pool.parse_all(items(*GOOD[:5], b"hang", b"hang"))
        next(outcomes)
    assert psutil.Process().children() == []
    outcomes.close()


def test_a_slow_caller_is_no_reason_for_a_timeout() -> None:
    limits = SandboxLimits(file_seconds=1, grace_seconds=0.5, batch_files=16)
    with ParserPool(2, limits) as pool:
        outcomes = pool.parse_all(items(*GOOD))
        next(outcomes)
        time.sleep(2)
        assert all(isinstance(outcome.result, EncodedFacts) for outcome in outcomes)


def test_an_installation_at_fault_is_not_blamed_on_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_BOOT", "import no_such_module")
    failure = pytest.raises(ParserDidNotStart, match="no_such_module")
    with ParserPool(1, SandboxLimits()) as pool, failure:
        list(pool.parse_all(items(GOOD[0])))


@pytest.mark.parametrize("work", ["hang", "nothing"])
def test_a_process_does_not_outlive_a_killed_parent(work: str, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys, time
            sys.path[:0] = {sys.path!r}
            import psutil
            from parsers.sandbox import ParseItem, ParserPool, SandboxLimits, process
            process._BOOT = {BOOT!r}
            pool = ParserPool(2, SandboxLimits(file_seconds=600))
            files = [b"x", b"x", *([b"hang"] * 2 if {work!r} == "hang" else [])]
            limits = SandboxLimits(file_seconds=600, batch_files=1)
            pool = ParserPool(2, limits)
            outcomes = pool.parse_all(ParseItem(0, "python", data) for data in files)
            next(outcomes), next(outcomes)
            print(*(child.pid for child in psutil.Process().children()), flush=True)
            time.sleep(600)
            """
        )
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert children
        parent.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    assert len(gone) == len(children)


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_processes_of_a_pool_stand_behind_every_wall_that_it_names() -> None:
    with ParserPool(1, SandboxLimits()) as pool:
        list(pool.parse_all(items(GOOD[0])))
        (child,) = psutil.Process().children()
        status = status_of(child.pid)
        walls: dict[str, Callable[[], bool]] = {
            "no_new_privileges": lambda: status["NoNewPrivs"] == "1",
            "seccomp": lambda: status["Seccomp"] == "2",
            "limits": lambda: child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0),
            "network_namespace": lambda: _namespace(child.pid) != _namespace(os.getpid()),
        }
        assert {"limits", "no_new_privileges", "parent_death"} <= set(pool.confinement)
        assert [name for name in pool.confinement if name in walls and not walls[name]()] == []
        assert child.environ() == {}
        assert os.listdir(f"/proc/{child.pid}/fd") == ["0", "1", "2", "3"]  # noqa: PTH208 - of another
        assert os.getsid(child.pid) == child.pid


def _namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115 - a name, and no path
