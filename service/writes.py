"""How every route that writes does it.

One transaction holds the work, the audit event that tells of it, and the answer that is kept for
the request's idempotency key: all of it happens, or none. A write that is refused leaves an audit
event too, in a transaction of its own. A request that does not fit its description was never a
write and leaves nothing.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import msgspec
import structlog
from anyio import to_thread
from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from graph.errors import (
    PermissionMissing,
    StorageError,
    TenantNotFound,
)
from graph.settings import Settings
from graph.storage import audit, idempotency
from graph.storage.audit import Actor, Outcome
from graph.storage.audit import Target as AuditTarget
from graph.storage.idempotency import KeptAnswer
from graph.storage.keys import Caller
from graph.storage.session import Connection, tenant_session
from service import etags, secret
from service.deeds import outcome_of
from service.deps import Identified, Shared

__all__ = ["AdminChange", "AdminWrite", "Answer", "IngestChange", "IngestWrite", "Target", "Write"]

log = structlog.get_logger(__name__)


def Target(kind: str, of: UUID | str) -> AuditTarget:  # noqa: N802  it makes one
    """What a write was done to."""
    return AuditTarget(kind, str(of))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write is answered with."""

    body: BaseModel | None = None
    status: int = 200
    target: AuditTarget | None = None  # else what the path names last
    location: str | None = None
    # Fields of the body that are shown this once: a kept answer has null in their place.
    once: frozenset[str] = field(default_factory=frozenset)

    def response(self) -> Response:
        """The answer as it is sent."""
        headers = {"location": self.location} if self.location else {}
        if self.body is None:
            return Response(status_code=self.status, headers=headers)
        content = self.body.model_dump_json().encode()
        if self.status in {200, 201} and not self.once:
            headers["etag"] = etags.tag_of(content)
        return Response(content, self.status, headers, "application/json")

    def kept(self) -> KeptAnswer:
        """The answer as it is kept."""
        if self.body is None:
            return KeptAnswer(self.status, {}, b"")
        content = self.body.model_dump(mode="json") | dict.fromkeys(self.once)
        headers = {"location": self.location} if self.location else {}
        return KeptAnswer(self.status, headers, msgspec.json.encode(content))


Work = Callable[[Connection], Answer]


class Write:
    """One write of a caller."""

    def __init__(
        self,
        request: Request,
        caller: Caller,
        settings: Settings,
        body: bytes,
        *,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> None:
        self.caller = caller
        self.settings = settings
        self._request = request
        self._body = body
        self._key = idempotency_key
        self._if_match = if_match

    def run(
        self, work: Work, *, current: Callable[[Connection], BaseModel] | None = None
    ) -> Response:
        """The answer of the work, done in a session of the caller's tenant; or the one kept for it.

        `current` reads the resource as it is told, locked, for a request that is conditional.
        Raises what the work raises, and PreconditionFailed, IdempotencyKeyReused, RequestUnderWay.
        """
        try:
            with tenant_session(self.caller.tenant_id, settings=self.settings) as connection:
                return self._done(connection, work, current)
        except Exception as error:
            self.refuse(error)
            raise

    def refuse(self, error: Exception) -> None:
        """The audit knows that the write was refused, or that it failed."""
        ended = outcome_of(error)
        if ended is None:
            return
        outcome, code = ended
        try:
            with tenant_session(self.caller.tenant_id, settings=self.settings) as connection:
                self._record(connection, self._named(), outcome, code)
        except (StorageError, TenantNotFound):
            # The database is away, or the tenant has been erased since its key was looked up: most
            # likely that is why the write failed, and it is answered so.
            log.warning("audit.missed", action=self._action, outcome=outcome, code=code)

    def _done(
        self,
        connection: Connection,
        work: Work,
        current: Callable[[Connection], BaseModel] | None,
    ) -> Response:
        if self._key is not None:
            kept = idempotency.begin(connection, key=self._key, fingerprint=self._fingerprint())
            if kept is not None:
                return _replayed(kept)
        if self._if_match is not None and current is not None:
            etags.require(self._if_match, current(connection))
        answer = work(connection)
        self._record(connection, answer.target or self._named(), "succeeded", None)
        if self._key is not None:
            idempotency.keep(connection, key=self._key, answer=answer.kept())
        return answer.response()

    def _record(
        self,
        connection: Connection,
        target: AuditTarget | None,
        outcome: Outcome,
        code: str | None,
    ) -> None:
        audit.record(
            connection,
            actor=Actor("key", self.caller.key_id),
            action=self._action,
            target=target,
            outcome=outcome,
            code=code,
            request_id=self._request.scope["state"]["request_id"],
        )

    @property
    def _action(self) -> str:
        name: str = self._request.scope["route"].name
        return name

    def _named(self) -> AuditTarget | None:
        """What the path names last."""
        named = [*self._request.path_params.items()]
        return AuditTarget(named[-1][0].removesuffix("_id"), str(named[-1][1])) if named else None

    def _fingerprint(self) -> bytes:
        """Equal for requests that ask for the same, by callers who may reach the same.

        With a key of ours: who reads the database shall not be able to try out what a body held.
        """
        url = self._request.url
        reach = self.caller.repositories
        seen = sorted(str(each) for each in reach) if reach is not None else None
        parts = ["idempotency", self._request.method, url.path, url.query, self._body, seen]
        return hmac.digest(secret.shared(self.settings), msgspec.msgpack.encode(parts), "sha256")


def _replayed(kept: KeptAnswer) -> Response:
    headers = {**kept.headers, "idempotency-replayed": "true"}
    media_type = "application/json" if kept.body else None
    return Response(kept.body, kept.status, headers, media_type)


IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description=(
            "Names the request: repeated with the same key within 24 hours, it is answered as the"
            " first time and not done again."
        ),
    ),
]
IfMatch = Annotated[
    str | None,
    Header(description="The ETag of the resource as it was read; refused with 412 if it changed."),
]


def _posting(scope: str) -> Callable[..., Awaitable[Write]]:
    async def write(
        request: Request,
        caller: Identified,
        backend: Shared,
        idempotency_key: IdempotencyKey = None,
    ) -> Write:
        body = await request.body()
        made = Write(request, caller, backend.settings, body, idempotency_key=idempotency_key)
        return await _permitted(made, scope)

    return write


def _changing(scope: str) -> Callable[..., Awaitable[Write]]:
    async def write(
        request: Request, caller: Identified, backend: Shared, if_match: IfMatch = None
    ) -> Write:
        made = Write(request, caller, backend.settings, b"", if_match=if_match)
        return await _permitted(made, scope)

    return write


async def _permitted(write: Write, scope: str) -> Write:
    if scope not in write.caller.scopes:
        error = PermissionMissing(f"This needs a key with the scope {scope}.")
        await to_thread.run_sync(write.refuse, error)
        raise error
    return write


# What makes something (POST), and what changes or removes what there is (PATCH, PUT, DELETE).
IngestWrite = Annotated[Write, Depends(_posting("ingest"))]
AdminWrite = Annotated[Write, Depends(_posting("admin"))]
IngestChange = Annotated[Write, Depends(_changing("ingest"))]
AdminChange = Annotated[Write, Depends(_changing("admin"))]

CREATED: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {
            "Location": {"description": "Where to read it.", "schema": {"type": "string"}},
        }
    }
}
