"""Failures that only git and its hosts have; the common ones are in `graph.errors`."""

from graph.errors import CodeloomError, GitFailed, StorageError


class GitMissing(GitFailed):
    """Git is not installed on this worker."""

    code = "git_missing"


class GitDied(CodeloomError):
    """Git was ended from outside, as when a machine runs out of memory."""

    code = "git_died"
    kind = "unavailable"
    transient = True


class HostNotTrusted(CodeloomError):
    """The certificate of the repository's host is not valid."""

    code = "host_not_trusted"
    kind = "invalid"


class RepositoryMoved(CodeloomError):
    """The address of the repository answers with a redirect, which is not followed."""

    code = "repository_moved"
    kind = "invalid"


class RepositoryDamaged(CodeloomError):
    """Objects of the repository are missing or not what they should be."""

    code = "repository_damaged"
    kind = "invalid"


class ScratchFull(StorageError):
    """The worker has no room left to fetch the commit."""

    code = "scratch_full"
