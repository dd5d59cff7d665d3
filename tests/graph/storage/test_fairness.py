"""Who comes next, in turns: a long queue beside a short one, and any queues against a model."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import text

from graph.model.ids import JobId, TenantId, new_id
from graph.storage import jobs, plans, repositories, tenants
from graph.storage.session import Connection, system_session, tenant_session

if TYPE_CHECKING:
    from graph.settings import Settings

FINISH = text("""
update jobs set state = 'succeeded', lease_until = null, finished_at = now()
where job_id = any(:ids)
""")
QUEUE = text("""
insert into jobs (tenant_id, job_id, kind, repository, ref, flight, run_at)
select :tenant_id, gen_random_uuid(), 'ingest', :number, 'b' || n, 'ref:b' || n,
  now() - make_interval(secs => :age)
from generate_series(1, :jobs) n
""")


@pytest.fixture
def settings(settings: "Settings", fresh_database_url: str) -> "Settings":
    """A dispatcher looks at every tenant, so no other test's may be there."""
    return settings.model_copy(update={"database_url": fresh_database_url})


def tenant_on(settings: "Settings", weight: float = 1, **limits: int) -> TenantId:
    """A tenant on a plan of its own."""
    with system_session("administration", settings=settings) as conn:
        code = f"p-{new_id().hex}"
        plans.create(conn, code=code, weight=weight, limits=limits)
        return tenants.create(conn, name="t", plan=code).id


def queue(settings: "Settings", tenant: TenantId, count: int, *, age: float = 0) -> None:
    with tenant_session(tenant, settings=settings) as conn:
        number = repositories.register(conn, url="https://example.org/r", name="r").number
        values = {"tenant_id": tenant, "number": number, "jobs": count, "age": age}
        conn.execute(QUEUE, values)


def turns(settings: "Settings", tenant: TenantId, *, slots: int, wanted: int) -> int:
    """After how many turns, in which all that was chosen is done, the tenant has so many done."""
    for turn in range(1, 100):
        with system_session("dispatch", settings=settings) as conn:
            chosen = jobs.pick(conn, slots=slots)
            conn.execute(FINISH, {"ids": [one.job_id for one in chosen]})
        wanted -= sum(one.tenant_id == tenant for one in chosen)
        if wanted <= 0:
            return turn
    raise AssertionError("it is still waiting")


@pytest.mark.parametrize("slots", [1, 2, 3, 8])
def test_beside_ten_thousand_jobs_five_take_at_most_twice_as_many_turns(
    settings: "Settings", slots: int
) -> None:
    many, few = tenant_on(settings, running_jobs=4), tenant_on(settings, running_jobs=4)
    queue(settings, few, 5)
    alone = turns(settings, few, slots=slots, wanted=5)
    assert alone == math.ceil(5 / min(slots, 4))
    queue(settings, many, 10_000, age=3600)
    with tenant_session(few, settings=settings) as conn:
        conn.execute(text("update jobs set state = 'queued', finished_at = null"))
    assert turns(settings, few, slots=slots, wanted=5) <= 2 * alone


def test_with_one_slot_turns_follow_the_weights(settings: "Settings") -> None:
    """How many of twenty turns each has, of two whose plans weigh 1 and 3."""
    light, heavy = tenant_on(settings, 1), tenant_on(settings, 3)
    for tenant in (light, heavy):
        queue(settings, tenant, 30)
    count: Counter[TenantId] = Counter()
    with system_session("dispatch", settings=settings) as conn:
        for second in range(20):
            (chosen,) = jobs.pick(conn, slots=1)
            count[chosen.tenant_id] += 1
            conn.execute(FINISH, {"ids": [chosen.job_id]})
            # A second goes by between two turns, as seen from the next one.
            conn.execute(
                text(
                    "update jobs set dispatched_at = dispatched_at - interval '1 s'"
                    " where dispatched_at is not null"
                )
            )
            assert count[light] >= second // 6, "it is not kept waiting"
    assert 12 <= count[heavy] <= 17


# --- any queues ------------------------------------------------------------------------------

WEIGHTS, LIMITS = (1, 2, 3), (2, None, 4)
POOL = 20


@dataclass(frozen=True)
class Spec:
    """A job in some state; the earlier in the list, the longer it waits."""

    tenant: int
    flight: int
    state: str  # ready, later or live
    priority: int
    large: bool


@dataclass(frozen=True)
class Yard:
    """Three tenants, each with rows of jobs to make any queue of."""

    settings: "Settings"
    tenants: list[TenantId]
    rows: list[list[JobId]]


SPECS = st.lists(
    st.builds(
        Spec,
        tenant=st.integers(0, 2),
        flight=st.integers(0, 9),
        state=st.sampled_from(["ready", "ready", "ready", "later", "live"]),
        priority=st.integers(0, 2),
        large=st.booleans(),
    ),
    max_size=POOL,
    # Requests of a flight that waits are one, and so are those of one that is under way.
    unique_by=lambda spec: (spec.tenant, spec.flight, spec.state == "live"),
)


@pytest.fixture
def yard(settings: "Settings") -> Yard:
    made, rows = [], []
    for weight, limit in zip(WEIGHTS, LIMITS, strict=True):
        limits = {"running_jobs": limit} if limit is not None else {}
        tenant = tenant_on(settings, weight, **limits)
        queue(settings, tenant, POOL)
        with tenant_session(tenant, settings=settings) as conn:
            rows.append(list(conn.execute(text("select job_id from jobs")).scalars()))
            conn.execute(text("update jobs set state = 'cancelled', finished_at = now()"))
        made.append(tenant)
    return Yard(settings, made, rows)


@contextmanager
def laid_out(yard: Yard, specs: list[Spec]) -> Iterator[tuple[Connection, dict[JobId, Spec]]]:
    """These jobs and no others, for the time of the block."""
    named = {yard.rows[spec.tenant][place]: spec for place, spec in enumerate(specs)}
    put = text("""
    update jobs set state = :state, finished_at = null, flight = :flight, priority = :priority,
      large = :large, run_at = now() + make_interval(secs => :seconds),
      lease_until = case when :state = 'dispatched' then now() + interval '1 h' end
    where job_id = :job_id
    """)
    with system_session("dispatch", settings=yard.settings) as conn:
        kept = conn.begin_nested()
        for place, (job_id, spec) in enumerate(named.items()):
            values = {
                "job_id": job_id,
                "state": "dispatched" if spec.state == "live" else "queued",
                "flight": f"ref:{spec.flight}",
                "priority": spec.priority,
                "large": spec.large,
                "seconds": 3600 if spec.state == "later" else place - 1000,
            }
            conn.execute(put, values)
        yield conn, named
        kept.rollback()


def next_in(specs: list[Spec], taken: list[Spec], *, large_room: bool) -> list[Spec]:
    """What could be dispatched now, the next of each tenant first; places are waiting times."""
    live = [spec for spec in specs if spec.state == "live"] + taken
    busy = {(spec.tenant, spec.flight) for spec in live}
    count = Counter(spec.tenant for spec in live)

    def room(tenant: int) -> bool:
        limit = LIMITS[tenant]
        return limit is None or count[tenant] < limit

    found = [
        spec
        for spec in specs
        if spec.state == "ready"
        and spec not in taken
        and (spec.tenant, spec.flight) not in busy
        and room(spec.tenant)
        and (large_room or not spec.large)
    ]
    return sorted(found, key=lambda spec: (spec.priority, specs.index(spec)))


def model(specs: list[Spec], slots: int) -> list[Spec]:
    """One job after the other, each of whoever has fewest under way for its weight."""
    taken: list[Spec] = []
    count = Counter(spec.tenant for spec in specs if spec.state == "live")
    while sum(count.values()) < slots:
        firsts: dict[int, Spec] = {}
        for spec in next_in(specs, taken, large_room=True):
            firsts.setdefault(spec.tenant, spec)
        if not firsts:
            break
        # Nobody had a turn yet: then the weight decides, and then who waits longest.
        chosen = min(
            firsts.values(),
            key=lambda spec: (
                count[spec.tenant] / WEIGHTS[spec.tenant],
                -WEIGHTS[spec.tenant],
                specs.index(spec),
            ),
        )
        taken.append(chosen)
        count[chosen.tenant] += 1
    return taken


@examples(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(specs=SPECS, slots=st.integers(0, 12))
def test_a_pass_chooses_what_the_model_chooses(yard: Yard, specs: list[Spec], slots: int) -> None:
    with laid_out(yard, specs) as (conn, named):
        chosen = [named[one.job_id] for one in jobs.pick(conn, slots=slots)]
    key = specs.index
    assert sorted(chosen, key=key) == sorted(model(specs, slots), key=key)


@examples(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(specs=SPECS, slots=st.integers(0, 12), large_slots=st.integers(0, 2))
def test_large_jobs_keep_to_their_slots_and_hold_up_no_others(
    yard: Yard, specs: list[Spec], slots: int, large_slots: int
) -> None:
    taken: list[Spec] = []
    live = [spec for spec in specs if spec.state == "live"]
    with laid_out(yard, specs) as (conn, named):
        for _ in range(len(specs) + 1):
            before = next_in(specs, taken, large_room=True)
            chosen = [
                named[one.job_id] for one in jobs.pick(conn, slots=slots, large_slots=large_slots)
            ]
            for spec in chosen:
                assert spec in before, "it was not to be had"
                # Inside a tenant, of its small and of its large ones, the next comes first.
                kin = [
                    each
                    for each in before
                    if (each.tenant, each.large) == (spec.tenant, spec.large)
                ]
                number = sum(each in chosen for each in kin)
                assert spec in kin[:number]
            taken += chosen
            if not chosen:
                break
            assert len(live) + len(taken) <= slots
            if any(spec.large for spec in chosen):
                assert sum(spec.large for spec in live + taken) <= large_slots
            # What is not large never waits for what is.
            if len(live) + len(taken) < slots:
                assert not next_in(specs, taken, large_room=False)
    if len(live) + len(taken) < slots:
        full = sum(spec.large for spec in live + taken) >= large_slots
        assert not next_in(specs, taken, large_room=not full)
