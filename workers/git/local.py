"""A repository in a folder of this machine, read in place and never changed.

Its configuration is somebody else's. Two commands read it, `rev-parse` and `cat-file`, neither of
which runs anything; whatever could is switched off besides (`command.py`).
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from graph.errors import CheckoutTimedOut, NotARepository, RepositoryNotFound
from workers.git import failures
from workers.git.command import GitLimits, ShouldStop, never, run
from workers.git.remotes import LocalRemote

# How long the comparison with the work tree may take: it is a courtesy, not the job.
_STATUS_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LocalRepository:
    """Where the parts of a repository of this machine are."""

    remote: LocalRemote
    git_dir: Path
    common_dir: Path
    objects: Path
    object_format: str
    # None for a bare repository.
    work_tree: Path | None

    @override
    def __str__(self) -> str:
        return str(self.remote)

    @property
    def arguments(self) -> list[str]:
        """The options that point git at it."""
        return [f"--git-dir={self.git_dir}"]

    def head_ref(self) -> str:
        """The branch that is current, "HEAD" where there is none."""
        head = (self.git_dir / "HEAD").read_bytes().decode("utf-8", "replace").strip()
        return head.removeprefix("ref: ").strip() if head.startswith("ref: ") else "HEAD"

    def has_no_refs(self) -> bool:
        """Whether not a single ref is stored: the repository was made and never committed to."""
        if (self.common_dir / "packed-refs").exists() or (self.common_dir / "reftable").exists():
            return False
        return not any(path.is_file() for path in (self.common_dir / "refs").rglob("*"))


def discover(
    remote: LocalRemote, *, limits: GitLimits, home: Path, should_stop: ShouldStop = never
) -> LocalRepository:
    """Find the parts of the repository at exactly this path, not of one that encloses it."""
    path = Path(os.path.realpath(remote.path))
    if not path.exists():
        raise RepositoryNotFound(f"There is nothing at {remote}.")
    if not path.is_dir() or not os.access(path, os.R_OK | os.X_OK):
        raise NotARepository(f"{remote} is not a folder that can be read.")
    answer = run(
        [
            *("-C", str(path), "rev-parse", "--path-format=absolute"),
            *("--git-dir", "--git-common-dir", "--git-path", "objects"),
            *("--is-bare-repository", "--show-object-format"),
        ],
        limits=limits,
        home=home,
        environment={"GIT_CEILING_DIRECTORIES": str(path.parent)},
        should_stop=should_stop,
    )
    lines = answer.output.decode("utf-8", "surrogateescape").splitlines()
    if answer.code != 0 or len(lines) != 5:  # noqa: PLR2004  one line for each question above
        raise failures.from_complaint(answer.code, answer.complaint, what=str(remote))
    git_dir, common_dir, objects = (Path(line) for line in lines[:3])
    # Asked for `x/.git` itself, git says that it is in no work tree and not bare either.
    has_work_tree = lines[3] == "false" and git_dir != path
    return LocalRepository(
        remote=remote,
        git_dir=git_dir,
        common_dir=common_dir,
        objects=objects,
        object_format=lines[4],
        work_tree=path if has_work_tree else None,
    )


def uncommitted(
    repository: LocalRepository, commit: str, *, scratch: Path, home: Path, limits: GitLimits
) -> str | None:
    """A note on what the work tree holds beyond the commit; None if nothing, or another commit.

    The comparison runs in our scratch repository with a copy of the index: `git status` in the
    repository itself could run the clean filters and the monitor that its configuration names.
    """
    index = repository.git_dir / "index"
    if repository.work_tree is None or not index.is_file():
        return None
    # With its time: by that git knows which files may have changed in the second they were added.
    shutil.copy2(index, scratch / "index")
    (scratch / "HEAD").write_text(f"{commit}\n")
    exclude = repository.common_dir / "info" / "exclude"
    try:
        answer = run(
            [
                *(f"--git-dir={scratch}", f"--work-tree={repository.work_tree}"),
                *("-c", "core.bare=false", "-c", f"core.excludesFile={exclude}"),
                *("status", "--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=all"),
            ],
            limits=GitLimits(_STATUS_SECONDS, limits.file_bytes, limits.memory_bytes),
            home=home,
            environment={"GIT_INDEX_FILE": str(scratch / "index")},
        )
    except CheckoutTimedOut:
        return "The work tree could not be compared with the commit in time."
    if answer.code != 0:
        return "The work tree could not be compared with the commit."
    return _describe(answer.output)


def _describe(status: bytes) -> str | None:
    entries = [entry for entry in status.split(b"\0") if entry]
    untracked = sum(entry.startswith(b"??") for entry in entries)
    changed = len(entries) - untracked
    parts = [
        f"{count} {what} file{'' if count == 1 else 's'}"
        for count, what in ((changed, "changed"), (untracked, "untracked"))
        if count
    ]
    if not parts:
        return None
    return f"Uncommitted work was left out: {' and '.join(parts)}. The commit was ingested."
