"""What a ref means now: the commit that a remote's branch, tag, full ref name or commit id names.

Cheap on purpose (one `ls-remote`, or reading a local repository in place): an unchanged commit is
answered from here, without a fetch.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from graph.errors import CodeloomError, CommitNotFound, RefNotFound, RepositoryEmpty
from workers.git import failures
from workers.git.command import GitLimits, Network, ShouldStop, never, run
from workers.git.local import LocalRepository
from workers.git.remotes import HttpsRemote

_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED_ID = re.compile(r"[0-9a-f]{4,63}")
# The rules of `git check-ref-format`: what passes cannot be a range, a search or an option.
_REFUSED_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)")
_MAX_REF = 1024
_LOCAL_PREFIXES = ("refs/heads/", "refs/tags/", "refs/remotes/origin/")
_REMOTE_PREFIXES = ("refs/heads/", "refs/tags/")


@dataclass(frozen=True, slots=True)
class Target:
    """A commit, and the name under which it was found."""

    commit: str
    # `refs/heads/main`; "HEAD" where that is detached; None where a commit id was asked for.
    ref: str | None
    # Whether that is what the repository answers with when no ref is named.
    is_default: bool = False

    @property
    def branch_or_tag(self) -> str | None:
        """The name people use: `main` for `refs/heads/main`."""
        if self.ref is None:
            return None
        for prefix in _LOCAL_PREFIXES:
            if self.ref.startswith(prefix):
                return self.ref.removeprefix(prefix)
        return self.ref


def check_wanted(wanted: str) -> None:
    """Raise `RefNotFound` for a text that can be neither a ref nor a commit id."""
    refused = (
        not wanted
        or len(wanted) > _MAX_REF
        or _REFUSED_IN_REF.search(wanted)
        or wanted.startswith(("-", "/", "."))
        or wanted.endswith(("/", "."))
        or wanted == "@"
        or not wanted.isprintable()
    )
    if refused:
        raise RefNotFound("This is not the name of a branch or tag, nor a commit id.")


def is_commit_id(wanted: str) -> bool:
    """Whether the text is a whole commit id, which no ref may be named."""
    return _FULL_ID.fullmatch(wanted) is not None


def resolve_remote(
    remote: HttpsRemote,
    wanted: str | None,
    *,
    network: Network,
    limits: GitLimits,
    home: Path,
    should_stop: ShouldStop = never,
) -> Target:
    """Ask the host which commit `wanted` names; None asks for its default branch.

    A whole commit id is believed: whether the host has it shows when it is fetched.
    """
    if wanted is not None:
        check_wanted(wanted)
        if is_commit_id(wanted):
            return Target(commit=wanted, ref=None)
    answer = run(
        ["ls-remote", "--symref", "--", remote.fetch_url, *_patterns(wanted)],
        limits=limits,
        home=home,
        network=network,
        should_stop=should_stop,
    )
    if answer.code != 0:
        raise failures.from_complaint(
            answer.code,
            answer.complaint,
            what=str(remote),
            retry_after_seconds=answer.retry_after_seconds,
        )
    return _choose(_read_refs(answer.output), wanted, what=str(remote))


def _patterns(wanted: str | None) -> list[str]:
    # HEAD always: a host that lists not even that is empty.
    names = [] if wanted is None else _candidates(wanted, _REMOTE_PREFIXES)
    return ["HEAD", *(pattern for name in names for pattern in (name, f"{name}^{{}}"))]


def _candidates(wanted: str, prefixes: tuple[str, ...]) -> list[str]:
    """Full ref names in the order in which they are tried: a branch before a tag of its name."""
    if wanted == "HEAD" or wanted.startswith("refs/"):
        return [wanted]
    return [f"{prefix}{wanted}" for prefix in prefixes]


def _read_refs(output: bytes) -> dict[str, str]:
    """Ref -> commit (or, for `ref:HEAD`, the branch that HEAD stands for)."""
    refs: dict[str, str] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: "):
            refs[f"ref:{name}"] = value.removeprefix("ref: ")
        elif _FULL_ID.fullmatch(value):
            refs[name] = value
    return refs


def _choose(refs: dict[str, str], wanted: str | None, *, what: str) -> Target:
    if wanted is None or wanted == "HEAD":
        if not refs:  # also what a page that is no list of refs looks like to git
            raise RepositoryEmpty(f"{what} is empty, or it is not a Git repository.")
        if "HEAD" not in refs:
            raise RepositoryEmpty(f"{what} has no commit on its default branch.")
        return Target(refs["HEAD"], refs.get("ref:HEAD", "HEAD"), is_default=True)
    for name in _candidates(wanted, _REMOTE_PREFIXES):
        commit = refs.get(f"{name}^{{}}") or refs.get(name)
        if commit is not None:
            return Target(commit, name, is_default=refs.get("ref:HEAD") == name)
    if not refs:
        raise RepositoryEmpty(f"{what} is empty, or it is not a Git repository.")
    raise _unknown(wanted, what)


def resolve_local(
    repository: LocalRepository,
    wanted: str | None,
    *,
    limits: GitLimits,
    home: Path,
    should_stop: ShouldStop = never,
) -> Target:
    """Look up which commit `wanted` names in a repository of this machine."""
    if wanted is not None:
        check_wanted(wanted)
    names = _local_names(repository, wanted)
    answer = run(
        [*repository.arguments, "cat-file", "--batch-check=%(objectname)"],
        limits=limits,
        home=home,
        stdin="".join(f"{name}^{{commit}}\n" for name, _ in names).encode(),
        should_stop=should_stop,
    )
    if answer.code != 0:
        raise failures.from_complaint(answer.code, answer.complaint, what=str(repository))
    for (name, ref), line in zip(names, answer.output.decode().splitlines(), strict=True):
        if _FULL_ID.fullmatch(line):
            if ref is None and not is_commit_id(name):
                raise RefNotFound(
                    f"{repository} has no branch or tag named {wanted!r}. It is the beginning of a"
                    f" commit's id, which has to be given whole: {line}."
                )
            is_default = ref is not None and ref in ("HEAD", repository.head_ref())
            return Target(line, ref, is_default=is_default)
    if "is ambiguous" in answer.complaint:
        raise RefNotFound(f"{wanted!r} is the beginning of more than one commit id.")
    if wanted is None or repository.has_no_refs():
        raise RepositoryEmpty(f"{repository} has no commit on its current branch.")
    raise _unknown(wanted, str(repository))


def _local_names(repository: LocalRepository, wanted: str | None) -> list[tuple[str, str | None]]:
    """What to look up, in order, each with the ref that it would make of the target."""
    if wanted is None or wanted == "HEAD":
        return [("HEAD", repository.head_ref())]
    names: list[tuple[str, str | None]] = []
    if is_commit_id(wanted):
        return [(wanted, None)]
    names += [(name, name) for name in _candidates(wanted, _LOCAL_PREFIXES)]
    if _ABBREVIATED_ID.fullmatch(wanted):
        names.append((wanted, None))
    return names


def _unknown(wanted: str, what: str) -> CodeloomError:
    if is_commit_id(wanted):
        return CommitNotFound(f"{what} has no commit {wanted}.")
    hint = ""
    if _ABBREVIATED_ID.fullmatch(wanted):
        hint = " A commit has to be given by its whole id."
    return RefNotFound(f"{what} has no branch, tag or commit named {wanted!r}.{hint}")
