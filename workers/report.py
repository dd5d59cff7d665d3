"""What a job says about itself when it has published: the report of the job and of its snapshot."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from graph.model.edges import Certainty, EdgeKind
from graph.model.nodes import NodeKind
from graph.resolve.incremental import ResolutionRecord
from workers.git.targets import Target
from workers.stages.parse import ParsedFiles
from workers.timing import StageTime

# As it is stored and answered: JSON.
Report = dict[str, Any]


def report(
    target: Target, parsed: ParsedFiles, record: ResolutionRecord, notes: list[str]
) -> Report:
    """What is in the snapshot, and what the reader of its answers should know."""
    nodes: Counter[int] = Counter({NodeKind.FILE: len(parsed.skipped)})
    edges: Counter[int] = Counter()
    certainties: Counter[int] = Counter()
    resolved = external = unresolved = lines = 0
    for file in record.files:
        nodes.update(file.nodes)
        edges.update(file.edges)
        certainties.update(file.certainties)
        lines += file.lines
        resolved += file.references[0]
        external += file.references[1]
        unresolved += file.references[2]
    languages = Counter(file.source.language for file in parsed.files)
    skipped = Counter(str(skip.reason) for skip in parsed.skipped)
    return {
        "commit": target.commit,
        "ref": target.branch_or_tag,
        "files": {
            "total": len(parsed.files) + len(parsed.skipped),
            "parsed": len(parsed.files),
            "reused": parsed.reused,
            "by_language": dict(languages.most_common()),
            "skipped": dict(skipped.most_common()),
        },
        "lines": lines,
        "nodes": _labelled(nodes, NodeKind),
        "edges": _labelled(edges, EdgeKind),
        "certainty": _labelled(certainties, Certainty),
        "references": {"resolved": resolved, "external": external, "unresolved": unresolved},
        "notes": notes,
    }


def timed(report: Report, stages: list[StageTime]) -> Report:
    """The report with what each stage took. An unchanged commit's lines were not gone through."""
    seconds = sum(stage.wall_seconds for stage in stages)
    lines = 0 if report.get("unchanged") else report["lines"]
    return {
        **report,
        "stages": [asdict(stage) for stage in stages],
        "lines_per_second": round(lines / seconds) if seconds else 0,
    }


def _labelled(
    counts: Counter[int], kinds: type[NodeKind] | type[EdgeKind] | type[Certainty]
) -> dict[str, int]:
    return {kinds(code).label: count for code, count in counts.most_common() if count}
