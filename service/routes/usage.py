"""What the tenant uses of what is limited."""

from fastapi import APIRouter

from graph.storage import usage
from graph.storage.session import tenant_session
from service import usage as shape
from service.deps import Reader, Shared

router = APIRouter(prefix="/v1", tags=["tenant"])


@router.get("/usage")
def get_usage(caller: Reader, backend: Shared) -> shape.Usage:
    """What the tenant may use, uses, and has reserved of each resource."""
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        return shape.usage(usage.of_tenant(connection))
