"""The composition root: the API put together in the order in which a request meets its parts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.routing import APIRoute

from graph import telemetry
from graph.model import key_form
from graph.queries.page import Cursors
from graph.settings import Settings, get_settings
from graph.storage import keys, operator_keys
from service import errors, openapi, secret
from service.auth import Authentication, Authenticator
from service.deps import Backend
from service.middleware import BodyGuard, RequestContext
from service.routes import ROUTERS, TAGS

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
        # Whoever writes a path with a slash too many learns it, rather than being sent elsewhere.
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=_logging(settings),
    )
    application.state.backend = Backend(settings, Cursors(secret.shared(settings)))
    errors.install(application)
    for router in ROUTERS:
        application.include_router(router)
    # FastAPI keeps included routers as they are; this is every route by itself.
    application.state.routes = [route for router in ROUTERS for route in router.routes]
    application.openapi = partial(openapi.describe, application)  # type: ignore[method-assign]
    # Each one added wraps those before it: a request meets the last first.
    application.add_middleware(
        Authentication,
        authenticator=Authenticator(partial(keys.authenticate, settings)),
        operators=Authenticator(
            partial(operator_keys.authenticate, settings), prefix=key_form.OPERATOR_KEY
        ),
    )
    application.add_middleware(BodyGuard, max_body_bytes=settings.max_body_bytes)
    application.add_middleware(RequestContext)
    return application


def _operation_id(route: APIRoute) -> str:
    # The function's name: generated clients make a method of it.
    return route.name


def _logging(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        telemetry.configure("api", level=settings.log_level, form=settings.log_format)
        yield

    return lifespan


def __getattr__(name: str) -> FastAPI:
    """`service.app:app`, as servers name it: made when asked for, so that importing is free."""
    if name == "app":
        return create_app(get_settings())
    raise AttributeError(name)
