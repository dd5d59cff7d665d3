"""A file that takes all the memory there is and a file that breaks its grammar are told apart."""

import subprocess
import sys
import textwrap

import psutil
import pytest

from parsers.sandbox import SandboxLimits, process
from parsers.sandbox.memory import address_space, was_refused
from parsers.skips import SkipReason
from tests.parsers import misbehaving

LIMITS = SandboxLimits(memory_bytes=512 << 20)
VERDICTS = {
    b"memory": SkipReason.MEMORY,
    b"grow": SkipReason.MEMORY,
    b"pages, unchecked": SkipReason.MEMORY,
    b"table, unchecked": SkipReason.MEMORY,
    b"segfault": SkipReason.CRASHED,
    b"fault, holding some": SkipReason.CRASHED,
}


@pytest.mark.parametrize("data", sorted(VERDICTS))
def test_refused_memory_and_faults(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_BOOT", misbehaving.BOOT)
    (outcome,) = misbehaving.parse([data], LIMITS)
    assert (outcome.result, bool(outcome.note)) == (VERDICTS[data], True)
    assert psutil.Process().children() == []


def test_what_the_parent_holds_changes_no_verdict() -> None:
    """The kernel counts what a parent held among the most that its dead child did."""
    program = f"""
    import sys
    sys.path[:] = {sys.path!r}
    from parsers.sandbox import process
    from tests.parsers import misbehaving
    from tests.parsers.test_refused_memory import LIMITS, VERDICTS
    held = b"x" * (600 << 20)
    process._BOOT = misbehaving.BOOT
    print(*(outcome.result for outcome in misbehaving.parse(sorted(VERDICTS), LIMITS)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == [VERDICTS[data] for data in sorted(VERDICTS)]


@pytest.mark.parametrize(("at_fault", "refused"), [(0, False), (130, False), (141, True)])
def test_a_table_that_doubles_is_refused_at_a_third_of_the_room(
    at_fault: int, *, refused: bool
) -> None:
    """Of 300 there is room for 240, so for a table of 80 together with one of 160."""
    assert was_refused(before=60, limit=300, at_fault=at_fault) is refused


def test_the_dead_take_no_address_space() -> None:
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert address_space(child.pid) == 0
    with pytest.raises(FileNotFoundError):
        address_space(child.pid)
    assert address_space("self") > psutil.Process().memory_info().rss
