"""After any history, what is kept is what the rows say."""

import random

import pytest

from graph.errors import JobNotRetryable, QuotaExceeded, RepositoryNotFound
from graph.model.jobs import JobState
from graph.storage import artifact_rows, documents, jobs, load, repositories, reservations
from graph.storage.artifacts import Artifact
from graph.storage.session import system_session
from tests.graph.storage.months import ENDS, Month
from tests.graph.storage.samples import document
from tests.seeding import allow

_LIMITED = ("files", "lines", "nodes", "stored_bytes", "repositories", "clone_bytes", "job_minutes")


class History:
    """Whatever a tenant, its workers and the system may do, chosen at random."""

    def __init__(self, month, seed):
        self.month = month
        self.choose = random.Random(seed)
        self.held = []
        self.stored = []

    def places(self):
        with self.month.session() as conn:
            return repositories.list_page(conn, limit=100)

    def register(self):
        self.month.repository()

    def remove(self):
        if len(self.places()) > 1:
            with self.month.session() as conn:
                repositories.delete(conn, repository_id=self.choose.choice(self.places()).id)

    def store(self):
        place = self.choose.choice(self.places()).number
        tenant, settings = self.month.tenant, self.month.settings
        with load.open_load(tenant, repository=place, settings=settings) as loader:
            for number in range(self.choose.randrange(1, 5)):
                loader.add(document(f"{self.choose.randrange(30)}.py", nodes=number))
            self.stored += [(place, each) for each in loader.finish().documents]

    def purge(self):
        if self.stored:
            place, number = self.stored.pop()
            self.month.act(documents.remove, {"repository": place}, documents=[number])

    def keep(self):
        sha256, size = bytes([self.choose.randrange(20)]) * 32, self.choose.randrange(500)
        self.month.act(artifact_rows.record, {}, artifact=Artifact("facts", sha256, size))

    def forget(self):
        sha256 = bytes([self.choose.randrange(20)]) * 32
        self.month.act(artifact_rows.forget, {}, kind="facts", sha256=sha256)

    def begin(self):
        with self.month.session() as conn:
            jobs.request(conn, repository=self.choose.choice(self.places()))
        with system_session("dispatch", settings=self.month.settings) as conn:
            chosen = jobs.pick(conn, slots=10_000, lease_seconds=600)
        for each in chosen:
            mine = {"job_id": each.job_id, "epoch": each.epoch}
            if self.month.claim(mine) is not None:
                self.held.append(mine)

    def spend(self):
        for mine in self.held:
            spent, over = self.choose.randrange(200), self.choose.random() < 0.5
            self.month.act(reservations.spend, mine, clone_bytes=spent, over=over)

    def end(self):
        for mine in self.held:
            job = self.month.job(mine)
            ours = (job.state, job.epoch) == (JobState.RUNNING, mine["epoch"])
            if ours and self.choose.random() < 0.5:
                self.month.started(mine, f"{self.choose.randrange(200)} seconds")
                self.choose.choice(ENDS)(self.month, mine)

    def again(self):
        for mine in self.held:
            try:
                with self.month.session() as conn:
                    jobs.retry(conn, job_id=mine["job_id"])
            except JobNotRetryable:
                continue

    def limit(self):
        limits = {name: self.choose.randrange(60) for name in self.choose.sample(_LIMITED, 3)}
        allow(self.month.settings, self.month.tenant, **limits)

    def free(self):
        allow(self.month.settings, self.month.tenant)


DEEDS = [
    *[History.register, History.remove, History.store, History.store, History.purge],
    *[History.keep, History.forget, History.begin, History.begin, History.spend, History.end],
    *[History.end, History.again, History.limit, History.free],
]


@pytest.mark.parametrize("seed", range(5))
def test_after_any_history_the_counts_are_what_the_rows_say(settings, session, tenant, seed):
    month = Month(settings, session, tenant)
    history = History(month, seed)
    history.register()
    refused = 0
    for _ in range(70):
        try:
            history.choose.choice(DEEDS)(history)
        except (QuotaExceeded, RepositoryNotFound):
            refused += 1
        month.stands()
    assert refused
    assert len(history.held) > 1
