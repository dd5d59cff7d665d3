"""A tenant's jobs, from the request to every way in which one can end."""

from sqlalchemy import text

from graph.model.jobs import JobState
from graph.storage import jobs, repositories, usage
from graph.storage.engine import dedicated
from graph.storage.reservations import Allowance
from graph.storage.session import system_session

WANTED = Allowance(clone_bytes=100, job_seconds=120)


_NOTHING_WAITS = text("""
update jobs set state = 'cancelled', finished_at = now(), lease_until = null
where state in ('queued', 'dispatched', 'running', 'waiting')
""")


class Month:
    """A tenant with jobs, and how it stands with its month."""

    def __init__(self, settings, session, tenant):
        self.settings = settings
        self.session = session
        self.tenant = tenant
        self.urls = 0
        # Jobs that other tests left waiting would be chosen together with ours.
        with system_session("dispatch", settings=settings) as conn:
            conn.execute(_NOTHING_WAITS)

    def repository(self, url=None):
        self.urls += 1
        with self.session() as conn:
            address = url or f"https://example.test/{self.urls}.git"
            return repositories.register(conn, url=address, name="r")

    def dispatched(self, repository=None):
        """A job that has been chosen, and the number of its dispatch."""
        with self.session() as conn:
            job = jobs.request(conn, repository=repository or self.repository())
        return self.picked(job.id)

    def picked(self, job_id):
        with system_session("dispatch", settings=self.settings) as conn:
            for each in jobs.pick(conn, slots=10_000, lease_seconds=600):
                if each.job_id == job_id:
                    return {"job_id": job_id, "epoch": each.epoch}
        raise AssertionError("not chosen")

    def claim(self, held, wanted=WANTED):
        with self.session(role="worker") as conn:
            return jobs.claim(conn, **held, owner="w", lease_seconds=600, wanted=wanted)

    def running(self, wanted=WANTED):
        held = self.dispatched()
        assert self.claim(held, wanted) is not None
        return held

    def act(self, action, held, **values):
        with self.session(role="worker") as conn:
            return action(conn, **held, **values)

    def job(self, held):
        with self.session() as conn:
            return jobs.get(conn, job_id=held["job_id"])

    def stands(self):
        """`resource: (used, reserved)`, and proof that the rows say the same."""
        with self.session() as conn:
            assert usage.recompute(conn) == []
            found = usage.of_tenant(conn).standings
        months = [each for each in found if each.resets_at]
        return {each.resource.name: (each.used, each.reserved) for each in months}

    def owner(self, statement, held):
        """What only the owner of the schema could do."""
        with dedicated(self.settings, "owner") as connection:
            connection.execute("select set_config('app.tenant_id', %s, false)", [str(self.tenant)])
            connection.execute(statement, [held["job_id"]])

    def started(self, held, ago):
        """As if the attempt had begun so long ago."""
        self.owner(f"update jobs set started_at = now() - interval '{ago}' where job_id = %s", held)


def finish(month, held):
    month.act(jobs.finish, held, report={})


def fail(month, held):
    month.act(jobs.fail, held, code="x", message="x")


def retry_later(month, held):
    assert month.act(jobs.retry_later, held, code="x", message="x") is JobState.QUEUED


def worker_stops(month, held):
    month.act(jobs.retry_later, held, code="x", message="x", count_attempt=False)


def cancel(month, held):
    with month.session() as conn:
        jobs.cancel(conn, job_id=held["job_id"])


def lose_worker(month, held):
    month.owner("update jobs set lease_until = now() - interval '1 s' where job_id = %s", held)
    with system_session("dispatch", settings=month.settings) as conn:
        (reaped,) = jobs.reap(conn)
    assert (reaped.job_id, reaped.state) == (held["job_id"], JobState.QUEUED)


def lose_third_worker(month, held):
    month.owner(
        "update jobs set resets = 2, lease_until = now() - interval '1 s' where job_id = %s", held
    )
    with system_session("dispatch", settings=month.settings) as conn:
        assert [reaped.state for reaped in jobs.reap(conn)] == [JobState.DEAD]


def remove_repository(month, held):
    with month.session() as conn:
        repositories.delete(conn, repository_id=month.job(held).repository_id)


ENDS = [
    finish,
    fail,
    retry_later,
    worker_stops,
    cancel,
    lose_worker,
    lose_third_worker,
    remove_repository,
]
