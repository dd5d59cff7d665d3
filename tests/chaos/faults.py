"""The faults: each does its harm, drawn from the random numbers it is given, and says what it was.

What a fault takes away, it or `Yard.whole` brings back.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from tests.chaos.beats import kill_beats, silence_the_leading_beat
from tests.chaos.processes import command, descendants, send
from tests.chaos.yard import DISPATCHERS, WORKERS, Place, Yard
from tests.workers.stand import ROOT

Fault = Callable[[Yard, Random, Sequence[Place]], str]

STAGES = (
    *("checkout", "inventory", "parse", "resolve", "load", "publish"),
    *("uploaded", "published"),
)
LARGE = "die in a large ingestion"
_LOOKS = 40


def kill_api(yard: Yard, _random: Random, _places: Sequence[Place]) -> str:
    yard.kill("api")
    return ""


def kill_dispatchers(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    return yard.kill_of_two(random, DISPATCHERS)


def kill_workers(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    return yard.kill_of_two(random, WORKERS)


def kill_a_main_process(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    name = random.choice(WORKERS)
    yard.kill_main(name)
    return name


def stop_a_worker(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    name = random.choice(WORKERS)
    process = yard.processes.pop(name)
    process.terminate()
    process.wait(60)
    return name


def kill_a_pool_child(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    below = [pid for pid in yard.below(*WORKERS) if descendants(pid)] or yard.below(*WORKERS)
    if below:
        send(random.choice(below), signal.SIGKILL)
    return ""


def kill_git(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    return _kill_when_there(yard, random, lambda pid: command(pid) == "git")


def kill_a_parser(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    return _kill_when_there(
        yard,
        random,
        lambda pid: not command(pid).startswith("git") and pid not in pool_children(yard),
    )


def pool_children(yard: Yard) -> set[int]:
    """What Celery itself starts below a worker."""
    mains = {yard.processes[name].pid for name in WORKERS if name in yard.processes}
    return {pid for pid in yard.below(*WORKERS) if _parent(pid) in mains}


def _kill_when_there(yard: Yard, random: Random, wanted: Callable[[int], bool]) -> str:
    for _ in range(_LOOKS):
        found = [pid for pid in yard.below(*WORKERS) if wanted(pid)]
        if found:
            send(random.choice(found), signal.SIGKILL)
            return "found"
        time.sleep(0.05)
    return "none was there"


def freeze_workers(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    """Some stand still until their leases are over."""
    names = random.choice((WORKERS[:1], WORKERS[1:], WORKERS))
    below = yard.below(*names)
    for pid in below:
        send(pid, signal.SIGSTOP)
    time.sleep(yard.settings.lease_seconds + 1)
    for pid in below:
        send(pid, signal.SIGCONT)
    return " ".join(names)


def freeze_a_dispatcher(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    name = random.choice(DISPATCHERS)
    process = yard.processes[name]
    process.send_signal(signal.SIGSTOP)
    time.sleep(random.uniform(1, 3))
    process.send_signal(signal.SIGCONT)
    return name


def restart_the_broker(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    number = random.choice((signal.SIGTERM, signal.SIGKILL))
    yard.servers.stop_valkey(number)
    time.sleep(random.uniform(0, 2))
    yard.servers.start_valkey()
    return number.name


def empty_the_broker(yard: Yard, _random: Random, _places: Sequence[Place]) -> str:
    with yard.redis() as client:
        client.flushall()
    return ""


def stall_the_broker(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    seconds = random.uniform(2, 6)
    yard.servers.freeze_valkey(seconds)
    return f"{seconds:.1f} s"


def restart_the_database(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    number = random.choice((signal.SIGINT, signal.SIGQUIT))
    yard.servers.restart_postgres(number)
    return number.name


def end_sessions(yard: Yard, _random: Random, _places: Sequence[Place]) -> str:
    yard.ask(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
        " and datname = current_database() and application_name like 'codeloom%%'"
    )
    return ""


def stale_messages(yard: Yard, random: Random, places: Sequence[Place]) -> str:
    """Messages that came before, twice, in another order, and some that nobody would send."""
    messages: list[dict[str, object]] = [{"surprise": True}]
    for place in places:
        tenant = str(place.tenant_id)
        rows = yard.ask("select job_id, epoch from jobs where tenant_id = %s", place.tenant_id)
        for job_id, epoch in rows:
            messages += [
                {"tenant_id": tenant, "job_id": str(job_id), "epoch": number}
                for number in (epoch, epoch, epoch - 1, epoch + 1, "z")
            ]
        messages.append({"tenant_id": tenant, "job_id": tenant, "epoch": 1})
    random.shuffle(messages)
    code = (
        "import json, sys\nfrom workers.celery_app import app\n"
        "for kwargs in json.loads(sys.argv[1]):\n"
        "    app.send_task('workers.tasks.parse_and_index_repository', kwargs=kwargs)"
    )
    subprocess.run(
        [sys.executable, "-c", code, json.dumps(messages)],
        cwd=ROOT,
        env=yard.environment(),
        check=True,
        timeout=120,
    )
    return str(len(messages))


def lose_the_host(yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    """The host of what is fetched has no time, or hangs up in the middle, for a while."""
    yard.host.status = random.choice((429, 500, 503, 0))
    yard.host.retry_after = random.choice(("", "1"))
    yard.host.cut_bytes = 0 if yard.host.status else random.choice((1, 100, 1500, 3000))
    time.sleep(random.uniform(1, 3))
    said = f"{yard.host.status} {yard.host.retry_after} {yard.host.cut_bytes}"
    yard.host.status, yard.host.retry_after, yard.host.cut_bytes = 0, "", 0
    return said


def nothing(_yard: Yard, random: Random, _places: Sequence[Place]) -> str:
    time.sleep(random.uniform(0, 1))
    return ""


FAULTS: dict[str, Fault] = {
    "kill the API": kill_api,
    "kill dispatchers": kill_dispatchers,
    "kill beats": kill_beats,
    "silence the leading beat": silence_the_leading_beat,
    "kill workers": kill_workers,
    "kill a worker and not its child": kill_a_main_process,
    "stop a worker": stop_a_worker,
    "kill a pool child": kill_a_pool_child,
    "kill git": kill_git,
    "kill a parser": kill_a_parser,
    "freeze workers": freeze_workers,
    "freeze a dispatcher": freeze_a_dispatcher,
    "restart the broker": restart_the_broker,
    "empty the broker": empty_the_broker,
    "stall the broker": stall_the_broker,
    "restart the database": restart_the_database,
    "end sessions": end_sessions,
    "stale messages": stale_messages,
    "lose the host": lose_the_host,
    "nothing": nothing,
}
# Faults that wait for a worker at a place, asked for by a file; see `interfering`.
PLACES: dict[str, tuple[str, ...]] = {
    "lose the database while copying": ("copy",),
    "lose the database around a commit": (
        "before any commit",
        "after any commit",
        "before publishing commit",
        "after publishing commit",
    ),
    "lose the store": (
        "store is slow",
        "store keeps nothing",
        "store forgets to answer",
        "store gives nothing",
        "store takes nothing",
    ),
    "kill git while it fetches": ("git dies fetching", "git's helper dies fetching"),
    "fill the disk": ("full disk", *(f"full {stage}" for stage in STAGES)),
    "die at a stage": tuple(f"die {stage}" for stage in STAGES),
    LARGE: ("die split", "die shard", "die joined"),
}


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(status.rsplit(")", 1)[1].split()[1])
