"""Repositories, where they come from, and what is read of them."""

from graph.errors.tree import CodeloomError


class RepositoryNotFound(CodeloomError):
    """There is no such repository."""

    code = "repository_not_found"
    kind = "not_found"


class RepositoryAlreadyRegistered(CodeloomError):
    """The tenant has already registered this repository."""

    code = "repository_already_registered"
    kind = "conflict"


class RemoteNotAllowed(CodeloomError):
    """Repositories may not be fetched from this address."""

    code = "remote_not_allowed"
    kind = "invalid"


class NotARepository(CodeloomError):
    """The address answers, but there is no Git repository."""

    code = "not_a_repository"
    kind = "invalid"


class RepositoryEmpty(CodeloomError):
    """The repository has no commit yet."""

    code = "repository_empty"
    kind = "invalid"


class RefNotFound(CodeloomError):
    """The repository has no such branch or tag."""

    code = "ref_not_found"
    kind = "not_found"


class CommitNotFound(CodeloomError):
    """The repository has no such commit."""

    code = "commit_not_found"
    kind = "not_found"


class SnapshotNotFound(CodeloomError):
    """Nothing is published for this repository, ref or commit."""

    code = "snapshot_not_found"
    kind = "not_found"


class SymbolNotFound(CodeloomError):
    """The snapshot has no such symbol."""

    code = "symbol_not_found"
    kind = "not_found"


class FileNotInSnapshot(CodeloomError):
    """The snapshot has no file at this path."""

    code = "file_not_found"
    kind = "not_found"


class RepositoryParseError(CodeloomError):
    """Too little of the repository could be parsed to publish it."""

    code = "repository_parse_error"
    kind = "internal"


class AuthenticationRequired(CodeloomError):
    """The host asks for credentials that it does not accept or was not given."""

    code = "authentication_required"
    kind = "forbidden"


class HostUnreachable(CodeloomError):
    """The host of the repository cannot be reached."""

    code = "host_unreachable"
    kind = "unavailable"
    transient = True


class HostRefused(CodeloomError):
    """The host of the repository is limiting requests or failing."""

    code = "host_refused"
    kind = "unavailable"
    transient = True

    def __init__(
        self, message: str | None = None, *, retry_after_seconds: float | None = None
    ) -> None:
        """`retry_after_seconds` is how long the host wants to be left alone, if it says so."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class CheckoutTimedOut(CodeloomError):
    """The repository could not be fetched in time."""

    code = "checkout_timed_out"
    kind = "unavailable"
    transient = True


class CheckoutTooLarge(CodeloomError):
    """The repository is larger than a fetch may be."""

    code = "checkout_too_large"
    kind = "quota"


class GitFailed(CodeloomError):
    """Git could not do what was asked of it."""

    code = "git_failed"
    kind = "internal"
