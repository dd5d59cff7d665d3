"""The commands that run something: everything, the migrations, a demonstration."""

import asyncio
import threading
from typing import Annotated

import typer

from service.cli import app


@app.command()
def up() -> None:
    """Run everything on this machine until Ctrl-C."""
    from graph.settings import get_settings
    from service.cli.demo import tell_address
    from service.embedded import stack

    async def on_ready(running: stack.Stack) -> None:
        await asyncio.to_thread(tell_address, running.settings)

    raise typer.Exit(stack.up(get_settings(), on_ready=on_ready))


@app.command()
def migrate() -> None:
    """Bring the database of DATABASE_URL, or else the embedded one, to this release's schema."""
    from graph.settings import get_settings
    from graph.storage import migrate as migrations
    from service.cli.screen import remarks
    from service.embedded import stack

    settings = get_settings()
    if settings.database_url is not None:
        migrations.upgrade(settings)
    else:
        # Opening the embedded stores migrates them.
        with stack.opened(settings, say=lambda _: None):
            pass
    remarks().print("codeloom: the database has the schema of this release")


@app.command()
def demo(
    repository: Annotated[
        str, typer.Argument(metavar="PATH|URL", help="What to ingest; this folder by default.")
    ] = ".",
    once: Annotated[bool, typer.Option("--once", help="Stop when the answers are told.")] = False,
) -> None:
    """Run everything, ingest a repository, tell some answers, then serve until Ctrl-C."""
    from graph.settings import get_settings
    from service.cli.demo import show
    from service.cli.ingest import address_of
    from service.embedded import stack

    # Before everything is started for it.
    address_of(repository)
    interrupted = threading.Event()

    async def on_ready(running: stack.Stack) -> int | None:
        try:
            code = await asyncio.to_thread(
                show, running.settings, repository, stopped=interrupted.is_set
            )
        except asyncio.CancelledError:
            # The thread sees this at its next look at the job, and cancels that.
            interrupted.set()
            raise
        return code if once or code else None

    raise typer.Exit(stack.up(get_settings(), on_ready=on_ready))
