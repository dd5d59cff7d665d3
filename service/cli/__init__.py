"""The command line: `codeloom up`, `ingest`, `jobs`, `query`, and what else an operator types.

`ingest`, `jobs` and `query` are clients of the HTTP API like any other, so that what they show is
what the API says. Standard output belongs to answers; progress, hints and errors go to standard
error. An error ends a command with a sentence, what to do about it, and a code that is not 0.
"""

import sys

import typer

from graph.errors import CodeloomError

app = typer.Typer(
    name="codeloom",
    help="From a Git repository to a queryable code graph.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_INTERRUPTED = 130


def main() -> None:
    """The command that the arguments of this process ask for."""
    from graph import telemetry
    from service.cli import (  # noqa: F401 - they register commands
        admin_credentials,
        admin_jobs,
        admin_keys,
        admin_operators,
        admin_plans,
        admin_tenants,
        commands,
        ingest,
        jobs,
        query,
        scan,
    )
    from service.cli.screen import complain

    # Logs of the rooms below are not what somebody at a terminal asked for.
    telemetry.configure("cli", level="error")
    try:
        app()
    except CodeloomError as error:
        complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # `codeloom query ... | head` has read enough. Nothing is left to be flushed at the exit.
        sys.stdout = None
        sys.exit(0)
