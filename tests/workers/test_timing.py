"""Time is booked to one stage at a time."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from workers.timing import Stopwatch


def test_a_stage_inside_another_pauses_it() -> None:
    watch = Stopwatch()

    def slowly() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.05)
            yield number

    with watch.stage("load"):
        assert list(watch.through("resolve", slowly())) == [0, 1, 2]
        time.sleep(0.03)
    times = {stage.name: stage.wall_seconds for stage in watch.times()}
    assert 0.15 <= times["resolve"] < 0.3
    assert 0.03 <= times["load"] < 0.1


def test_the_time_of_a_child_counts_where_it_ends() -> None:

    watch = Stopwatch()
    with watch.stage("parse"):
        subprocess.run([sys.executable, "-c", "for _ in range(3_000_000): pass"], check=True)
    (stage,) = watch.times()
    assert stage.cpu_seconds > 0.05


def test_what_a_thread_does_is_the_time_of_the_stage_that_set_it_to_work() -> None:
    watch = Stopwatch()

    def work() -> None:
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass

    def waiting() -> Iterator[int]:
        thread.join()
        yield 1

    with watch.stage("load"):
        thread = threading.Thread(target=work)
        thread.start()
        assert list(watch.through("resolve", waiting())) == [1]
    times = {stage.name: stage.cpu_seconds for stage in watch.times()}
    assert times["load"] > 0.08
    assert times["resolve"] < 0.05
