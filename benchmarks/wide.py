"""A repository of a million lines, parsed in shards by one worker and by two.

Real code: packages of this environment, as many as it takes. Each worker has one parser process, so
that two workers are what a second machine would be to the first. The parse stage is the time from
the shards' being queued to the end of the last one; rounds with one worker and with two alternate,
and what is told is the mean, because one machine has other work too. An ingestion is cancelled when
its parse is over: nothing after it is shared.
"""

import shutil
import statistics
import sysconfig
import tempfile
from pathlib import Path

from benchmarks.corpora import commit
from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.settings import Settings
from graph.storage import jobs
from graph.storage.jobs import Job
from graph.storage.session import tenant_session
from parsers.detect import detect
from parsers.language import Language
from service.embedded.stack import opened
from tests.workers.gitrepo import Repo
from tests.workers.stand import Stand

_LINES = 1_000_000
_ROUNDS = (1, 2, 2, 1)
_WANTED = 1.7
_PATIENCE_SECONDS = 1200


def main() -> None:
    """Print the seconds of each round, and how much sooner two workers are done."""
    with tempfile.TemporaryDirectory(prefix="codeloom-wide-") as folder:
        Path(folder).chmod(0o755)
        source = Path(folder) / "repository"
        lines = _collect(source)
        repository = Repo(source)
        commit(source, "Packages")
        wanted = Settings(codeloom_home=Path(folder) / "home")
        with opened(wanted) as running:
            settings = running.model_copy(
                update={
                    "codeloom_home": Path(folder) / "stand",
                    "artifacts_url": running.artifacts,
                    "allow_local_repositories": True,
                    "parse_processes": 1,
                    "wide_parse_bytes": 1,
                    "wide_shard_bytes": 2 << 20,
                }
            )
            _measure(settings, repository, lines)


def _measure(settings: Settings, repository: Repo, lines: int) -> None:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with Stand(settings, repository) as stand:
        stand.start_dispatcher()
        for workers in _ROUNDS:
            shards = _shards(stand, workers)
            began = min(shard.created_at for shard in shards)
            ended = max(shard.finished_at for shard in shards if shard.finished_at is not None)
            seconds[workers].append((ended - began).total_seconds())
            busy = sum(_seconds(shard) for shard in shards) / (seconds[workers][-1] * workers)
            print(
                f"  {workers} worker(s): {len(shards)} shards, {seconds[workers][-1]:.1f} s,"
                f" {busy:.0%} of it at work"
            )
    one, two = (statistics.mean(seconds[workers]) for workers in (1, 2))
    print(f"  {lines} lines: one worker {one:.1f} s, two workers {two:.1f} s")
    print(f"  ratio {one / two:.2f}    target: at least {_WANTED}")


def _shards(stand: Stand, workers: int) -> list[Job]:
    """The shards of one ingestion, all parsed by so many workers."""
    names = [f"worker{number}" for number in range(workers)]
    for name in names:
        stand.start_worker(name)
    job_id = stand.request(force=True)
    stand.in_state(job_id, JobState.WAITING, _PATIENCE_SECONDS)
    stand.until(
        lambda: stand.job(job_id).state is not JobState.WAITING,
        "the shards are parsed",
        _PATIENCE_SECONDS,
    )
    stand.cancel(job_id)
    for name in names:
        stand.kill(name)
    return _children(stand, job_id)


def _seconds(shard: Job) -> float:
    """How long its last attempt ran."""
    if shard.started_at is None or shard.finished_at is None:
        raise RuntimeError("a shard was not parsed")
    return (shard.finished_at - shard.started_at).total_seconds()


def _children(stand: Stand, job_id: JobId) -> list[Job]:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        return jobs.list_page(conn, parent=job_id, limit=1000)


def _collect(folder: Path) -> int:
    """How many lines of packages were copied there."""
    lines = 0
    packages = Path(sysconfig.get_paths()["purelib"])
    for path in sorted(packages.rglob("*.py")):
        if lines >= _LINES:
            break
        name = path.relative_to(packages)
        if isinstance(detect(str(name).encode("utf-8", "surrogateescape")), Language):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
            lines += path.read_bytes().count(b"\n")
    return lines


if __name__ == "__main__":
    main()
