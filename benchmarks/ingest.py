"""A whole ingestion against the bare parse and the bare COPY of the same rows.

Processor seconds of every process: the command, the API, the dispatcher, the worker with its
parsers and git, PostgreSQL and Valkey. The reference is measured in the same run on the same
machine: each file parsed once by the bare binding, and the same rows written by COPY into tables
with the same indexes, by the client and its backend.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import tree_sitter

from benchmarks.corpora import CORPORA, Corpus, CorpusUnavailable, commit, files, repository
from graph.settings import Settings
from graph.storage import keys
from graph.storage.copying import EDGES, NODES, Target
from graph.storage.engine import dedicated
from parsers import registry
from service.embedded.stack import opened

_TICKS = os.sysconf("SC_CLK_TCK")
_PORT = 18437
_WORTH_SHOWING = 0.05
_CHANGE = "\n\ndef added_by_the_benchmark(value):\n    return value\n"


@dataclass(frozen=True)
class Spent:
    """What one ingestion cost."""

    cpu: float
    wall: float
    report: dict[str, Any]
    parts: dict[str, float]  # processor seconds of the processes that outlived it


def main() -> None:
    """Print a table for Python; other languages differ in the parse alone."""
    corpus = CORPORA[0]
    with tempfile.TemporaryDirectory(prefix="codeloom-benchmark-") as folder:
        Path(folder).chmod(0o755)
        try:
            source = repository(corpus, Path(folder) / "repository")
        except CorpusUnavailable as reason:
            print(f"{corpus.package} unavailable: {reason}")
            return
        settings = Settings(
            codeloom_home=Path(folder) / "home",
            codeloom_port=_PORT,
            allow_local_repositories=True,
        )
        with opened(settings, everything=True) as running:
            _measure(corpus, source, running)


def _measure(corpus: Corpus, source: Path, settings: Settings) -> None:
    first = _ingest(source, settings)
    peaks = dict(_peaks())
    unchanged = _ingest(source, settings)
    changed = _largest(source, corpus)
    changed.write_text(changed.read_text() + _CHANGE)
    commit(source, "One file changed")
    second = _ingest(source, settings)
    parse = _bare_parse(corpus)
    rows, copy = _bare_copy(settings)
    lines = first.report["lines"]
    print(f"{corpus.package}: {first.report['files']['total']} files, {lines} lines, {rows} rows")
    print(f"  first ingestion     {first.cpu:7.2f} s CPU  {first.wall:6.2f} s wall")
    print(f"  bare parse          {parse:7.2f} s CPU")
    print(f"  bare COPY, indexed  {copy:7.2f} s CPU")
    print(f"  ratio               {first.cpu / (parse + copy):7.2f}    target: at most 4")
    print(f"  lines a CPU second  {lines / first.cpu:7.0f}    target: at least 20000")
    share = second.cpu / first.cpu
    print(f"  one file changed    {second.cpu:7.2f} s CPU  {second.wall:6.2f} s wall  {share:.1%}")
    print(f"  nothing changed     {unchanged.cpu:7.2f} s CPU  {unchanged.wall:6.2f} s wall")
    for stage in first.report["stages"]:
        print(f"    {stage['name']:<12} {stage['cpu_seconds']:7.2f} s CPU")
    for name, seconds in sorted(first.parts.items(), key=lambda item: -item[1]):
        print(f"  of {name:<56} {seconds:6.2f} s CPU")
    for name, megabytes in sorted(peaks.items(), key=lambda item: -item[1])[:4]:
        print(f"  peak of {name:<51} {megabytes:6.0f} MiB")


def _ingest(source: Path, settings: Settings) -> Spent:
    """Run the command, and add up what every process of the tree has used meanwhile."""
    before, started = _tree_seconds(), time.monotonic()
    apart = _by_process()
    environment = os.environ | {
        "CODELOOM_HOME": str(settings.codeloom_home),
        "CODELOOM_PORT": str(settings.codeloom_port),
    }
    done = subprocess.run(
        [sys.executable, "-m", "service", "ingest", str(source), "--json"],
        env=environment,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr.decode())
    job = msgspec.json.decode(done.stdout)
    wall = time.monotonic() - started
    parts = {
        name: seconds - apart.get(name, 0.0)
        for name, seconds in _by_process().items()
        if seconds - apart.get(name, 0.0) >= _WORTH_SHOWING
    }
    return Spent(_tree_seconds() - before, wall, job.get("report", job), parts)


def _largest(source: Path, corpus: Corpus) -> Path:
    """A file that many others depend on would measure its dependents; take a long one."""
    extensions = registry.languages()[corpus.language].extensions
    found = [p for p in source.rglob("*") if p.suffix in extensions and p.is_file()]
    return sorted(found, key=lambda path: path.stat().st_size)[len(found) * 9 // 10]


def _bare_parse(corpus: Corpus) -> float:
    parser = tree_sitter.Parser(registry.grammar(registry.languages()[corpus.language].grammar))
    sources = files(corpus)
    started = time.process_time()
    for data in sources:
        parser.parse(data)
    return time.process_time() - started


def _bare_copy(settings: Settings) -> tuple[int, float]:
    """How many rows there are, and what writing them into indexed tables costs."""
    caller = keys.authenticate(settings, (settings.codeloom_home / "key").read_text().strip())
    if caller is None:
        raise RuntimeError("the key of the stack is not valid")
    count, seconds = 0, 0.0
    with dedicated(settings, "owner") as conn:
        conn.execute("select set_config('app.tenant_id', %s, false)", [str(caller.tenant_id)])
        for table, target in (("nodes", NODES), ("edges", EDGES)):
            rows = _rows(conn, table, target)
            conn.execute(f"create table bare_{table} (like {table} including indexes)")
            used = time.process_time() + _of_process(conn.info.backend_pid)
            _copy(conn, table, target, rows)
            conn.commit()
            seconds += time.process_time() + _of_process(conn.info.backend_pid) - used
            count += len(rows)
            conn.execute(f"drop table bare_{table}")
            conn.commit()
    return count, seconds


def _rows(conn: psycopg.Connection[Any], table: str, target: Target) -> list[tuple[Any, ...]]:
    """The rows of the first snapshot, as they were loaded."""
    columns = ", ".join(["tenant_id", "repository", *target.columns])
    first = "(select upper(documents) from snapshots order by snapshot limit 1)"
    return conn.execute(
        f"select {columns} from {table} where document < {first} order by document"
    ).fetchall()


def _copy(
    conn: psycopg.Connection[Any], table: str, target: Target, rows: list[tuple[Any, ...]]
) -> None:
    columns = ", ".join(["tenant_id", "repository", *target.columns])
    with (
        conn.cursor() as cursor,
        cursor.copy(f"copy bare_{table} ({columns}) from stdin (format binary)") as copy,
    ):
        copy.set_types(["uuid", "int4", *target.types])
        for row in rows:
            copy.write_row(row)


def _by_process() -> dict[str, float]:
    """Processor seconds of every process of the tree, its dead children included."""
    return {f"{pid} {_command(pid)}": _of_process(pid) for pid in _tree()}


def _command(pid: int) -> str:
    """The end of a process's command line, which tells the parts of the stack apart."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return "ended"
    return command.replace(b"\0", b" ").decode("utf-8", "replace").strip()[-48:]


def _tree_seconds() -> float:
    """Processor seconds of this process and all below it, the dead ones included."""
    return sum(_of_process(pid) for pid in _tree())


def _peaks() -> Iterator[tuple[str, float]]:
    """The largest resident size that each process below this one has had, in MiB."""
    for pid in _tree():
        status = Path(f"/proc/{pid}/status").read_text()
        peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
        if peak is not None and pid != os.getpid():
            yield f"{pid} {_command(pid)}", int(peak.split()[1]) / 1024


def _tree() -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(_fields(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = [os.getpid()]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def _of_process(pid: int) -> float:
    """User and system time of a process and of the children it has waited for."""
    try:
        fields = _fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(value) for value in fields[11:15]) / _TICKS


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, which follow the name in brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


if __name__ == "__main__":
    main()
