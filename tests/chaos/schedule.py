"""A seeded schedule: requests and faults in an order that the seed alone decides."""

import contextlib
import os
import random
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import httpx

from graph.model import names
from graph.model.ids import JobId
from graph.model.jobs import JobState
from graph.storage import locks
from tests.chaos import beats
from tests.chaos.faults import FAULTS, LARGE, PLACES, pool_children
from tests.chaos.interfering import POISON
from tests.chaos.invariants import violations
from tests.chaos.yard import VERSIONS, WORKERS, Place, Yard
from tests.workers.digest import Rows

QUIET_SECONDS = 100.0
ANSWER_SECONDS = 90.0
TENANTS = 2
# The one whose repository is fetched over the network.
REMOTE = 1
REACHED_SECONDS = 4.0
POISONED = 0.15
INGESTIONS = "/v1/repositories/{}/ingestions"
Answered = Future[dict[str, str] | None]
# Answers that say no for good: a job that has ended meanwhile is not cancelled, and the like.
REFUSALS = {404, 409}


class Schedule:
    """One run: `play`, then `settle`, then `broken` tells what should not be."""

    def __init__(self, yard: Yard, seed: int) -> None:
        self.yard = yard
        self.random = random.Random(seed)
        self.told: list[str] = []
        self.places = [yard.place(remote=number == REMOTE) for number in range(TENANTS)]
        self.versions = dict.fromkeys(range(TENANTS), 1)
        self.asked: list[tuple[Place, Answered]] = []
        self.accepted: list[tuple[Place, UUID]] = []
        self.remains: list[str] = []
        self.clients = ThreadPoolExecutor(4)

    def play(self) -> None:
        for _ in range(self.random.randint(3, 5)):
            for _ in range(self.random.randint(1, 2)):
                self.act()
            time.sleep(self.random.uniform(0, 0.8))
            name = self.random.choice(sorted([*FAULTS, *PLACES]))
            if name in PLACES:
                self.told.append(f"[{name}] {self.lie_in_wait(name)}")
            else:
                what = FAULTS[name](self.yard, self.random, self.places)
                self.told.append(f"[{name}] {what}".strip())
            time.sleep(self.random.uniform(0, 0.5))
            self.yard.whole()
        if self.random.random() < POISONED:
            self.poison()

    def lie_in_wait(self, name: str) -> str:
        """A fault at a place, and a request that leads a worker there."""
        where = self.random.choice(PLACES[name])
        (self.yard.faults / where).touch()
        number = REMOTE if "fetching" in where else self.random.randrange(TENANTS)
        if name == LARGE:
            self.commit(number)
        self.ingest(number, force=name == LARGE or self.random.random() < 0.6)
        deadline = time.monotonic() + REACHED_SECONDS
        while (self.yard.faults / where).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        return where

    def act(self) -> None:
        """What people do; each asks beside the others and asks again until there is an answer."""
        number = self.random.randrange(TENANTS)
        place = self.places[number]
        drawn = self.random.random()
        earlier = [future for of, future in self.asked if of is place]
        if drawn < 0.35 and earlier:
            verb = "cancel" if drawn < 0.25 else "retry"
            self.told.append(f"t{number} {verb}")
            self.ask(place, verb, None, about=self.random.choice(earlier))
        elif drawn < 0.42:
            self.told.append(f"t{number} purge")
            wanted = {"repository_id": str(place.repository.id)}
            self.ask(place, "/v1/jobs", {"kind": "purge", "parameters": wanted})
        else:
            if drawn < 0.65:
                self.commit(number)
            self.ingest(number, force=self.random.random() < 0.4)

    def commit(self, number: int) -> None:
        """The next version, if there is one."""
        if self.versions[number] < len(VERSIONS):
            self.places[number].repo.commit(VERSIONS[self.versions[number]])
            self.versions[number] += 1
            self.told.append(f"t{number} commit")

    def ingest(self, number: int, *, force: bool) -> None:
        ref = self.random.choice((None, None, "main", "refs/heads/main"))
        body = {"force": force, **({"ref": ref} if ref else {})}
        self.told.append(f"t{number} ingest {ref or ''}{' anew' if force else ''}".strip())
        self.ask(self.places[number], INGESTIONS, body)

    def poison(self) -> None:
        """A repository that takes every worker with it that parses it."""
        self.told.append("a poison repository")
        self.places.append(self.yard.place(POISON))
        self.ask(self.places[-1], INGESTIONS, {})

    def ask(
        self,
        place: Place,
        path: str,
        body: dict[str, object] | None,
        *,
        about: Answered | None = None,
    ) -> None:
        """Ask the API; about a job, as soon as that one's own request was answered."""
        key = str(UUID(int=self.random.getrandbits(128), version=4))
        self.asked.append((place, self.clients.submit(self._ask, place, path, key, body, about)))

    def _ask(
        self,
        place: Place,
        path: str,
        key: str,
        body: dict[str, object] | None,
        about: Answered | None,
    ) -> dict[str, str] | None:
        """The job that the API answered with; None if it said no."""
        if about is not None:
            job = about.result()
            if job is None:
                return None
            path = f"/v1/jobs/{job['id']}/{path}"
        path = path.format(place.repository.id)
        headers = {"authorization": f"Bearer {place.secret}", "idempotency-key": key}
        url = f"http://127.0.0.1:{self.yard.settings.codeloom_port}{path}"
        deadline = time.monotonic() + ANSWER_SECONDS
        said = "nothing"
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.post(url, headers=headers, json=body, timeout=30)
                if answer.is_success:
                    accepted: dict[str, str] = answer.json()
                    return accepted
                said = answer.text
                if answer.status_code in REFUSALS:
                    return None
                assert answer.status_code >= 500 or answer.status_code == 429, said
            time.sleep(0.2)
        raise AssertionError(f"no answer of {path} in time: {said}")

    def settle(self, seconds: float = QUIET_SECONDS) -> None:
        """Mend all and leave it alone until no job is unfinished, for so long at most."""
        for fault in self.yard.faults.iterdir():
            self.told.append(f"not reached: {fault.name}")
            fault.unlink(missing_ok=True)
        self.yard.whole()
        self.clients.shutdown(wait=True)
        answered = [(place, future.result()) for place, future in self.asked]
        self.accepted = [(place, UUID(job["id"])) for place, job in answered if job is not None]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.quiet():
            # Whoever waits for another try, or for room, has waited long enough.
            self.yard.ask(
                "update jobs set run_at = now() where state = 'queued' and run_at > now()"
            )
            time.sleep(0.5)
        self.sweep(max(20.0, deadline - time.monotonic()))

    def quiet(self) -> bool:
        ((unfinished,),) = self.yard.ask(
            "select count(*) from jobs where state in ('queued', 'dispatched', 'running')"
        )
        return unfinished == 0

    def sweep(self, seconds: float) -> None:
        """A day passes, as for what killed workers left, and what runs by the clock is due."""
        deadline = time.monotonic() + seconds
        while (remains := self.left()) and time.monotonic() < deadline:
            for part in self.uploads():
                with contextlib.suppress(FileNotFoundError):
                    os.utime(part, (0, 0))
            self.yard.ask(
                "update periodic_work set due_at = now(), next_run_at = now()"
                " where name in ('sweep_scratch', 'settle_artifacts')"
                " and next_run_at > now() + interval '3 s'"
            )
            time.sleep(0.5)
        self.remains = remains

    def uploads(self) -> list[Path]:
        return list((self.yard.folder / "artifacts" / "uploads").glob("*"))

    def left(self) -> list[str]:
        """What is there that should not be, once nothing is under way."""
        found = [f"scratch: {path.name}" for path in self.yard.settings.scratch.glob("*")]
        found += [f"upload: {path.name}" for path in self.uploads()]
        found += [
            f"pending: {kind}" for (kind,) in self.yard.ask("select kind from pending_artifacts")
        ]
        ((held,),) = self.yard.ask(
            "select count(*) from pg_locks where locktype = 'advisory' and granted"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        if held > self.yard.lock_holders():
            found.append(f"advisory locks: {held}")
        busy = set(self.yard.below(*WORKERS)) - pool_children(self.yard)
        found += [f"below a worker: {pid}" for pid in busy]
        found += [f"adopted: {pid}" for pid in self.yard.adopted()]
        return found

    def broken(self) -> list[str]:
        found = [f"left behind {what}" for what in self.remains]
        found += [*self.lost(), *self.broken_rows()]
        for number, place in enumerate(self.places):
            found += self.wrong(number, place)
        found += self.in_the_database()
        if self.yard.bystander.graph() != self.yard.clean[-1]:
            found.append("the graph of a bystander changed")
        found += violations(self.yard.settings, self.yard.bystander.tenant_id)
        return found

    def broken_rows(self) -> list[str]:
        return [
            f"t{number}: {each}"
            for number, place in enumerate(self.places)
            for each in violations(place.settings, place.tenant_id)
        ]

    def lost(self) -> list[str]:
        """Each request that was accepted is one job, and nobody made others."""
        found = [
            f"an accepted job is lost: {job_id}"
            for place, job_id in self.accepted
            if not self.yard.ask(
                "select 1 from jobs where tenant_id = %s and job_id = %s", place.tenant_id, job_id
            )
        ]
        for place in self.places:
            accepted = {job_id for of, job_id in self.accepted if of is place}
            rows = self.yard.ask(
                "select job_id from jobs where tenant_id = %s and parent_job_id is null",
                place.tenant_id,
            )
            found += [f"nobody asked for {row[0]}" for row in rows if row[0] not in accepted]
        return found

    def wrong(self, number: int, place: Place) -> list[str]:
        """The graph is that of one of its commits, and after one more request of the latest."""
        if place.repository.name == POISON:
            (row,) = self.yard.ask(
                "select state, resets from jobs where tenant_id = %s and parent_job_id is null",
                place.tenant_id,
            )
            return [] if row == ("dead", 3) else [f"a poison repository ended as {row}"]
        nothing: dict[str, Rows] = {"documents": [], "nodes": [], "edges": []}
        if place.graph() not in [nothing, *self.yard.clean]:
            return [f"t{number}: the graph is that of no commit"]
        job = place.ended()
        if job.state is not JobState.SUCCEEDED:
            return [f"t{number}: when all was well a job ended as {job.state} {job.error_code}"]
        if place.graph() != self.yard.clean[self.versions.get(number, 1) - 1]:
            return [f"t{number}: the graph is not that of its last commit"]
        return []

    def in_the_database(self) -> list[str]:
        told = Counter(beats.fired(self.yard))
        found = [f"a run was fired twice: {run}" for run, times in told.items() if times > 1]
        if self.yard.ask("select 1 from pg_class where relpersistence = 't'"):
            found.append("a temporary table is left")
        jobs = [names.job_lock(place.tenant_id, JobId(job_id)) for place, job_id in self.accepted]
        if locks.held_among(self.yard.settings, jobs, role="dispatcher"):
            found.append("the lock of a job is held")
        return found
