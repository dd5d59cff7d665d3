"""What a job says about itself when it has published: the report of the job and of its snapshot."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from graph.model.edges import Certainty, EdgeKind
from graph.model.nodes import NodeKind
from graph.model.rows import DocumentRows
from workers.timing import StageTime


class Tally:
    """Counts the documents that pass through it on their way to the database."""

    def __init__(self) -> None:
        self.documents = 0
        self.lines = 0
        self.nodes: Counter[int] = Counter()
        self.edges: Counter[int] = Counter()
        self._certainty: Counter[int] = Counter()
        self._languages: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._references: Counter[str] = Counter()
        self._parsed = 0

    def through(self, documents: Iterable[DocumentRows]) -> Iterator[DocumentRows]:
        """The same documents, counted."""
        for rows in documents:
            self._count(rows)
            yield rows

    def _count(self, rows: DocumentRows) -> None:
        document = rows.document
        self.documents += 1
        self.lines += document.lines
        self.nodes.update(row[1] for row in rows.nodes)
        self.edges.update(row[2] for row in rows.edges)
        self._certainty.update(row[3] for row in rows.edges)
        self._references["resolved"] += document.resolved
        self._references["external"] += document.external
        self._references["unresolved"] += document.unresolved
        if document.skip_reason is not None:
            self._skipped[document.skip_reason] += 1
        if document.status != "skipped":
            self._parsed += 1
            self._languages[document.language or ""] += 1

    def report(self, *, reused: int, stages: list[StageTime], notes: list[str]) -> dict[str, Any]:
        """The report without what names the commit."""
        seconds = sum(stage.wall_seconds for stage in stages)
        return {
            "files": {
                "total": self.documents,
                "parsed": self._parsed,
                "reused": reused,
                "by_language": dict(self._languages.most_common()),
                "skipped": dict(self._skipped.most_common()),
            },
            "lines": self.lines,
            "nodes": {NodeKind(code).label: n for code, n in self.nodes.most_common()},
            "edges": {EdgeKind(code).label: n for code, n in self.edges.most_common()},
            "certainty": {Certainty(code).label: n for code, n in sorted(self._certainty.items())},
            "references": dict(self._references),
            "stages": [
                {
                    "name": stage.name,
                    "wall_seconds": stage.wall_seconds,
                    "cpu_seconds": stage.cpu_seconds,
                }
                for stage in stages
            ],
            "lines_per_second": round(self.lines / seconds) if seconds else 0,
            "notes": notes,
        }
