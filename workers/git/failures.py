"""What git says when it fails, as typed errors. Its words are matched here and shown nowhere.

They are an oracle: they hold paths of ours, and what a host answered to us but not to the tenant.
"""

import re
import signal
from collections.abc import Callable

from graph.errors import (
    AuthenticationRequired,
    CheckoutTooLarge,
    CodeloomError,
    CommitNotFound,
    GitFailed,
    HostRefused,
    HostUnreachable,
    NotARepository,
    RefNotFound,
    RepositoryNotFound,
)
from workers.git.errors import (
    GitDied,
    HostNotTrusted,
    RepositoryDamaged,
    RepositoryMoved,
    ScratchFull,
)

_Make = Callable[[str], CodeloomError]

# The first pattern found decides, so what is specific stands before what is general.
_TABLE: tuple[tuple[tuple[str, ...], _Make], ...] = (
    (
        (
            "died of signal 25|File size limit exceeded|maximum allowed tree depth",
            "Out of memory|memory exhausted|mmap failed",
        ),
        lambda _: CheckoutTooLarge("The commit is larger than a job may fetch."),
    ),
    (
        ("died of signal 9",),
        lambda _: GitDied(),
    ),
    (
        ("No space left on device|Disk quota exceeded",),
        lambda _: ScratchFull("There is no room left to fetch the commit."),
    ),
    (
        ("could not read (Username|Password)|Authentication failed|terminal prompts disabled",),
        lambda what: AuthenticationRequired(f"{what} does not exist or needs a credential."),
    ),
    (
        ("returned error: (401|403|407)",),
        lambda what: AuthenticationRequired(f"The host refuses access to {what}."),
    ),
    (
        ("returned error: (404|410)|[Rr]epository .{0,300}not found|does not exist",),
        lambda what: RepositoryNotFound(f"There is no repository at {what}."),
    ),
    (
        (r"returned error: 3\d\d|unable to update url base from redirection",),
        lambda what: RepositoryMoved(
            f"{what} answers with a redirect. Register the address that it leads to."
        ),
    ),
    (
        (r"returned error: (408|425|429|5\d\d)",),
        lambda what: HostRefused(f"The host of {what} has no time for us now."),
    ),
    (
        (
            "SSL certificate problem|certificate verification failed",
            "no alternative certificate|unable to get local issuer|error setting certificate",
        ),
        lambda what: HostNotTrusted(f"The certificate of the host of {what} is not valid."),
    ),
    (
        (
            "Could not resolve|Failed to connect|Couldn't connect|timed out|Timeout was reached",
            "Connection (refused|reset)|No route to host|Network is unreachable",
            "Operation too slow|Recv failure|Send failure|Failed sending|Empty reply|early EOF",
            "RPC failed|unexpected disconnect|hung up|transfer closed|HTTP/2 stream",
            "SSL|gnutls|GnuTLS|Proxy CONNECT|Received HTTP code",
        ),
        lambda what: HostUnreachable(f"The host of {what} could not be reached."),
    ),
    (
        ("not our ref|unadvertised object|remote did not send all necessary objects",),
        lambda what: CommitNotFound(f"{what} has no such commit."),
    ),
    (
        ("[Cc]ouldn't find remote ref|no such remote ref",),
        lambda what: RefNotFound(f"{what} has no such branch or tag."),
    ),
    (
        (
            "is this a git repository|dumb http transport|bad line length|invalid info/refs",
            "not a git repository|protocol error|invalid gitfile",
        ),
        lambda what: NotARepository(f"{what} is not a Git repository that can be fetched from."),
    ),
    (
        (
            "fsck|index-pack (died|failed)|invalid index-pack output|bad pack|inflate|corrupt",
            "bad object|pack has .* unresolved|did not receive expected object",
            "bad config|unknown repository extension|Expected git repo version",
        ),
        lambda what: RepositoryDamaged(f"{what} is damaged, or is of a form that git refuses."),
    ),
)
_PATTERNS = tuple((re.compile("|".join(patterns)), make) for patterns, make in _TABLE)


def from_complaint(
    code: int, complaint: str, *, what: str, retry_after_seconds: float | None = None
) -> CodeloomError:
    """The typed error of a command that ended with this code.

    `what` names the remote as it may be shown.
    """
    if code == -signal.SIGKILL:
        return GitDied()
    for pattern, make in _PATTERNS:
        if pattern.search(complaint):
            error = make(what)
            if isinstance(error, HostRefused):
                error.retry_after_seconds = retry_after_seconds
            return error
    return GitFailed(f"git could not read {what}.")


def fetch_too_large() -> CodeloomError:
    """The pack has grown to the size at which git had to stop."""
    return CheckoutTooLarge("The commit is larger than a job may fetch.")


def answer_too_long() -> CodeloomError:
    """The host lists more refs than are worth reading."""
    return CheckoutTooLarge("The repository lists more refs than can be read.")
