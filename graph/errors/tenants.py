"""Who asks, and what their tenant and its plan allow."""

from datetime import datetime

from graph.errors.tree import CodeloomError


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


class TenantNameDiffers(CodeloomError):
    """The tenant has another name than the one that was given to confirm it."""

    code = "tenant_name_differs"
    kind = "conflict"


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
