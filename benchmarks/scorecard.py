"""The graph against compilers' answers: precision and recall for each set of ground truth.

    python -m benchmarks.scorecard GROUNDTRUTH CHECKOUTS

GROUNDTRUTH holds `score.py` and the truth files. CHECKOUTS holds the sources that they speak of,
each in a folder of its own; which one, and at which commit, the truths' own README says. A set
whose sources are not there is left out, and said to be.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from parsers.sandbox import ParserPool, SandboxLimits
from workers.scan import scan

_ARGUMENTS = 3


@dataclass(frozen=True)
class TruthSet:
    """A truth file, where its sources are, and what marks the root of a case among many."""

    truth: str
    sources: str
    marker: str = ""


SETS = (
    TruthSet("scip/flask", "flask"),
    TruthSet("scip/requests", "requests"),
    TruthSet("scip/httpx", "httpx"),
    TruthSet("scip/axios", "axios"),
    TruthSet("scip/express", "express"),
    TruthSet("scip/zod", "zod"),
    TruthSet("compiler/cobra", "cobra"),
    TruthSet("compiler/gson", "gson"),
    TruthSet("runtime/flask", "flask"),
    TruthSet("runtime/httpx", "httpx"),
    TruthSet("micro/pycg", "PyCG/micro-benchmark/snippets", "callgraph.json"),
    TruthSet("micro/pycg_extended", "swarm/benchmarks/python/pycg_extended", "callgraph.json"),
    TruthSet("micro/jarvis", "jarvis/Jarvis/dataset/micro_benchmark", "main.py"),
    TruthSet("micro/swarm_js", "swarm/benchmarks/javascript/swarm_js", "callgraph.json"),
    TruthSet("stackgraphs/python", "sgout/python", "fragments.lst"),
    TruthSet("stackgraphs/typescript", "sgout/typescript", "fragments.lst"),
)


def score(truths: Path, checkouts: Path) -> Iterator[tuple[str, str, dict[str, float | None]]]:
    """For each set and measure: precision, recall and F1, in percent."""
    with (
        ParserPool(2, SandboxLimits()) as pool,
        tempfile.TemporaryDirectory(prefix="codeloom-scorecard-") as folder,
    ):
        for one in SETS:
            truth = truths / f"{one.truth}.jsonl.gz"
            root = checkouts / one.sources
            if not (truth.is_file() and root.is_dir()):
                print(f"{one.truth:<24} left out: its truth or its sources are not there")
                continue
            candidate = Path(folder) / "candidate.jsonl"
            _scan(root, one.marker, candidate, pool)
            done = subprocess.run(
                [sys.executable, str(truths / "score.py"), str(truth), str(candidate), "--json"],
                capture_output=True,
                check=True,
            )
            for measure, found in json.loads(done.stdout).items():
                yield one.truth, measure, {name: found[name] for name in ("P", "R", "F1")}


def _scan(root: Path, marker: str, candidate: Path, pool: ParserPool) -> None:
    """Write the records of a repository, or of every case below `root`, each by itself."""
    cases = sorted({found.parent for found in root.rglob(marker)}) if marker else [root]
    encoder = msgspec.json.Encoder()
    with candidate.open("wb") as out:
        for case in cases:
            for record in scan(case, pool=pool):
                if marker:
                    record["repo"] = str(case.relative_to(root))
                out.write(encoder.encode(record) + b"\n")


def _print(truths: Path, checkouts: Path) -> None:
    print(f"{'set':<24}{'measure':<12}{'P':>8}{'R':>8}{'F1':>8}")
    for truth, measure, found in score(truths, checkouts):
        cells = "".join(
            f"{'-':>8}" if value is None else f"{100 * value:>8.2f}" for value in found.values()
        )
        print(f"{truth:<24}{measure:<12}{cells}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != _ARGUMENTS:
        sys.exit(__doc__)
    _print(Path(sys.argv[1]), Path(sys.argv[2]))
