"""What may go wrong, as a tree that the other rooms map to their own answers.

A class is named as the sentence it says. `code` is stable and public, `kind` decides the HTTP
status, `transient` decides whether a job is tried again. Messages are shown to tenants: they hold
no secret, no path of ours and no text of a driver.
"""

from datetime import datetime
from typing import ClassVar, Literal

ErrorKind = Literal[
    "not_found",
    "conflict",
    "precondition",
    "invalid",
    "forbidden",
    "unauthorized",
    "quota",
    "unavailable",
    "internal",
]


class CodeloomError(Exception):
    """Something failed in a way that we know and can name."""

    code: ClassVar[str] = "internal_error"
    kind: ClassVar[ErrorKind] = "internal"
    transient: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        """Without a message of its own, an error says the first line of its documentation."""
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        super().__init__(self.message)


class TenantValidationError(CodeloomError):
    """The request does not fit the tenant it was made for."""

    code = "tenant_invalid"
    kind = "invalid"


class TenantNotFound(CodeloomError):
    """There is no such tenant."""

    code = "tenant_not_found"
    kind = "not_found"


class TenantSuspended(CodeloomError):
    """The tenant is suspended."""

    code = "tenant_suspended"
    kind = "forbidden"


class TenantErasing(CodeloomError):
    """The tenant is being erased."""

    code = "tenant_erasing"
    kind = "conflict"


class ErasureNotFound(CodeloomError):
    """There is no such erasure."""

    code = "erasure_not_found"
    kind = "not_found"


class PlanNotFound(CodeloomError):
    """There is no such plan."""

    code = "plan_not_found"
    kind = "not_found"


class PlanAlreadyExists(CodeloomError):
    """There is a plan with this code."""

    code = "plan_already_exists"
    kind = "conflict"


class OperatorKeyNotFound(CodeloomError):
    """There is no such operator key."""

    code = "operator_key_not_found"
    kind = "not_found"


class OperatorKeyRequired(CodeloomError):
    """Only the key of an operator opens this; the key of a tenant does not."""

    code = "operator_key_required"
    kind = "forbidden"


class TenantKeyRequired(CodeloomError):
    """Only the key of a tenant opens this; the key of an operator does not."""

    code = "tenant_key_required"
    kind = "forbidden"


class ApiKeyInvalid(CodeloomError):
    """The API key is missing, malformed, unknown, expired or revoked."""

    code = "api_key_invalid"
    kind = "unauthorized"


class ApiKeyNotFound(CodeloomError):
    """There is no such API key."""

    code = "api_key_not_found"
    kind = "not_found"


class PermissionMissing(CodeloomError):
    """The API key may not do this."""

    code = "permission_missing"
    kind = "forbidden"


class QuotaExceeded(CodeloomError):
    """The plan of the tenant does not allow more."""

    code = "quota_exceeded"
    kind = "quota"

    def __init__(self, message: str | None = None, *, resets_at: datetime | None = None) -> None:
        """`resets_at` is when the quota begins anew, for one that does and that is used up."""
        super().__init__(message)
        self.resets_at = resets_at


class StreamsExhausted(CodeloomError):
    """The tenant watches with as many streams as it may."""

    code = "streams_exhausted"
    kind = "quota"


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


class JobNotFound(CodeloomError):
    """There is no such job."""

    code = "job_not_found"
    kind = "not_found"


class JobNotCancellable(CodeloomError):
    """The job has already ended."""

    code = "job_already_ended"
    kind = "conflict"


class JobNotRetryable(CodeloomError):
    """Only a job that ended without success can be tried again."""

    code = "job_not_retryable"
    kind = "conflict"


class JobNotDead(CodeloomError):
    """Only a dead job can be discarded."""

    code = "job_not_dead"
    kind = "conflict"


class JobCancelled(CodeloomError):
    """The job was cancelled while it ran."""

    code = "job_cancelled"
    kind = "conflict"


class IdempotencyKeyReused(CodeloomError):
    """The idempotency key was used before, for a different request."""

    code = "idempotency_key_reused"
    kind = "conflict"


class RequestUnderWay(CodeloomError):
    """The first request with this idempotency key has not been answered yet."""

    code = "request_under_way"
    kind = "conflict"
    transient = True


class PreconditionFailed(CodeloomError):
    """The resource is no longer as the request expects it."""

    code = "precondition_failed"
    kind = "precondition"


class LeaseLost(CodeloomError):
    """The job no longer belongs to this attempt."""

    code = "lease_lost"
    kind = "conflict"


class BudgetExceeded(CodeloomError):
    """The job used more than it may."""

    code = "budget_exceeded"
    kind = "quota"


class SnapshotIncomplete(CodeloomError):
    """What was loaded is not all there, so it was not published."""

    code = "snapshot_incomplete"
    kind = "unavailable"
    # The likely reason is a database that lost its last seconds in a crash: loading again heals it.
    transient = True


class StorageError(CodeloomError):
    """The database or the object store did not answer as it should; trying again may help."""

    code = "storage_unavailable"
    kind = "unavailable"
    transient = True


class StorageRefused(CodeloomError):
    """The database or the object store refused what was asked; trying again will not help."""

    code = "storage_refused"
    kind = "internal"


class ArtifactNotFound(CodeloomError):
    """There is no such artifact."""

    code = "artifact_not_found"
    kind = "not_found"


class ArtifactDamaged(CodeloomError):
    """An artifact does not hold what was written to it."""

    code = "artifact_damaged"
    kind = "internal"


class SettingMissing(CodeloomError):
    """A setting is missing or cannot be used."""

    code = "setting_missing"
    kind = "internal"
