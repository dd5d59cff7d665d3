"""What a person sees: tables, bars and sentences."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from graph.errors import CodeloomError

# A pipe has no width; rows that are cut there would be lost.
_PIPE_WIDTH = 400


# Columns of a table that are copied, and those that may lose their end where the screen is narrow.
_WHOLE = frozenset({"site", "place", "id", "job"})
_SHORTENED = frozenset({"signature"})


def answers() -> Console:
    """Where answers go."""
    return _console(stderr=False)


def remarks() -> Console:
    """Where progress, hints and errors go."""
    return _console(stderr=True)


class CommandFailed(CodeloomError):
    """The command could not be done."""

    code = "command_failed"

    def __init__(self, message: str, action: str = "") -> None:
        """A sentence, and what to do about it."""
        super().__init__(message)
        self.action = action


def complain(error: CodeloomError) -> None:
    """Say what went wrong and what to do about it."""
    console = remarks()
    console.print(Text(f"codeloom: {error.message}", style="bold red"))
    action = getattr(error, "action", "")
    if action:
        console.print(Text(f"  {action}"))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Rows under headings; numbers to the right."""
    found = [[_cell(value) for value in row] for row in rows]
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for place, heading in enumerate(columns):
        numeric = bool(found) and all(_is_number(row[place]) for row in found)
        shown.add_column(
            heading,
            justify="right" if numeric else "left",
            # What is copied stays in one piece; what is read gives way.
            no_wrap=heading in _WHOLE or heading in _SHORTENED,
            overflow="ellipsis" if heading in _SHORTENED else "fold",
            min_width=max((len(row[place]) for row in found), default=0)
            if heading in _WHOLE
            else None,
        )
    for row in found:
        # As text: the names of a tenant's files are not markup.
        shown.add_row(*(Text(cell) for cell in row))
    answers().print(shown)


def as_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def heading(snapshot: Mapping[str, Any], coverage: Mapping[str, Any]) -> None:
    """Which snapshot answered, and how much of its commit it knows."""
    ref = f" ({snapshot['ref']})" if snapshot["ref"] else ""
    unresolved = f"{coverage['unresolved_ratio']:.1%} of references unresolved"
    remarks().print(
        Text(
            f"commit {snapshot['commit'][:12]}{ref}, {coverage['parsed']:,} of"
            f" {coverage['files']:,} files parsed, {unresolved}",
            style="dim",
        )
    )


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
        case _:
            return str(value)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).removesuffix("%").strip().isdigit()
