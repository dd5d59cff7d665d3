"""Ingestions by the real processes: dispatcher, Celery worker, parsers, database, broker."""

import random
import time

import pytest

from graph.model.jobs import JobState
from graph.storage import snapshots
from graph.storage.session import tenant_session
from graph.storage.snapshots import Snapshot
from tests.workers.digest import digest, graph
from tests.workers.stand import Stand

FILES = {
    "shop/__init__.py": "from shop.cart import Cart\n",
    "shop/cart.py": (
        "from shop.item import Item\n\n\n"
        "class Cart:\n    def add(self, item: Item) -> None:\n        item.price()\n"
    ),
    "shop/item.py": "class Item:\n    def price(self) -> int:\n        return 1\n",
    "README.md": "# shop\n",
}


def head(stand: Stand, ref: str = "HEAD") -> Snapshot | None:
    with tenant_session(stand.tenant_id, settings=stand.settings) as conn:
        return snapshots.head(conn, repository=stand.repository.number, ref=ref)


@pytest.fixture
def running(stand: Stand) -> Stand:
    stand.start_dispatcher()
    stand.start_worker()
    return stand


def test_a_repository_becomes_a_graph(running: Stand) -> None:
    commit = running.repo.commit(FILES)
    job = running.ended(running.request())
    assert (job.state, job.error_message) == (JobState.SUCCEEDED, None)
    assert job.percent == 100
    assert job.report is not None
    assert job.report["commit"] == commit
    assert job.report["ref"] == "main"
    assert job.report["files"] == {
        "total": 4,
        "parsed": 3,
        "reused": 0,
        "by_language": {"python": 3},
        "skipped": {"unknown_language": 1},
    }
    assert job.report["nodes"]["class"] == 2
    assert job.report["lines"] == 10
    stages = [stage["name"] for stage in job.report["stages"]]
    assert stages == ["checkout", "inventory", "parse", "resolve", "load", "publish"]
    for ref in ("HEAD", "main"):
        found = head(running, ref)
        assert found is not None
        assert (found.commit, found.id) == (commit, job.snapshot_id)
    names = {row[4] for row in graph(running)["nodes"]}
    assert {"Cart", "Cart.add", "Item", "Item.price"} <= names
    assert list(running.settings.scratch.iterdir()) == []


def test_an_unchanged_commit_is_answered_at_once(running: Stand) -> None:
    running.repo.commit(FILES)
    first = running.ended(running.request())
    started = time.monotonic()
    second = running.ended(running.request())
    assert time.monotonic() - started < 2
    assert second.state is JobState.SUCCEEDED
    assert second.snapshot_id == first.snapshot_id
    assert second.report is not None
    assert second.report["unchanged"] is True
    forced = running.ended(running.request(force=True))
    assert forced.snapshot_id != first.snapshot_id
    assert forced.report is not None
    assert forced.report["files"]["reused"] == 0


def test_the_next_commit_parses_what_changed_and_equals_a_clean_run(running: Stand) -> None:
    running.repo.commit(FILES)
    running.ended(running.request())
    running.repo.commit(
        {"shop/item.py": "class Item:\n    def cost(self) -> int:\n        return 2\n"}
    )
    job = running.ended(running.request())
    assert job.report is not None
    assert job.report["files"]["reused"] == 2
    incremental = digest(running)
    assert running.ended(running.request(force=True)).state is JobState.SUCCEEDED
    assert digest(running) == incremental


def test_a_commit_is_ingested_without_moving_a_head(running: Stand) -> None:
    first = running.repo.commit(FILES)
    running.repo.commit({"more.py": "x = 1\n"})
    running.ended(running.request())
    job = running.ended(running.request(first))
    assert (job.state, job.commit) == (JobState.SUCCEEDED, first)
    newest = head(running)
    assert newest is not None
    assert newest.commit != first


def test_uncommitted_work_is_noted(running: Stand) -> None:
    running.repo.commit(FILES)
    running.repo.write({"shop/item.py": "changed\n", "new.py": "x = 1\n"})
    job = running.ended(running.request())
    assert job.report is not None
    (note,) = job.report["notes"]
    assert note.startswith("Uncommitted work was left out: 1 changed file and 1 untracked file.")


def test_uncommitted_work_is_noted_of_an_unchanged_commit_too(running: Stand) -> None:
    running.repo.commit(FILES)
    running.ended(running.request())
    running.repo.write({"new.py": "x = 1\n"})
    job = running.ended(running.request())
    assert job.report is not None
    (note,) = job.report["notes"]
    assert job.report["unchanged"] is True
    assert note.startswith("Uncommitted work was left out: 1 untracked file.")
    assert job.report["lines_per_second"] == 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("ref", "code"), [(None, "repository_empty"), ("nowhere", "repository_empty")]
    )
    def test_an_empty_repository(self, running: Stand, ref: str | None, code: str) -> None:
        job = running.ended(running.request(ref))
        assert (job.state, job.error_code) == (JobState.FAILED, code)

    def test_a_ref_that_is_not_there(self, running: Stand) -> None:
        running.repo.commit(FILES)
        job = running.ended(running.request("nowhere"))
        assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, "ref_not_found", 1)

    def test_a_repository_that_is_gone(self, running: Stand) -> None:
        running.repo.path.rename(running.repo.path.with_name("gone"))
        job = running.ended(running.request())
        assert (job.state, job.error_code) == (JobState.FAILED, "repository_not_found")

    def test_a_folder_that_is_no_repository(self, running: Stand) -> None:
        (running.repo.path / ".git").rename(running.repo.path / "git")
        job = running.ended(running.request())
        assert (job.state, job.error_code) == (JobState.FAILED, "not_a_repository")

    def test_a_repository_without_a_known_language(self, running: Stand) -> None:
        running.repo.commit({"a.txt": "x\n", "b.md": "y\n"})
        job = running.ended(running.request())
        assert job.state is JobState.SUCCEEDED
        assert job.report is not None
        assert job.report["files"]["skipped"] == {"unknown_language": 2}
        assert len(graph(running)["nodes"]) == 2

    def test_a_commit_without_files(self, running: Stand) -> None:
        running.repo.commit({})
        job = running.ended(running.request())
        assert job.state is JobState.SUCCEEDED
        assert job.report is not None
        assert job.report["files"]["total"] == 0

    def test_every_kind_of_bad_file_is_recorded_with_its_reason(self, running: Stand) -> None:
        repo = running.repo
        noise = random.Random(1)
        blobs = {
            b"good.py": b"def good() -> int:\n    return 1\n",
            b"binary.py": b"x = 1\n\0\0",
            b"noise.py": bytes(noise.choices(range(1, 256), k=5000)),
            b"huge.py": b"x = 1\n" * 200_000,
            b"small.min.js": b"var a=1;",
            b"long.js": b"var a=[" + b"1," * 40_000 + b"];\n",
            b"made.py": b"# Code generated by a tool. DO NOT EDIT.\nx = 1\n",
            b"latin.py": b"# -*- coding: latin-1 -*-\nname = 'caf\xe9'\n",
            b"utf16.py": "x = 1\n".encode("utf-16"),
            b"deep.py": b"x = " + b"[" * 5000 + b"]" * 5000 + b"\n",
            b"deeper.js": b"x = " + b"(" * 200_000 + b")" * 200_000 + b";\n",
            b"empty.py": b"",
            b"pointer.py": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            b"name\xff\xfe.py": b"y = 1\n",
            b"line\nfeed.py": b"z = 1\n",
        }
        entries = [(0o100644, name, repo.blob(data)) for name, data in blobs.items()]
        entries += [
            (0o120000, b"link.py", repo.blob(b"good.py")),
            (0o160000, b"module", "1" * 40),
            (0o40000, b"node_modules", repo.tree((0o100644, b"v.js", repo.blob(b"v\n")))),
        ]
        repo.commit_tree(repo.tree(*entries))
        job = running.ended(running.request(), 90)
        assert (job.state, job.error_message) == (JobState.SUCCEEDED, None)
        verdicts = {bytes(row[0]): (row[3], row[4]) for row in graph(running)["documents"]}
        assert len(verdicts) == len(entries)
        assert verdicts[b"good.py"] == ("parsed", None)
        assert verdicts[b"name\xff\xfe.py"] == ("parsed", None)
        assert verdicts[b"line\nfeed.py"] == ("parsed", None)
        assert verdicts[b"utf16.py"] == ("parsed", None)
        assert verdicts[b"latin.py"][0] in ("parsed", "partial")
        assert verdicts[b"deep.py"][0] in ("parsed", "partial", "skipped")
        reasons = {
            path: reason for path, (status, reason) in verdicts.items() if status == "skipped"
        }
        assert reasons[b"binary.py"] == "binary"
        assert reasons[b"huge.py"] == "oversize"
        assert reasons[b"small.min.js"] == "minified"
        assert reasons[b"long.js"] == "minified"
        assert reasons[b"made.py"] == "generated"
        assert reasons[b"pointer.py"] == "lfs_pointer"
        assert reasons[b"link.py"] == "symlink"
        assert reasons[b"module"] == "submodule"
        assert reasons[b"node_modules/v.js"] == "vendored"


def test_local_repositories_can_be_forbidden(stand: Stand) -> None:
    stand.repo.commit(FILES)
    stand.start_dispatcher()
    stand.start_worker(ALLOW_LOCAL_REPOSITORIES="false")
    job = stand.ended(stand.request())
    assert (job.state, job.error_code) == (JobState.FAILED, "remote_not_allowed")


def test_a_host_that_is_away_is_tried_again_later(running: Stand) -> None:
    from graph.storage import repositories
    from workers import facade

    with tenant_session(running.tenant_id, settings=running.settings) as conn:
        away = repositories.register(conn, url="https://host.invalid/a.git", name="away")
    with tenant_session(running.tenant_id, settings=running.settings) as conn:
        job_id = facade.request_ingestion(conn, repository_id=away.id).id
    running.until(lambda: running.job(job_id).error_code, "the attempt fails")
    job = running.job(job_id)
    assert (job.state, job.error_code, job.attempt) == (JobState.QUEUED, "host_unreachable", 1)
