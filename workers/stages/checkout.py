"""Remote -> commit -> checkout: first which commit is meant, then its objects."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graph.settings import Settings
from workers.git import fetch, local, targets
from workers.git.command import GitLimits, Network
from workers.git.fetch import Checkout
from workers.git.local import LocalRepository
from workers.git.remotes import HttpsRemote, LocalRemote, Remote
from workers.git.targets import Target


@dataclass(frozen=True, slots=True)
class Access:
    """With what a remote is read: a folder of our own, limits, and a way to the network."""

    scratch: Path
    limits: GitLimits
    network: Network
    # Larger blobs need not be fetched: nothing would read them.
    max_blob_bytes: int
    should_stop: Callable[[], bool]

    @property
    def home(self) -> Path:
        """The empty folder that git takes for the user's home."""
        folder = self.scratch / "home"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def access(
    settings: Settings,
    scratch: Path,
    *,
    seconds: float,
    file_bytes: int,
    should_stop: Callable[[], bool],
) -> Access:
    """The only way out that the operator leaves to git, for so long and so many bytes."""
    return Access(
        scratch=scratch,
        limits=GitLimits(wall_seconds=seconds, file_bytes=file_bytes),
        network=Network(proxy=settings.git_proxy_url, ca_file=settings.git_ca_file),
        max_blob_bytes=settings.max_file_bytes,
        should_stop=should_stop,
    )


@dataclass(frozen=True, slots=True)
class Located:
    """A remote, and the commit of it that was meant when it was asked."""

    target: Target
    remote: HttpsRemote | LocalRepository


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkout, and what the reader of its graph should know."""

    checkout: Checkout
    notes: list[str]


def locate(remote: Remote, wanted: str | None, access: Access) -> Located:
    """Find out which commit is meant. Cheap: this alone answers for an unchanged commit."""
    match remote:
        case HttpsRemote():
            target = targets.resolve_remote(
                remote,
                wanted,
                network=access.network,
                limits=access.limits,
                home=access.home,
                should_stop=access.should_stop,
            )
            return Located(target, remote)
        case LocalRemote():
            repository = local.discover(
                remote, limits=access.limits, home=access.home, should_stop=access.should_stop
            )
            target = targets.resolve_local(
                repository,
                wanted,
                limits=access.limits,
                home=access.home,
                should_stop=access.should_stop,
            )
            return Located(target, repository)


def checkout(located: Located, access: Access) -> Opened:
    """Make the commit readable. What a work tree holds beyond it is noted, not read."""
    commit = located.target.commit
    match located.remote:
        case HttpsRemote():
            opened = fetch.fetch_remote(
                located.remote,
                commit,
                scratch=access.scratch,
                network=access.network,
                limits=access.limits,
                max_blob_bytes=access.max_blob_bytes,
                should_stop=access.should_stop,
            )
            return Opened(opened, [])
        case LocalRepository():
            opened = fetch.open_local(
                located.remote,
                commit,
                scratch=access.scratch,
                limits=access.limits,
                should_stop=access.should_stop,
            )
            return Opened(opened, _notes(located, opened))


def notes(located: Located, access: Access) -> list[str]:
    """What is noted at a checkout, where none is needed."""
    if isinstance(located.remote, LocalRepository) and located.target.is_default:
        return checkout(located, access).notes
    return []


def _notes(located: Located, opened: Checkout) -> list[str]:
    """A note on uncommitted work, where the commit is the one that the work tree is at."""
    repository = located.remote
    if not isinstance(repository, LocalRepository) or not located.target.is_default:
        return []
    note = local.uncommitted(
        repository, opened.commit, scratch=opened.git_dir, home=opened.home, limits=opened.limits
    )
    return [note] if note else []
