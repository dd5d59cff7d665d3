"""What an ingestion brought, in tables."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from service.cli.screen import answers, table


def show(job: Mapping[str, Any]) -> None:
    """The report of a job that succeeded."""
    report = job["report"] or {}
    files = report.get("files", {})
    console = answers()
    console.print(Text(_first_line(job, report), style="bold"))
    if report.get("unchanged"):
        console.print(Text("Nothing to do: this commit was in the graph already."))
    for note in report.get("notes", []):
        console.print(Text(f"note: {note}"))
    _counts("language", "files", files.get("by_language", {}))
    _counts("skipped because", "files", files.get("skipped", {}))
    _counts("node", "count", report.get("nodes", {}))
    _counts("edge", "count", report.get("edges", {}))
    _shares("certainty", "edges", report.get("certainty", {}))
    _shares("reference", "count", report.get("references", {}))
    _stages(report)


def _first_line(job: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    files = report.get("files", {})
    ref = report.get("ref") or job["ref"]
    parts = [
        f"{job['repository']['name']} at {str(report.get('commit'))[:12]}",
        f"({ref})" if ref else "",
        f"{files.get('total', 0):,} files,",
        f"{files.get('parsed', 0):,} parsed ({files.get('reused', 0):,} of them before),",
        f"{report.get('lines', 0):,} lines",
    ]
    return " ".join(part for part in parts if part)


def _counts(what: str, unit: str, counts: Mapping[str, int]) -> None:
    if counts:
        table([what, unit], _by_size(counts))
        answers().print()


def _shares(what: str, unit: str, counts: Mapping[str, int]) -> None:
    total = sum(counts.values())
    if total:
        rows = [(name, count, f"{count / total:.1%}") for name, count in _by_size(counts)]
        table([what, unit, "share"], rows)
        answers().print()


def _stages(report: Mapping[str, Any]) -> None:
    stages = report.get("stages", [])
    if not stages:
        return
    rows = [(stage["name"], stage["wall_seconds"], stage["cpu_seconds"]) for stage in stages]
    wall = sum(stage["wall_seconds"] for stage in stages)
    cpu = sum(stage["cpu_seconds"] for stage in stages)
    table(["stage", "wall s", "CPU s"], [*rows, ("total", float(wall), float(cpu))])
    if not report.get("unchanged"):
        answers().print()
        answers().print(Text(f"{report.get('lines_per_second', 0):,.0f} lines a second"))


def _by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
