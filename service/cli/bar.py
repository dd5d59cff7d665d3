"""How far a job is: a bar on a terminal, elsewhere a line for each stage."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from service.cli.screen import remarks


@contextmanager
def opened(name: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that shows the job that it is given, under this name."""
    console = remarks()
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[files]}"),
        TimeElapsedColumn(),
    )
    told = ""
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("waiting", total=100, files="")

        def show(job: Mapping[str, Any]) -> None:
            nonlocal told
            progress = job["progress"]
            stage = _stage(job)
            files = f"{progress['files_done']:,}/{progress['files_total']:,} files"
            shown = files if progress["files_total"] else ""
            bar.update(task, description=stage, completed=progress["percent"], files=shown)
            if not console.is_terminal and stage not in ("", told):
                console.print(Text(f"codeloom: {name}: {stage}"))
                told = stage

        yield show


def _stage(job: Mapping[str, Any]) -> str:
    if job["state"] in ("queued", "dispatched"):
        return "waiting"
    # One that has ended may have had none, as for a commit that was in the graph already.
    return str(job["progress"]["stage"] or ("running" if job["finished_at"] is None else ""))
