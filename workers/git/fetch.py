"""Makes the objects of one commit readable: a scratch bare repository, never a work tree.

From an https remote they are fetched: depth 1, no tags, blobs above the cap left out where the
host can. A repository of this machine is read in place through `objects/info/alternates`.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graph.errors import ArtifactDamaged, ArtifactNotFound, CodeloomError, CommitNotFound
from workers.git import failures, packed
from workers.git.command import Answer, GitLimits, Network, ShouldStop, never, run
from workers.git.local import LocalRepository
from workers.git.remotes import HttpsRemote


@dataclass(frozen=True, slots=True)
class Checkout:
    """One commit that can be read. It is valid as long as its scratch folder exists."""

    git_dir: Path
    # The empty home folder that git is given.
    home: Path
    commit: str
    tree: str
    limits: GitLimits
    should_stop: ShouldStop
    # Whether a blob that is named but not there was left out for its size.
    absent_is_oversize: bool

    @property
    def arguments(self) -> list[str]:
        """The options that point git at it."""
        return [f"--git-dir={self.git_dir}"]


def fetch_remote(
    remote: HttpsRemote,
    commit: str,
    *,
    scratch: Path,
    network: Network,
    limits: GitLimits,
    max_blob_bytes: int,
    should_stop: ShouldStop = never,
) -> Checkout:
    """Fetch one commit into `scratch`, without history and without what is too large to parse."""
    git_dir, home = _make_repository(scratch, sha256=len(commit) > 40)  # noqa: PLR2004  sha-1
    answer = run(
        [
            f"--git-dir={git_dir}",
            *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head"),
            *("--no-recurse-submodules", "--no-auto-maintenance"),
            f"--filter=blob:limit={max_blob_bytes + 1}",
            *("--", remote.fetch_url, commit),
        ],
        limits=limits,
        home=home,
        network=network,
        should_stop=should_stop,
    )
    if answer.code != 0:
        raise _failure(answer, remote, limits, fetched=fetched_bytes(scratch))
    # The fetch noted the remote as one that owes us objects. Nobody is asked for anything again.
    _configure(git_dir, sha256=len(commit) > 40)  # noqa: PLR2004  sha-1
    return _opened(
        git_dir,
        home,
        commit,
        what=str(remote),
        limits=limits,
        should_stop=should_stop,
        filtered=True,
    )


def open_packed(
    chunks: Iterable[bytes],
    remote: HttpsRemote,
    commit: str,
    *,
    scratch: Path,
    limits: GitLimits,
    should_stop: ShouldStop = never,
) -> Checkout:
    """Make a commit readable that was fetched elsewhere, from what `packed.join` made of it there.

    An artifact that is not there or damaged leaves no trace in `scratch`: the commit can still be
    fetched into it.
    """
    git_dir, home = _make_repository(scratch, sha256=len(commit) > 40)  # noqa: PLR2004  sha-1
    try:
        packed.part(chunks, git_dir / "objects")
    except (ArtifactNotFound, ArtifactDamaged):
        shutil.rmtree(git_dir)
        raise
    # It was fetched without history.
    (git_dir / "shallow").write_text(f"{commit}\n")
    return _opened(
        git_dir,
        home,
        commit,
        what=str(remote),
        limits=limits,
        should_stop=should_stop,
        filtered=True,
    )


def _failure(
    answer: Answer, remote: HttpsRemote, limits: GitLimits, *, fetched: int
) -> CodeloomError:
    # Git says so only of small packs: of one with many objects it finds that it is damaged.
    if fetched >= limits.file_bytes:
        return failures.fetch_too_large()
    return failures.from_complaint(
        answer.code,
        answer.complaint,
        what=str(remote),
        retry_after_seconds=answer.retry_after_seconds,
    )


def fetched_bytes(scratch: Path) -> int:
    """How much was fetched into `scratch` so far: the pack, as it came over the network."""
    size = 0
    with suppress(FileNotFoundError):  # nothing yet; or a file got its final name just now
        for file in os.scandir(scratch / "repository.git" / "objects" / "pack"):
            if file.name.startswith("tmp_pack") or file.name.endswith(".pack"):
                size += file.stat().st_size
    return size


def open_local(
    repository: LocalRepository,
    commit: str,
    *,
    scratch: Path,
    limits: GitLimits,
    should_stop: ShouldStop = never,
) -> Checkout:
    """Make one commit of a repository of this machine readable under our configuration."""
    git_dir, home = _make_repository(scratch, sha256=repository.object_format == "sha256")
    # Quoted as git reads it: a path may hold anything but a NUL, and a line is a path.
    escaped = str(repository.objects).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    alternates = f'"{escaped}"\n'.encode("utf-8", "surrogateescape")
    (git_dir / "objects" / "info" / "alternates").write_bytes(alternates)
    return _opened(
        git_dir,
        home,
        commit,
        what=str(repository),
        limits=limits,
        should_stop=should_stop,
        filtered=False,
    )


def _make_repository(scratch: Path, *, sha256: bool) -> tuple[Path, Path]:
    git_dir, home = scratch / "repository.git", scratch / "home"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in ("refs", "objects/info"):
        (git_dir / folder).mkdir(parents=True, mode=0o700)
    (git_dir / "HEAD").write_text("ref: refs/heads/none\n")
    _configure(git_dir, sha256=sha256)
    return git_dir, home


def _configure(git_dir: Path, *, sha256: bool) -> None:
    extension = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
    (git_dir / "config").write_text(
        f"[core]\n\trepositoryFormatVersion = {int(sha256)}\n\tbare = true\n{extension}"
    )


def _opened(
    git_dir: Path,
    home: Path,
    commit: str,
    *,
    what: str,
    limits: GitLimits,
    should_stop: ShouldStop,
    filtered: bool,
) -> Checkout:
    answer = run(
        [f"--git-dir={git_dir}", "cat-file", "--batch-check=%(objectname)"],
        limits=limits,
        home=home,
        stdin=f"{commit}^{{commit}}\n{commit}^{{tree}}\n".encode(),
        should_stop=should_stop,
    )
    lines = answer.output.decode("ascii", "replace").splitlines()
    if answer.code != 0 or len(lines) != 2:  # noqa: PLR2004  a line for each question
        raise failures.from_complaint(answer.code, answer.complaint, what=what)
    if any(" " in line for line in lines):  # `<name> missing`
        raise CommitNotFound(f"{what} has no commit {commit}.")
    return Checkout(
        git_dir=git_dir,
        home=home,
        commit=lines[0],
        tree=lines[1],
        limits=limits,
        should_stop=should_stop,
        absent_is_oversize=filtered,
    )
