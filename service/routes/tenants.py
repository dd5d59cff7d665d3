"""The tenant that a key belongs to."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from graph.storage import tenants
from graph.storage.session import tenant_session
from service.deps import Reader, Shared
from service.schemas import Shape

router = APIRouter(prefix="/v1", tags=["tenant"])


class Tenant(Shape):
    """The tenant and the key that asked."""

    id: UUID
    name: str
    plan: str
    created_at: datetime
    key_id: UUID = Field(description="The key of this request.")
    scopes: list[str] = Field(description="What the key may do.")


@router.get("/tenant")
def get_tenant(caller: Reader, backend: Shared) -> Tenant:
    """Whose key this is, and what it may do."""
    with tenant_session(caller.tenant_id, settings=backend.settings) as connection:
        row = tenants.get(connection, tenant_id=caller.tenant_id)
    return Tenant(
        id=row.id,
        name=row.name,
        plan=row.plan,
        created_at=row.created_at,
        key_id=caller.key_id,
        scopes=sorted(caller.scopes),
    )
