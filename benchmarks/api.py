"""What keys, limits, audit and all else cost a request, beside the same work in bare FastAPI.

A read of one symbol, as a key that has limits asks for it, and the same statements behind a route
that knows no key; then a write with an audit event and an idempotency key, and the same write
without. Reads leave no audit event. Processor time of the server alone, which answers the one as
often as the other, in turns, because the machine has other work; the stores' is not counted.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.load import Asker, Load, Offer, request
from graph.model.ids import TenantId
from graph.settings import Settings
from graph.storage import keys, tenants
from graph.storage.session import system_session, tenant_session
from service.embedded import services
from service.embedded.stack import opened
from service.shapes import symbol_id
from tests import seeding

_TICKS = os.sysconf("SC_CLK_TCK")
_PORT = 18441
_READY_SECONDS = 60
_PLENTY = 100_000_000
_ROUNDS = 5
_READS, _WRITES = 1000, 300
_WANTED = 2.0
_SECONDS_OF_LOAD = 4.0
_CONNECTIONS = 8

Ask = Callable[[], bytes]


@dataclass(frozen=True)
class Place:
    """A tenant, its key, and the symbol that is read."""

    tenant_id: TenantId
    secret: str
    path: str


@dataclass
class Served:
    """A server, and the processor time of each round of requests to it."""

    process: int
    port: int
    rounds: list[float] = field(default_factory=list)

    def spent(self, asked: Ask, number: int, wanted: int) -> None:
        """Ask so often, one request after the other."""
        asker = Asker(self.port)
        before = _seconds(self.process)
        for _ in range(number):
            status = asker.ask(asked())
            if status != wanted:
                raise RuntimeError(f"answered {status}")
        self.rounds.append((_seconds(self.process) - before) / number)
        asker.close()

    @property
    def microseconds(self) -> float:
        """The median over the rounds."""
        return 1e6 * statistics.median(self.rounds)


def main() -> None:
    """Print processor time for each request, bare and whole, and how many are answered a second."""
    with tempfile.TemporaryDirectory(prefix="codeloom-api-") as folder:
        Path(folder).chmod(0o755)
        wanted = Settings(
            codeloom_home=Path(folder) / "home",
            codeloom_port=_PORT,
            # On a machine with other work, Redis may take longer than a request usually waits.
            limits_patience_seconds=5,
        )
        with opened(wanted) as settings:
            place = _place(settings)
            _compare(settings, place, Path(folder))
            for processes in (1, 2):
                _throughput(settings, place, Path(folder), processes)


def _compare(settings: Settings, place: Place, folder: Path) -> None:
    with ExitStack() as stack:
        whole = stack.enter_context(_server(settings, folder, _PORT, "service.server"))
        bare = stack.enter_context(
            _server(settings, folder, _PORT + 1, "benchmarks.bare", str(place.tenant_id))
        )
        read = request(place.path, place.secret)
        print(f"  {'processor time of the server, us':<34}{'bare':>8}{'whole':>8}{'ratio':>7}")
        _in_turns("a read of one symbol", whole, bare, lambda: read, _READS, 200)
        print(f"  {'':<50}wanted: at most {_WANTED}; reads are not audited")
        numbers = count()
        _in_turns(
            "a write, audited, idempotent",
            whole,
            bare,
            lambda: _write(place, next(numbers)),
            _WRITES,
            201,
        )


def _in_turns(what: str, whole: Served, bare: Served, asked: Ask, number: int, status: int) -> None:
    for served in (whole, bare):
        served.spent(asked, number, status)  # code is warm, the key is known
        served.rounds.clear()
    for _ in range(_ROUNDS):
        for served in (whole, bare):
            served.spent(asked, number, status)
    ratio = whole.microseconds / bare.microseconds
    print(
        f"  {what:<34}{bare.microseconds:>8.0f}{whole.microseconds:>8.0f}{ratio:>7.2f}", flush=True
    )


def _throughput(settings: Settings, place: Place, folder: Path, processes: int) -> None:
    """How many reads are answered a second; whoever asks takes his share of the same cores."""
    changed = settings.model_copy(update={"api_processes": processes})
    offer = Offer(_PORT, request(place.path, place.secret), connections=_CONNECTIONS, rate=None)
    with _server(changed, folder, _PORT, "service.server"), Load(offer, 1) as load:
        load.run(1.0)
        sent = load.run(_SECONDS_OF_LOAD)
    if sent.statuses.keys() != {200}:
        raise RuntimeError(f"answered {sent.statuses}")
    rate = sent.total / _SECONDS_OF_LOAD
    print(
        f"  reads a second, {processes} process(es), {os.cpu_count()} cores: {rate:.0f}", flush=True
    )


def _write(place: Place, number: int) -> bytes:
    """A registration that is like no other."""
    body = json.dumps({"url": f"https://example.org/{os.getpid()}/{number}"}).encode()
    lines = (
        "POST /v1/repositories HTTP/1.1",
        "Host: api.example.com",
        f"Authorization: Bearer {place.secret}",
        f"Idempotency-Key: {os.getpid()}-{number}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def _place(settings: Settings) -> Place:
    with system_session("administration", settings=settings) as connection:
        tenant_id = tenants.create(connection, name="measured").id
    with tenant_session(tenant_id, settings=settings) as connection:
        secret = keys.create(connection, tenant_id=tenant_id, scopes=["ingest"], name="measured")[1]
    seeding.allow(settings, tenant_id, key_requests_per_minute=_PLENTY, requests_per_minute=_PLENTY)
    shop = seeding.shop(settings, tenant_id)
    path = f"/v1/repositories/{shop.repository.id}/symbols/{symbol_id(shop.add)}"
    return Place(tenant_id, secret, path)


@contextmanager
def _server(
    settings: Settings, folder: Path, port: int, module: str, *arguments: str
) -> Iterator[Served]:
    """A server as a process of its own, for the time of the context."""
    changed = settings.model_copy(
        update={"codeloom_host": "127.0.0.1", "codeloom_port": port, "log_format": "json"}
    )
    with (folder / f"{module}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=services.environment(changed),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / f"{module}.log").read_text())
            time.sleep(0.05)
        yield Served(process.pid, port)
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    try:
        Asker(port).close()
    except ConnectionRefusedError:
        return False
    return True


def _seconds(process: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:13]) / _TICKS


if __name__ == "__main__":
    main()
