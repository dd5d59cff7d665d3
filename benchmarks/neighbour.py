"""One tenant's latency alone and beside another: far above its limit, and heavy within it.

A real server over real stores, two tenants with a graph of their own. Tenant B asks for a symbol
and searches for one, one request after the other at a steady pace; tenant A is offered at a hundred
times its limit (open loop: a request is due whether or not the one before was answered), and then a
tenant without limits that keeps sixty slow searches under way. Alone and beside alternate, and what
is told is the mean over the rounds, because one machine has other work too.

The server has the first core to itself. Whoever asks is on the second, those that make load with
lower priority than the one who measures; the stores go where there is room.
"""

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import Asker, Load, Offer, Sent, request
from graph.model.ids import NodeId, TenantId
from graph.settings import Settings
from graph.storage import keys, tenants
from graph.storage.session import system_session, tenant_session
from service.embedded import services
from service.embedded.stack import opened
from tests.seeding import Page, allow, ingest, register

_PORT = 18438
_SERVER_CORE, _ASKING_CORE = 0, 1
_TICKS = os.sysconf("SC_CLK_TCK")
_READY_SECONDS = 60
_FILES, _SYMBOLS = 150, 80
_PER_MINUTE, _PLENTY = 600, 100_000_000
_TIMES_ITS_LIMIT = 100
_ROUNDS = 6
_ROUND_SECONDS = 2.5
_PACE_SECONDS = 0.01
_WANTED = 1.2
_PROCESSES = 2


@dataclass(frozen=True)
class Tenant:
    """A tenant, what it asks with, and what it may ask for."""

    secret: str
    read: str
    search: str
    slow: str


@dataclass
class Measured:
    """Seconds that tenant B's answers took, for each round, by what was asked."""

    rounds: list[dict[str, list[float]]] = field(default_factory=list)

    def percentile(self, what: str, share: float) -> float:
        """The mean over the rounds of this percentile, in milliseconds."""
        return 1000 * statistics.mean(_percentile(one[what], share) for one in self.rounds)


def main() -> None:
    """Print B's latency alone and beside each of its neighbours, and what a refusal costs."""
    if len(os.sched_getaffinity(0)) <= _ASKING_CORE:
        print("   unavailable: the server and those who ask need a core each")
        return
    with tempfile.TemporaryDirectory(prefix="codeloom-neighbour-") as folder:
        Path(folder).chmod(0o755)
        wanted = Settings(codeloom_home=Path(folder) / "home", codeloom_port=_PORT)
        with opened(wanted) as settings:
            quiet = _tenant(settings, "quiet", _PLENTY)
            greedy = _tenant(settings, "greedy", _PER_MINUTE)
            heavy = _tenant(settings, "heavy", _PLENTY)
            with _server(settings, Path(folder) / "api.log") as server, _cores():
                _beside_greedy(server, quiet, greedy)
                _beside_heavy(server, quiet, heavy)


def _beside_greedy(server: int, quiet: Tenant, greedy: Tenant) -> None:
    rate = _PER_MINUTE * _TIMES_ITS_LIMIT / 60
    offer = Offer(_PORT, request(greedy.read, greedy.secret), connections=32, rate=rate)
    with Load(offer, _PROCESSES) as load:
        load.run(1.5)  # what it may ask at once is used up
        sent = _rounds(f"beside {rate:.0f} requests a second", server, load, quiet)
        before = _seconds(server)
        alone = load.run(3.0)
        spent = _seconds(server) - before
        refused = alone.statuses.get(429, 0)
        print(f"  offered {sent.offered}, sent {sent.total}, answered {sent.statuses}")
        print(
            f"  a refused request costs the server {1e6 * spent / max(1, refused):.0f} us of its"
            f" core ({refused} refused in 3 s, {alone.total - refused} others)"
        )


def _beside_heavy(server: int, quiet: Tenant, heavy: Tenant) -> None:
    offer = Offer(_PORT, request(heavy.slow, heavy.secret), connections=30, rate=None)
    with Load(offer, _PROCESSES) as load:
        sent = _rounds("beside 60 slow searches at once", server, load, quiet)
        print(f"  answered {sent.statuses}")


def _rounds(title: str, server: int, load: Load, quiet: Tenant) -> Sent:
    alone, beside, sent = Measured(), Measured(), Sent()
    asker = Asker(_PORT)
    questions = {
        "symbol": request(quiet.read, quiet.secret),
        "search": request(quiet.search, quiet.secret),
    }
    _ask(asker, questions, 1.0)  # its key is known, connections are open, code is warm
    busy = {"alone": 0.0, "beside": 0.0}
    for _ in range(_ROUNDS):
        before = _seconds(server)
        alone.rounds.append(_ask(asker, questions, _ROUND_SECONDS))
        busy["alone"] += _seconds(server) - before
        before = _seconds(server)
        load.begin(_ROUND_SECONDS)
        beside.rounds.append(_ask(asker, questions, _ROUND_SECONDS))
        sent.add(load.end())
        busy["beside"] += _seconds(server) - before
    asker.close()
    print(f"  {title:<34}{'alone, ms':>18}{'beside, ms':>18}{'ratio':>8}")
    print(f"  {'':<34}{'p50':>9}{'p95':>9}{'p50':>9}{'p95':>9}{'of p95':>8}")
    for what in questions:
        figures = [each.percentile(what, at) for each in (alone, beside) for at in (0.5, 0.95)]
        ratio = figures[3] / figures[1]
        cells = "".join(f"{figure:>9.2f}" for figure in figures)
        print(f"  {what:<34}{cells}{ratio:>8.2f}   wanted: at most {_WANTED}")
    shares = ", ".join(f"{at} {one / _ROUNDS / _ROUND_SECONDS:.0%}" for at, one in busy.items())
    print(f"  of its core the server used: {shares}", flush=True)
    return sent


def _ask(asker: Asker, questions: dict[str, bytes], seconds: float) -> dict[str, list[float]]:
    """Ask in turn, at a steady pace, for so long."""
    found: dict[str, list[float]] = {what: [] for what in questions}
    due, end = time.perf_counter(), time.perf_counter() + seconds
    while due < end:
        for what, asked in questions.items():
            time.sleep(max(0.0, due - time.perf_counter()))
            started = time.perf_counter()
            status = asker.ask(asked)
            if status != 200:
                raise RuntimeError(f"tenant B was answered {status}")
            found[what].append(time.perf_counter() - started)
            due = max(due + _PACE_SECONDS, time.perf_counter())
    return found


def _percentile(values: list[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, math.ceil(share * len(ranked)) - 1)]


def _tenant(settings: Settings, name: str, per_minute: int) -> Tenant:
    with system_session("administration", settings=settings) as connection:
        tenant_id = tenants.create(connection, name=name).id
    with tenant_session(tenant_id, settings=settings) as connection:
        secret = keys.create(connection, tenant_id=tenant_id, scopes=["read"], name=name)[1]
    allow(settings, tenant_id, key_requests_per_minute=per_minute, requests_per_minute=_PLENTY)
    repository, symbol = _graph(settings, tenant_id)
    place = f"/v1/repositories/{repository}/symbols"
    return Tenant(
        secret,
        read=f"{place}/{symbol & (2**64 - 1):016x}",
        search=f"{place}?q=work_7&limit=20",
        slow=f"{place}?q=ork&match=fuzzy&limit=500",
    )


def _graph(settings: Settings, tenant_id: TenantId) -> tuple[str, NodeId]:
    """A repository of the tenant with some thousand symbols that call each other; one of them."""
    repository = register(settings, tenant_id)
    pages: list[Page] = []
    last: NodeId | None = None
    for number in range(_FILES):
        page = Page(repository.number, f"src/module_{number}.py")
        for line in range(_SYMBOLS):
            made = page.define(f"work_{number}_{line}", 1 + line)
            if last is not None:
                page.link(made, last, 1 + line)
            last = made
        pages.append(page)
    ingest(settings, tenant_id, repository, pages)
    if last is None:
        raise RuntimeError("a graph without symbols")
    return str(repository.id), last


@contextmanager
def _server(settings: Settings, log_file: Path) -> Iterator[int]:
    """The API in a process of its own on its core, for the time of the context; its process id."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.server"],
            env=services.environment(settings),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        os.sched_setaffinity(process.pid, {_SERVER_CORE})  # before it has threads, which inherit it
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log_file.read_text())
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _answers() -> bool:
    try:
        asker = Asker(_PORT)
    except ConnectionRefusedError:
        return False
    asker.close()
    return True


@contextmanager
def _cores() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_ASKING_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _seconds(process: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:13]) / _TICKS


if __name__ == "__main__":
    main()
