"""Repositories of this machine: which commit is meant, what is read, and what never runs."""

import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graph.errors import (
    CheckoutTimedOut,
    CheckoutTooLarge,
    CommitNotFound,
    JobCancelled,
    NotARepository,
    RefNotFound,
    RepositoryEmpty,
    RepositoryNotFound,
)
from tests.workers.gitrepo import Repo
from workers.git import fetch, local, targets
from workers.git.blobs import BlobReader
from workers.git.command import GitLimits
from workers.git.errors import GitDied
from workers.git.remotes import LocalRemote
from workers.git.tree import TreeLimits, list_entries

LIMITS = GitLimits(wall_seconds=30, file_bytes=1 << 30)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def find(path: Path, home: Path) -> local.LocalRepository:
    return local.discover(LocalRemote(path), limits=LIMITS, home=home)


def resolve(path: Path, home: Path, wanted: str | None = None) -> targets.Target:
    return targets.resolve_local(find(path, home), wanted, limits=LIMITS, home=home)


def checkout(
    path: Path, tmp_path: Path, wanted: str | None = None, limits: GitLimits = LIMITS
) -> fetch.Checkout:
    home = tmp_path / "first-home"
    home.mkdir(exist_ok=True)
    repository = find(path, home)
    target = targets.resolve_local(repository, wanted, limits=LIMITS, home=home)
    return fetch.open_local(repository, target.commit, scratch=tmp_path / "scratch", limits=limits)


def read_all(opened: fetch.Checkout) -> dict[bytes, bytes | None]:
    entries = [entry for entry in list_entries(opened, TreeLimits()) if not entry.is_submodule]
    with BlobReader(opened, max_bytes=1 << 20) as blobs:
        contents = list(blobs.read_many(entry.sha for entry in entries))
    return {entry.path: content for entry, content in zip(entries, contents, strict=True)}


class TestWhichCommit:
    def test_without_a_ref_it_is_the_current_branch(self, repo: Repo, home: Path) -> None:
        commit = repo.commit({"a.py": "a = 1\n"})
        assert resolve(repo.path, home) == targets.Target(
            commit, "refs/heads/main", is_default=True
        )

    def test_with_a_detached_head_it_is_head(self, repo: Repo, home: Path) -> None:
        commit = repo.commit()
        repo.git("checkout", "--quiet", "--detach")
        assert resolve(repo.path, home) == targets.Target(commit, "HEAD", is_default=True)

    def test_branches_tags_full_names_and_ids_are_found(self, repo: Repo, home: Path) -> None:
        first = repo.commit({"a.py": "a = 1\n"})
        repo.git("tag", "--annotate", "--message=one", "v1")
        repo.git("update-ref", "refs/pull/7/head", first)
        second = repo.commit({"a.py": "a = 2\n"})
        repo.git("branch", "feature/x", first)
        found = {
            wanted: resolve(repo.path, home, wanted).commit
            for wanted in ("main", "v1", "feature/x", "refs/pull/7/head", first)
        }
        assert found == {
            "main": second,
            "v1": first,
            "feature/x": first,
            "refs/pull/7/head": first,
            first: first,
        }
        assert resolve(repo.path, home, first).ref is None
        assert resolve(repo.path, home, "v1").branch_or_tag == "v1"

    def test_a_branch_wins_over_a_tag_of_its_name(self, repo: Repo, home: Path) -> None:
        first = repo.commit()
        repo.git("tag", "same")
        second = repo.commit({"a": "1"})
        repo.git("branch", "same")
        assert first != second
        assert resolve(repo.path, home, "refs/heads/same").commit == second
        assert resolve(repo.path, home, "same").commit == second

    def test_an_abbreviation_is_no_ref_but_may_be_the_name_of_one(
        self, repo: Repo, home: Path
    ) -> None:
        first, second = repo.commit({"a": "1"}), repo.commit({"a": "2"})
        for length in (7, 9, 39):
            with pytest.raises(RefNotFound, match=f"has to be given whole: {second}"):
                resolve(repo.path, home, second[:length])
        with pytest.raises(RefNotFound, match="by its whole id"):
            resolve(repo.path, home, "0123456")
        repo.git("branch", second[:9], first)
        assert resolve(repo.path, home, second[:9]).commit == first

    def test_an_abbreviation_of_two_commits_is_none(self, repo: Repo, home: Path) -> None:
        tree = repo.git("rev-parse", repo.commit() + "^{tree}")
        seen: set[str] = set()
        for number in range(5000):
            start = repo.git("commit-tree", tree, "-m", str(number))[:4]
            if start in seen:
                break
            seen.add(start)
        with pytest.raises(RefNotFound, match="the beginning of more than one commit id"):
            resolve(repo.path, home, start)

    def test_what_is_not_there_is_said(self, repo: Repo, home: Path) -> None:
        repo.commit()
        with pytest.raises(RefNotFound, match="no branch, tag or commit named 'nowhere'"):
            resolve(repo.path, home, "nowhere")
        with pytest.raises(CommitNotFound):
            resolve(repo.path, home, "1" * 40)

    def test_an_expression_is_not_a_ref(self, repo: Repo, home: Path) -> None:
        repo.commit()
        repo.commit()
        for wanted in ("main~1", "HEAD^", ":/x", "main@{0}", "HEAD:a", "main..main"):
            with pytest.raises(RefNotFound):
                resolve(repo.path, home, wanted)

    def test_a_tag_of_a_tree_is_no_commit(self, repo: Repo, home: Path) -> None:
        repo.commit({"a": "1"})
        repo.git("tag", "leaf", repo.git("rev-parse", "HEAD^{tree}"))
        with pytest.raises(RefNotFound):
            resolve(repo.path, home, "leaf")


class TestWhere:
    def test_worktrees_bare_repositories_and_git_folders_are_read(
        self, repo: Repo, tmp_path: Path, home: Path
    ) -> None:
        commit = repo.commit({"a.py": "a = 1\n"})
        repo.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
        repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "other")
        (tmp_path / "link").symlink_to(repo.path)
        for path in ("repo", "bare.git", "linked", "repo/.git", "link"):
            opened = checkout(tmp_path / path, tmp_path)
            assert opened.commit == commit
            assert read_all(opened) == {b"a.py": b"a = 1\n"}
            for folder in ("scratch", "first-home"):
                shutil.rmtree(tmp_path / folder)
        assert resolve(tmp_path / "linked", home).ref == "refs/heads/other"

    def test_nothing_there(self, tmp_path: Path, home: Path) -> None:
        with pytest.raises(RepositoryNotFound, match="There is nothing at"):
            find(tmp_path / "missing", home)

    def test_a_folder_or_file_that_is_no_repository(self, tmp_path: Path, home: Path) -> None:
        (tmp_path / "file").write_text("x")
        for path in (home, tmp_path / "file"):
            with pytest.raises(NotARepository):
                find(path, home)

    def test_a_folder_inside_a_repository_is_no_repository(self, repo: Repo, home: Path) -> None:
        repo.commit({"src/a.py": "a = 1\n"})
        with pytest.raises(NotARepository):
            find(repo.path / "src", home)

    def test_an_empty_repository_is_said_to_be_empty(self, repo: Repo, home: Path) -> None:
        for wanted in (None, "main"):
            with pytest.raises(RepositoryEmpty):
                resolve(repo.path, home, wanted)

    def test_a_sha256_repository_is_read(self, tmp_path: Path) -> None:
        repo = Repo(tmp_path / "long", object_format="sha256")
        commit = repo.commit({"a.py": "a = 1\n"})
        opened = checkout(repo.path, tmp_path)
        assert (len(commit), opened.commit) == (64, commit)
        assert read_all(opened) == {b"a.py": b"a = 1\n"}

    def test_a_path_with_quotes_and_line_feeds_is_read(self, tmp_path: Path) -> None:
        repo = Repo(tmp_path / 'a "b" \\c é')
        repo.commit({"a.py": "a = 1\n"})
        assert read_all(checkout(repo.path, tmp_path)) == {b"a.py": b"a = 1\n"}

    def test_packed_and_shallow_repositories_are_read(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit({"a.py": "a = 1\n"})
        repo.commit({"a.py": "a = 2\n"})
        repo.git("gc", "--quiet")
        repo.git(
            "-c",
            "protocol.file.allow=always",
            "clone",
            "--quiet",
            "--depth=1",
            f"file://{repo.path}",
            str(tmp_path / "shallow"),
        )
        assert read_all(checkout(tmp_path / "shallow", tmp_path)) == {b"a.py": b"a = 2\n"}


class TestUncommittedWork:
    def note(self, repo: Repo, tmp_path: Path, wanted: str | None = None) -> str | None:
        opened = checkout(repo.path, tmp_path, wanted)
        repository = find(repo.path, opened.home)
        return local.uncommitted(
            repository, opened.commit, scratch=opened.git_dir, home=opened.home, limits=LIMITS
        )

    def test_a_clean_tree_needs_no_note(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit({"a.py": "a = 1\n", ".gitignore": "*.o\n"})
        repo.write({"b.o": "x"})
        (repo.path / ".git" / "info" / "exclude").write_text("*.tmp\n")
        repo.write({"c.tmp": "x"})
        assert self.note(repo, tmp_path) is None

    def test_changed_staged_and_untracked_files_are_counted(
        self, repo: Repo, tmp_path: Path
    ) -> None:
        repo.commit({"a.py": "a = 1\n", "b.py": "b = 1\n", "c.py": "c = 1\n"})
        repo.write({"a.py": "a = 2\n", "b.py": "b = 22\n", "d.py": "d = 1\n"})
        repo.git("add", "b.py")
        (repo.path / "c.py").unlink()
        before = (repo.path / ".git" / "index").read_bytes()
        assert self.note(repo, tmp_path) == (
            "Uncommitted work was left out: 3 changed files and 1 untracked file."
            " The commit was ingested."
        )
        assert (repo.path / ".git" / "index").read_bytes() == before

    def test_a_file_that_was_changed_in_the_second_it_was_committed_is_counted(
        self, repo: Repo, tmp_path: Path
    ) -> None:
        # At the beginning of a second, so that all of it happens in one.
        time.sleep(1 - time.time() % 1)
        repo.commit({"a.py": "a = 1\n"})
        repo.write({"a.py": "a = 2\n"})
        time.sleep(1)
        assert "1 changed file" in (self.note(repo, tmp_path) or "")

    def test_a_repository_without_work_tree_needs_no_note(self, tmp_path: Path, repo: Repo) -> None:
        repo.commit({"a.py": "a = 1\n"})
        repo.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
        bare = Repo.__new__(Repo)
        bare.path = tmp_path / "bare.git"
        assert self.note(bare, tmp_path) is None


class TestHostileRepository:
    def test_nothing_that_a_repository_configures_is_run(self, repo: Repo, tmp_path: Path) -> None:
        canary = tmp_path / "canary"
        script = tmp_path / "script"
        script.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n")
        script.chmod(0o755)
        repo.commit({"a.py": "a = 1\n", ".gitattributes": "* filter=evil diff=evil merge=evil\n"})
        commands = (
            "core.fsmonitor",
            "core.pager",
            "core.editor",
            "core.sshCommand",
            "core.gitProxy",
            "core.alternateRefsCommand",
            "core.askPass",
            "credential.helper",
            "diff.external",
            "diff.evil.textconv",
            "filter.evil.clean",
            "filter.evil.smudge",
            "filter.evil.process",
            "uploadpack.packObjectsHook",
            "remote.origin.vcs",
            "alias.cat-file",
            "alias.status",
        )
        for command in commands:
            repo.git("config", command, str(script))
        repo.git("config", "core.hooksPath", str(tmp_path))
        repo.git("config", "remote.origin.promisor", "true")
        repo.git("config", "remote.origin.url", f"ext::sh -c 'touch {canary}'")
        repo.git("config", "extensions.partialClone", "origin")
        repo.git("config", "protocol.ext.allow", "always")
        for hook in ("post-index-change", "reference-transaction", "pre-auto-gc"):
            (tmp_path / hook).symlink_to(script)
        repo.write({"a.py": "a = 2\n"})
        canary.unlink(missing_ok=True)

        opened = checkout(repo.path, tmp_path)
        repository = find(repo.path, opened.home)
        note = local.uncommitted(
            repository, opened.commit, scratch=opened.git_dir, home=opened.home, limits=LIMITS
        )
        with BlobReader(opened, max_bytes=1 << 20) as blobs:
            assert blobs.read("1" * 40) is None  # absent: a promisor would be asked for it

        assert not canary.exists()
        assert note is not None
        assert read_all(opened)[b"a.py"] == b"a = 1\n"
        repo.git("status")
        assert canary.exists(), "the trap works: git in the repository itself springs it"

    def test_names_that_no_file_system_takes_are_bytes(self, repo: Repo, tmp_path: Path) -> None:
        blob = repo.blob(b"x = 1\n")
        names = [b"a\xff\xfe.py", b"b\nc.py", b"-rf.py", b"e\rf", b"tab\t", b"c" * 5000]
        repo.commit_tree(repo.tree(*[(0o100644, name, blob) for name in names]))
        entries = {
            entry.path: entry for entry in list_entries(checkout(repo.path, tmp_path), TreeLimits())
        }
        assert set(names[:-1]) < set(entries)
        (long,) = [entry for entry in entries.values() if entry.shortened]
        assert long.path.startswith(b"c" * 200 + b"...#")

    def test_modes_are_told_apart(self, repo: Repo, tmp_path: Path) -> None:
        blob = repo.blob(b"x")
        repo.commit_tree(
            repo.tree(
                (0o100644, b"file", blob),
                (0o100755, b"program", blob),
                (0o120000, b"link", blob),
                (0o160000, b"module", "1" * 40),
            )
        )
        entries = {
            entry.path: (entry.is_symlink, entry.is_submodule, entry.mode & 0o111 != 0)
            for entry in list_entries(checkout(repo.path, tmp_path), TreeLimits())
        }
        assert entries == {
            b"file": (False, False, False),
            b"program": (False, False, True),
            b"link": (True, False, False),
            b"module": (False, True, False),
        }

    def test_a_tree_that_unfolds_without_end_is_stopped(self, repo: Repo, tmp_path: Path) -> None:
        level = repo.tree((0o100644, b"a.py", repo.blob(b"x = 1\n")))
        for _ in range(10):
            level = repo.tree(*[(0o40000, b"%d" % number, level) for number in range(10)])
        repo.commit_tree(level)
        opened = checkout(repo.path, tmp_path)
        with pytest.raises(CheckoutTooLarge):
            sum(1 for _ in list_entries(opened, TreeLimits(entries=100_000)))

    def test_a_tree_of_folders_alone_is_stopped_too(self, repo: Repo, tmp_path: Path) -> None:
        level = repo.tree()
        for _ in range(8):
            level = repo.tree(*[(0o40000, b"%d" % number, level) for number in range(10)])
        repo.commit_tree(level)
        opened = checkout(repo.path, tmp_path)
        with pytest.raises(CheckoutTooLarge):
            sum(1 for _ in list_entries(opened, TreeLimits(entries=100_000)))

    def test_a_deep_tree_is_listed_with_its_path_cut(self, repo: Repo, tmp_path: Path) -> None:
        level = repo.tree((0o100644, b"a.py", repo.blob(b"x = 1\n")))
        for _ in range(1500):
            level = repo.tree((0o40000, b"d", level))
        repo.commit_tree(level)
        (entry,) = list_entries(checkout(repo.path, tmp_path), TreeLimits())
        assert entry.shortened
        assert len(entry.path) < 300


class TestBlobs:
    def test_sizes_come_first_and_nothing_above_the_cap_is_read(
        self, repo: Repo, tmp_path: Path
    ) -> None:
        repo.commit({"small": "x", "large": b"\0" * 5000, "empty": ""})
        opened = checkout(repo.path, tmp_path)
        entries = {entry.path: entry.sha for entry in list_entries(opened, TreeLimits())}
        with BlobReader(opened, max_bytes=1000) as blobs:
            asked = [entries[b"empty"], entries[b"large"], "2" * 40, opened.tree]
            assert list(blobs.sizes(asked)) == [0, 5000, None, None]
            assert blobs.read(entries[b"empty"]) == b""
            assert blobs.read(entries[b"small"]) == b"x"

    def test_thousands_of_blobs_come_in_the_order_asked(self, repo: Repo, tmp_path: Path) -> None:
        repo.commit({f"d{n % 7}/f{n}.py": f"x = {n}\n" * (n % 50 + 1) for n in range(3000)})
        opened = checkout(repo.path, tmp_path)
        entries = list(list_entries(opened, TreeLimits()))
        with BlobReader(opened, max_bytes=1 << 20) as blobs:
            sizes = list(blobs.sizes(entry.sha for entry in entries))
            contents = list(blobs.read_many(entry.sha for entry in reversed(entries)))
        assert [len(content or b"") for content in reversed(contents)] == sizes
        assert len(set(contents)) == 3000

    def test_an_iteration_that_was_left_does_not_answer_for_another(
        self, repo: Repo, tmp_path: Path
    ) -> None:
        repo.commit({"a": "1", "b": "2"})
        opened = checkout(repo.path, tmp_path)
        shas = [entry.sha for entry in list_entries(opened, TreeLimits())]
        with BlobReader(opened, max_bytes=100) as blobs:
            next(blobs.read_many(shas))
            with pytest.raises(RuntimeError):
                blobs.read(shas[1])


class TestStopping:
    @pytest.mark.parametrize(
        ("seconds", "stop", "error"),
        [(0.3, lambda: False, CheckoutTimedOut), (60, lambda: True, JobCancelled)],
    )
    def test_a_reader_meets_a_typed_error_and_no_process_is_left(
        self,
        repo: Repo,
        tmp_path: Path,
        seconds: float,
        stop: Callable[[], bool],
        error: type[Exception],
    ) -> None:
        repo.commit({"a": "1"})
        opened = checkout(repo.path, tmp_path)
        limited = fetch.Checkout(
            git_dir=opened.git_dir,
            home=opened.home,
            commit=opened.commit,
            tree=opened.tree,
            limits=GitLimits(wall_seconds=seconds, file_bytes=1 << 30),
            should_stop=stop,
            absent_is_oversize=False,
        )
        with BlobReader(limited, max_bytes=100) as blobs, pytest.raises(error):
            list(blobs.sizes(itertools.repeat("1" * 40)))
        pid = blobs._process._process.pid
        with pytest.raises(ProcessLookupError):
            os.killpg(pid, 0)

    def test_a_git_that_is_killed_from_outside_may_be_tried_again(
        self, repo: Repo, tmp_path: Path
    ) -> None:
        repo.commit({"a": "1"})
        opened = checkout(repo.path, tmp_path)
        with BlobReader(opened, max_bytes=100) as blobs:
            os.kill(blobs._process._process.pid, signal.SIGKILL)
            with pytest.raises(GitDied) as died:
                list(blobs.sizes(["1" * 40]))
        assert died.value.transient
