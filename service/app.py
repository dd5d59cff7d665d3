"""The composition root: the API put together in the order in which a request meets its parts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from graph import telemetry
from graph.model import key_form
from graph.queries.page import Cursors
from graph.settings import Settings
from graph.storage import keys, operator_keys
from service import errors, openapi, secret, strict
from service.auth import Authentication, Authenticator
from service.deps import Backend
from service.edge import Cors, Heads, Refusals
from service.limiting import AddressLimits, CallerLimits
from service.limits import Gate
from service.middleware import BodyGuard, RequestContext
from service.routes import ROUTERS, TAGS, docs
from service.streams import Hub
from service.turns import TenantTurns

VERSION = "1"


def create_app(settings: Settings) -> FastAPI:
    """The API over the database of these settings; connects to nothing before it is asked."""
    application = FastAPI(
        title="Codeloom",
        version=VERSION,
        openapi_tags=TAGS,
        # Our own page: the default one loads its scripts from the internet.
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.api_docs else None,
        # Whoever writes a path with a slash too many learns it, rather than being sent elsewhere.
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=_logging(settings),
        dependencies=[Depends(strict.well_formed)],
    )
    routers = [router for router in ROUTERS if settings.api_docs or router is not docs.router]
    backend = Backend(
        settings,
        Cursors(secret.shared(settings)),
        Authenticator(partial(keys.authenticate, settings)),
        Hub(settings.redis_url),
    )
    application.state.backend = backend
    application.state.gate = Gate(settings)
    errors.install(application)
    for router in routers:
        application.include_router(router)
    # FastAPI keeps included routers as they are; this is every route by itself.
    application.state.routes = [route for router in routers for route in router.routes]
    application.state.parameters = {}
    application.openapi = partial(openapi.describe, application)  # type: ignore[method-assign]
    _wrap(application, settings)
    return application


def _wrap(application: FastAPI, settings: Settings) -> None:
    callers = application.state.backend.callers
    operators = Authenticator(
        partial(operator_keys.authenticate, settings), prefix=key_form.OPERATOR_KEY
    )
    gate = application.state.gate
    # Each one added wraps those before it: a request meets the last first.
    application.add_middleware(TenantTurns, settings=settings)
    application.add_middleware(CallerLimits, gate=gate, settings=settings)
    application.add_middleware(Authentication, authenticator=callers, operators=operators)
    application.add_middleware(
        AddressLimits, gate=gate, settings=settings, callers=callers, operators=operators
    )
    application.add_middleware(
        BodyGuard,
        max_body_bytes=settings.max_body_bytes,
        seconds=settings.body_timeout_seconds,
    )
    application.add_middleware(Heads)
    application.add_middleware(Refusals)
    if settings.origins:
        application.add_middleware(Cors, origins=settings.origins)
    application.add_middleware(RequestContext)


def _operation_id(route: APIRoute) -> str:
    # The function's name: generated clients make a method of it.
    return route.name


def _logging(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        telemetry.configure("api", level=settings.log_level, form=settings.log_format)
        yield
        await application.state.backend.hub.close()
        await application.state.gate.close()

    return lifespan
