"""The same reads and writes behind bare FastAPI: no keys, no limits, no audit, no request ids.

    python -m benchmarks.bare TENANT

What remains is what the work itself costs in this framework: the same statements on the same
driver, the same shape, the same server loop. All connections are of one tenant, and none is asked
whether it still lives.
"""

import sys
from typing import Annotated
from uuid import UUID

import psycopg
import uvicorn
from fastapi import FastAPI
from fastapi import Path as InPath
from sqlalchemy import Engine, create_engine, event

from graph.model.ids import RepositoryId, TenantId
from graph.queries import snapshots, symbols
from graph.queries.snapshots import Selection
from graph.settings import Settings, get_settings
from graph.storage import repositories
from graph.storage.engine import address, options
from service import schemas, shapes
from service.routes.repositories import NewRepository, Repository
from service.routes.symbols import SymbolAnswer
from workers import facade


def application(settings: Settings, tenant_id: TenantId) -> FastAPI:
    """An application with two routes."""
    app = FastAPI(openapi_url=None)

    database = connected(settings, tenant_id)

    @app.get("/v1/repositories/{repository_id}/symbols/{symbol_id}")
    def get_symbol(
        repository_id: UUID,
        symbol_id: Annotated[str, InPath(pattern=schemas.SYMBOL_ID_PATTERN)],
    ) -> SymbolAnswer:
        with database.begin() as connection:
            reading = snapshots.open_reading(
                connection, repository_id=RepositoryId(repository_id), selection=Selection()
            )
            found = symbols.get(reading, symbol=shapes.node_id(symbol_id))
        return SymbolAnswer(
            snapshot=shapes.snapshot(reading.snapshot),
            coverage=shapes.coverage(reading.snapshot),
            symbol=shapes.symbol(found[0]),
            definitions=[
                schemas.Site(path=one.brief.path, line=one.brief.line, column=one.brief.column)
                for one in found
            ],
        )

    @app.post("/v1/repositories", status_code=201)
    def register_repository(body: NewRepository) -> Repository:
        remote = facade.parse_remote(body.url, settings=settings)
        with database.begin() as connection:
            row = repositories.register(connection, url=remote.url, name=remote.name)
        return Repository(
            id=row.id,
            name=row.name,
            url=row.url,
            default_ref=row.default_ref,
            created_at=row.created_at,
        )

    return app


def connected(settings: Settings, tenant_id: TenantId) -> Engine:
    """Connections that see one tenant for as long as they live."""
    made = create_engine(
        address(settings, "app"),
        connect_args={"options": options("app")},
        pool_size=settings.database_pool_size,
    )

    @event.listens_for(made, "connect")
    def is_of_tenant(connection: psycopg.Connection[object], _record: object) -> None:
        connection.execute("select set_config('app.tenant_id', %s, false)", [str(tenant_id)])
        connection.commit()

    return made.execution_options(codeloom_tenant_id=tenant_id)


if __name__ == "__main__":
    settings = get_settings()
    uvicorn.run(
        application(settings, TenantId(UUID(sys.argv[1]))),
        host=settings.codeloom_host,
        port=settings.codeloom_port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
