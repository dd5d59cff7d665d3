"""What earlier ingestions left is an economy: with it or without it, the graph is the same."""

from pathlib import Path

import pytest

from graph.model.jobs import JobState
from graph.storage import jobs
from graph.storage.jobs import Job
from graph.storage.session import system_session
from tests.workers.digest import digest
from tests.workers.stand import Stand
from workers.stages import history
from workers.tasks import jobs as tasks

FILES = {f"p/m{number}.py": f"def f{number}():\n    return {number}\n" for number in range(20)}
FILES["p/m4.py"] = "from p.m3 import f3\n\n\ndef f4():\n    return f3()\n"


def run(stand: Stand, *, force: bool = False) -> Job:
    """Ingest in this process."""
    job_id = stand.request(force=force)
    with system_session("dispatch", settings=stand.settings) as conn:
        (chosen,) = jobs.pick(conn, slots=8, lease_seconds=60)
    tasks.run(stand.tenant_id, job_id, chosen.epoch, stand.settings)
    job = stand.job(job_id)
    assert (job.state, job.error_message) == (JobState.SUCCEEDED, None)
    return job


def reused(job: Job) -> int:
    assert job.report is not None
    return int(job.report["files"]["reused"])


def artifacts(stand: Stand, kind: str) -> list[Path]:
    root = Path(str(stand.settings.artifacts_url).removeprefix("file://"))
    return sorted(root.glob(f"t/*/{kind}/*"))


@pytest.mark.parametrize("kind", ["facts", "resolution"])
@pytest.mark.parametrize("harm", ["removed", "cut", "flipped"])
def test_what_is_missing_or_damaged_is_made_anew(stand: Stand, kind: str, harm: str) -> None:
    stand.repo.commit(FILES)
    run(stand)
    (stored,) = artifacts(stand, kind)
    data = stored.read_bytes()
    match harm:
        case "removed":
            stored.unlink()
        case "cut":
            stored.write_bytes(data[: len(data) // 2])
        case "flipped":
            middle = len(data) // 2
            stored.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    # m4 is resolved again because it looks into m3, so a body is read from the old pack.
    stand.repo.commit({"p/m3.py": "def other():\n    return 3\n"})
    run(stand)
    with_harm = digest(stand)
    run(stand, force=True)
    assert digest(stand) == with_harm


def test_facts_come_together_again_after_many_commits(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_MOST_PACKS", 3)
    monkeypatch.setattr(history, "_KEPT_PACKS", 1)
    stand.repo.commit(FILES)
    run(stand)
    seen = []
    for number in range(6):
        stand.repo.commit({f"p/m{number}.py": f"def g{number}():\n    return {number}\n"})
        seen.append(reused(run(stand)))
    assert seen[:3] == [19, 19, 19]
    assert min(seen) < 19, "packs were left out, and what was in them was parsed again"
    assert seen[-1] >= 15
    last = digest(stand)
    run(stand, force=True)
    assert digest(stand) == last


def test_a_file_that_moves_is_not_parsed_again(stand: Stand) -> None:
    stand.repo.commit(FILES)
    run(stand)
    stand.repo.git("mv", "p/m1.py", "p/moved.py")
    stand.repo.commit()
    assert reused(run(stand)) == 20
