"""What workers write to their logs about the work of a tenant: whose it is, and nothing of it."""

import json

import pytest

from graph.model.jobs import JobState
from tests.workers.stand import Stand

WORD = "unspeakable"


@pytest.fixture
def lines(stand: Stand) -> list[dict[str, object]]:
    """Everything that was written while one job succeeded and one failed."""
    stand.repo.commit({f"{WORD}.py": f"def {WORD}():\n    return {WORD}()\n"}, message=WORD)
    stand.repo.git("branch", f"{WORD}-branch")
    stand.settings = stand.settings.model_copy(
        update={"log_format": "json", "log_level": "debug"},
    )
    stand.start_dispatcher()
    stand.start_worker()
    assert stand.ended(stand.request(f"{WORD}-branch")).state is JobState.SUCCEEDED
    assert stand.ended(stand.request(f"no-{WORD}")).state is JobState.FAILED
    stand.terminate("worker")
    stand.terminate("dispatcher")
    written = [log.read_text() for log in stand.logs.iterdir()]
    # Celery prints a few lines of its own at the beginning and at the end.
    ours = [line for text in written for line in text.splitlines() if line.startswith("{")]
    assert WORD not in "".join(written)
    assert str(stand.repo.path) not in "".join(written)
    return [json.loads(line) for line in ours]


def test_every_line_of_a_tenants_work_says_whose_it_is_and_nothing_of_it(
    stand: Stand, lines: list[dict[str, object]]
) -> None:
    of_jobs = [line for line in lines if "job_id" in line]
    assert {line["tenant_id"] for line in of_jobs} == {str(stand.tenant_id)}
    told = {str(line["event"]) for line in of_jobs}
    assert told >= {"job.dispatched", "ingest.published", "task.returned"}
    work = ("job.", "ingest.", "lease.", "history.", "task.")
    about = [line for line in lines if str(line["event"]).startswith(work)]
    assert [line for line in about if line.get("tenant_id") != str(stand.tenant_id)] == []
