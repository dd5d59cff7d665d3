"""Random faults, and what must hold when it is quiet again; `make chaos SEED=1 COUNT=1`."""

import os

import pytest

from tests.chaos.schedule import Schedule
from tests.chaos.yard import Yard

FIRST = int(os.environ.get("SEED") or 1)
COUNT = int(os.environ.get("COUNT") or 200)


def run(yard: Yard, seed: int) -> None:
    yard.whole()
    schedule = Schedule(yard, seed)
    schedule.play()
    schedule.settle()
    broken = schedule.broken()
    print(f"SEED={seed}: {', '.join(schedule.told)}")
    assert not broken, f"SEED={seed}: {broken}\n{yard.told()}"
    yard.sound = True


@pytest.mark.timeout(300)
def test_a_few_schedules(yard: Yard) -> None:
    """One test, so that they share the stack."""
    for seed in (1, 2):
        run(yard, seed)


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_many_schedules(yard: Yard, seed: int) -> None:
    run(yard, seed)
