"""Jobs and the attempts that are made at them."""

from graph.errors.tenants import TenantValidationError
from graph.errors.tree import CodeloomError


class ChildFailed(CodeloomError):
    """A job that this one waited for did not succeed."""

    code = "child_failed"
    kind = "conflict"


class JobParametersInvalid(TenantValidationError):
    """There is no such kind of job, or it does not take such parameters."""

    code = "job_parameters_invalid"


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
