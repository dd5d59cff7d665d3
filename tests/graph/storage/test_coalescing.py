"""A request that takes the place of one that waits takes nothing from whoever waits for that."""

import pytest

from graph.model.jobs import INGEST, JobState
from graph.storage import jobs
from graph.storage.jobs import Wanted
from tests.graph.storage.test_family import Family, family, parent  # noqa: F401  fixtures

OLD, NEW = "a" * 40, "b" * 40


@pytest.mark.parametrize("commit", [NEW, None])
def test_a_child_is_not_superseded_by_a_request_from_outside(
    family: Family,  # noqa: F811
    parent,  # noqa: F811
    repository,
    commit,
):
    wanted = Wanted(INGEST, ref="main", commit=OLD)
    family.act(jobs.split, parent, children=[wanted])
    (child,) = family.children(parent)
    newer = family.request(repository, ref="main", commit=commit)
    assert newer.id != child.id
    assert family.job(child).state is JobState.QUEUED
    assert family.job(parent).state is JobState.WAITING
    (chosen,) = family.pick()
    assert chosen.job_id == child.id, "one after the other"
    family.finish(family.claim(child.id, chosen.epoch))
    assert {chosen.job_id for chosen in family.pick()} == {newer.id, parent.id}
