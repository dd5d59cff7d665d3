"""A job that waits for its children is as far as they are, and never goes back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from graph.model.jobs import PARSE, JobState
from graph.storage import jobs
from graph.storage.jobs import Wanted
from tests.graph.storage.test_family import begin

SHARDS = tuple(Wanted(PARSE, parameters={"sources": str(number)}) for number in range(4))


@pytest.fixture
def family(settings, session):
    return begin(settings, session)


@pytest.fixture
def parent(family, repository):
    return family.run(family.request(repository))


def say(family, child, done, *, end=False):
    """What a shard does as it goes on, or at its end."""
    with family.session(role="worker") as conn:
        which = {"job_id": child.id, "epoch": child.epoch}
        jobs.progress(conn, **which, stage="parse", done=done, total=25, percent=0)
        shown = jobs.forward(conn, job_id=child.id, last=end)
        if end:
            jobs.finish(conn, **which, report={})
    return shown


def far(job):
    return job.files_done, job.files_total, job.percent


def test_files_are_added_up_while_it_waits_and_kept_until_it_goes_on(family, parent):
    family.act(jobs.split, parent, children=SHARDS, files=100)
    waiting = family.job(parent)
    assert (waiting.state, waiting.stage, far(waiting)) == (JobState.WAITING, "parse", (0, 100, 12))
    first, *others = family.start(of=parent)
    shown = say(family, first, 10)
    assert (shown.job_id, shown.done, shown.total, shown.percent) == (parent.id, 10, 100, 16)
    assert far(family.job(parent)) == (10, 100, 16)
    for child in (first, *others):
        say(family, child, 25, end=True)
    queued = family.job(parent)
    assert (queued.state, queued.stage, far(queued)) == (JobState.QUEUED, "parse", (100, 100, 60))
    again = family.run(parent)
    assert (again.percent, far(family.job(parent))) == (60, (100, 100, 60))


def test_a_shard_that_begins_anew_takes_nothing_back(family, parent):
    family.act(jobs.split, parent, children=SHARDS[:2], files=50)
    first, second = family.start(of=parent)
    say(family, first, 20)
    family.act(jobs.retry_later, first, code="x", message="x", delay_seconds=0)
    (chosen,) = family.pick()
    anew = family.claim(first.id, chosen.epoch)
    assert family.job(anew).files_done == 0
    assert say(family, anew, 1).done == 20
    assert say(family, second, 20).done == 21


def test_shards_that_end_at_once_are_all_counted(family, parent):
    family.act(jobs.split, parent, children=SHARDS, files=100)
    children = family.start(of=parent)
    together = threading.Barrier(len(children))

    def end(child):
        together.wait(30)
        return say(family, child, 25, end=True).done

    with ThreadPoolExecutor(len(children)) as pool:
        assert sorted(pool.map(end, children)) == [25, 50, 75, 100]
    assert far(family.job(parent)) == (100, 100, 60)


def test_somebody_who_is_at_its_row_holds_up_no_shard(family, parent):
    family.act(jobs.split, parent, children=SHARDS[:1], files=25)
    (child,) = family.start(of=parent)
    with family.session() as conn:
        conn.execute(
            text("select from jobs where job_id = :id for no key update"), {"id": parent.id}
        )
        assert say(family, child, 5) is None
    assert say(family, child, 6).done == 6


@pytest.mark.parametrize("files", [0, 25])
def test_only_who_waits_for_files_is_told(family, parent, files):
    assert say(family, parent, 5) is None  # nobody waits
    family.act(jobs.split, parent, children=SHARDS[:1], files=files)
    (child,) = family.start(of=parent)
    assert (say(family, child, 5) is None) is (files == 0)
    family.cancel(parent)
    assert say(family, child, 6) is None


def test_a_job_that_is_tried_again_begins_at_nothing(family, parent):
    family.act(jobs.split, parent, children=SHARDS[:1], files=25)
    (child,) = family.start(of=parent)
    say(family, child, 5)
    family.fail(child)
    assert family.job(parent).state is JobState.FAILED
    with family.session() as conn:
        jobs.retry(conn, job_id=parent.id)
    assert (family.run(parent).percent, far(family.job(parent))) == (0, (0, 0, 0))
