"""What `make run` shows once everything runs: one repository, some answers, where to go on."""

from typing import Any

from rich.text import Text

from graph.errors import CodeloomError
from graph.settings import Settings
from service.cli import ingest, summary
from service.cli.client import Client
from service.cli.follow import Stopped
from service.cli.query import OUTLINE_COLUMNS, link_rows, outline_rows
from service.cli.screen import answers, complain, table
from service.cli.seed import ensure_key
from service.cli.target import Target
from service.embedded import services

_ROWS = 8


def tell_address(settings: Settings) -> None:
    """Where the API is, and the key that opens it."""
    kept = ensure_key(settings)
    address = services.address(settings)
    console = answers()
    console.print(f"API            {address}/v1")
    console.print(f"Documentation  {address}/docs")
    console.print(f"Key            {kept.path}")
    console.print(
        f'Try            curl -H "Authorization: Bearer $(cat {kept.path})"'
        f" {address}/v1/repositories",
        soft_wrap=True,
    )


def show(settings: Settings, repository: str, *, stopped: Stopped) -> int:
    """Ingest the repository and tell some answers; the exit code says whether that went well."""
    try:
        with Client(services.address(settings), ensure_key(settings).secret) as client:
            job = ingest.run(client, repository, stopped=stopped)
            summary.show(job)
            _answers(Target(client, job["repository"]["id"], None))
    except CodeloomError as error:
        complain(error)
        return 1
    tell_address(settings)
    return 0


def _answers(target: Target) -> None:
    used: list[dict[str, Any]] = target.get("stats", most=_ROWS)["most_used"]
    own = [one for one in used if not one["symbol"]["external"]]
    if not own:
        return
    rows = [
        (one["symbol"]["qualified_name"], one["uses"], _place(one["symbol"]), one["symbol"]["id"])
        for one in own
    ]
    _title("Most used functions")
    table(("function", "uses", "place", "id"), rows)
    first = own[0]["symbol"]
    _title(f"Callers of {first['qualified_name']}")
    callers = target.pages(f"symbols/{first['id']}/callers", limit=_ROWS)
    table(("caller", "kind", "edge", "certainty", "rule", "site"), link_rows(callers["items"]))
    _title(f"Outline of {first['path']}")
    outline = target.outline(first["path"], _ROWS)
    table(OUTLINE_COLUMNS, outline_rows(outline["items"]))
    answers().print()


def _title(text: str) -> None:
    answers().print()
    answers().print(Text(text, style="bold"))


def _place(symbol: dict[str, Any]) -> str:
    return f"{symbol['path']}:{symbol['line']}"
