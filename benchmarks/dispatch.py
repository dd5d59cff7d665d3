"""A pass of the dispatcher over a long queue, beside the plainest query that a queue can have.

500 tenants wait with 200 jobs each, over repositories and refs of their own. A pass chooses 64 of
them in turns of the tenants, by weight, priority and age, one of a flight, and commits; the plain
query takes the 64 first rows of all, whoever they belong to, and changes nothing. The two
alternate, and after each round what was chosen is put aside, as workers would. It is told for a
quiet installation, and for one where 500 jobs are under way already.
"""

import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from graph.model.ids import JobId
from graph.settings import Settings
from graph.storage import jobs, tenants
from graph.storage.session import system_session, tenant_session
from service.embedded.stack import opened

_TENANTS, _JOBS, _REPOSITORIES = 500, 200, 20
_CHOSEN = 64
_ROUNDS = 25
_WANTED_MS = 30

_REGISTER = text("""
insert into repositories (tenant_id, repository_id, number, url, name)
select :tenant_id, gen_random_uuid(), n, 'https://example.org/' || n, 'r' || n
from generate_series(1, :repositories) n
""")
_QUEUE = text("""
insert into jobs (tenant_id, job_id, kind, repository, ref, flight, priority, run_at, large)
select :tenant_id, gen_random_uuid(), 'ingest', 1 + n % :repositories, 'b' || n, 'ref:b' || n,
  n % 3, now() - make_interval(secs => (n * 7919) % 86400), n % 50 = 0
from generate_series(1, :jobs) n
""")
_PLAIN = text("""
select job_id from jobs where state = 'queued' and run_at <= now()
order by priority, run_at, job_id limit :chosen for update skip locked
""")
_ALLOW = text("""
update tenants set limits = '{"running_jobs": 100}'
""")
_PUT_ASIDE = text("""
update jobs set state = 'succeeded', lease_until = null, finished_at = now()
where state = 'dispatched' and job_id = any(:chosen)
""")


def main() -> None:
    """Print how long a pass takes, in a quiet installation and in a busy one."""
    with tempfile.TemporaryDirectory(prefix="codeloom-dispatch-") as folder:
        Path(folder).chmod(0o755)
        with opened(Settings(codeloom_home=Path(folder) / "home")) as settings:
            for number in range(_TENANTS):
                _fill(settings, number)
            print(f"  {f'of {_TENANTS * _JOBS} jobs, ms':<34}{'plain':>8}{'pass':>8}{'ratio':>7}")
            _compare(settings, "nothing under way", under_way=0)
            with system_session("dispatch", settings=settings) as connection:
                under_way = len(jobs.pick(connection, slots=_TENANTS, lease_seconds=3600))
            _compare(settings, f"{under_way} jobs under way", under_way=under_way)
            with system_session("administration", settings=settings) as connection:
                connection.execute(_ALLOW)
            _compare(settings, f"{under_way} under way, wide limits", under_way=under_way)
            print(f"  {'':<50}wanted: a pass below {_WANTED_MS} ms")


def _fill(settings: Settings, number: int) -> None:
    with system_session("administration", settings=settings) as connection:
        tenant_id = tenants.create(connection, name=f"t{number}").id
    values = {"tenant_id": tenant_id, "repositories": _REPOSITORIES, "jobs": _JOBS}
    with tenant_session(tenant_id, settings=settings) as connection:
        connection.execute(_REGISTER, values)
        connection.execute(_QUEUE, values)


def _compare(settings: Settings, what: str, *, under_way: int) -> None:
    plain, passes = [], []
    for _ in range(_ROUNDS):
        plain.append(_plain(settings))
        seconds, chosen = _pass(settings, under_way + _CHOSEN)
        passes.append(seconds)
        _put_aside(settings, chosen)
    first, second = (1000 * statistics.median(each) for each in (plain, passes))
    worst = 1000 * max(passes)
    print(f"  {what:<34}{first:>8.1f}{second:>8.1f}{second / first:>7.2f}   (slowest {worst:.1f})")


def _plain(settings: Settings) -> float:
    started = time.perf_counter()
    with system_session("dispatch", settings=settings) as connection:
        found = connection.execute(_PLAIN, {"chosen": _CHOSEN}).fetchall()
    seconds = time.perf_counter() - started
    if len(found) != _CHOSEN:
        raise RuntimeError(f"the plain query found {len(found)}")
    return seconds


def _pass(settings: Settings, slots: int) -> tuple[float, list[JobId]]:
    started = time.perf_counter()
    with system_session("dispatch", settings=settings) as connection:
        chosen = jobs.pick(connection, slots=slots)
    seconds = time.perf_counter() - started
    if len(chosen) != _CHOSEN:
        raise RuntimeError(f"a pass chose {len(chosen)}")
    return seconds, [job.job_id for job in chosen]


def _put_aside(settings: Settings, chosen: list[JobId]) -> None:
    with system_session("dispatch", settings=settings) as connection:
        connection.execute(_PUT_ASIDE, {"chosen": chosen})


if __name__ == "__main__":
    main()
