"""How far a job says that it is."""

from itertools import pairwise

from graph.storage.jobs import Counts
from workers.progress import Progress


def test_the_percentage_of_a_job_never_goes_back() -> None:
    progress = Progress()
    said = []
    for stage, done in (("checkout", 0), ("inventory", 7), ("parse", 3), ("checkout", 0)):
        progress.report(stage, done, 7)
        position = progress.news()
        assert position is not None
        assert (position.stage, position.done) == (stage, done)
        said.append(position.percent)
    assert all(earlier <= later for earlier, later in pairwise(said))
    assert said[-1] == said[-2] > said[-3]


def test_a_job_that_goes_on_begins_where_it_was() -> None:
    progress = Progress(60)
    progress.report("checkout")
    position = progress.news()
    assert position is not None
    assert position.percent == 60
    progress.report("load", 1, 2)
    position = progress.news()
    assert position is not None
    assert position.percent > 60


def test_what_exists_is_told_from_when_it_is_known() -> None:
    progress = Progress()
    progress.count(Counts(1, 1))
    assert progress.news() is None
    progress.report("load", 1, 9)
    progress.count(Counts(nodes=5, edges=7))
    progress.report("load", 2, 9)
    position = progress.news()
    assert position is not None
    assert position.event() == {
        "stage": "load",
        "done": 2,
        "total": 9,
        "percent": position.percent,
        "nodes": 5,
        "edges": 7,
    }
    assert progress.news() is None
