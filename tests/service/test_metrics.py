"""What Prometheus is told: figures of all tenants, to operators alone, and no tenant's name."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from starlette.testclient import TestClient

from graph.model.jobs import JOB_KINDS
from graph.storage import operator_events, sampling
from graph.storage.jobs import standing
from graph.storage.session import system_session
from tests.service.conftest import Member, bearer
from tests.service.test_job_history import Engine
from tests.service.test_problems import problem

if TYPE_CHECKING:
    from graph.settings import Settings


@pytest.fixture
def settings(settings: "Settings", fresh_database_url: str) -> "Settings":
    """The figures are of all tenants, so no other test's may be there."""
    return settings.model_copy(update={"database_url": fresh_database_url})


def scraped(client: TestClient, operator: str) -> dict[tuple[str, ...], float]:
    """Each figure by the name of its metric and the values of its labels."""
    answer = client.get("/metrics", headers=bearer(operator))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items(), reverse=True))): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_jobs_are_counted_by_state_and_kind_with_the_age_of_the_oldest(
    client: TestClient, operator: str, settings: "Settings", acme: Member, rival: Member
) -> None:
    before = scraped(client, operator)
    states = {key[1] for key in before if key[0] == "codeloom_jobs"}
    assert states == {"queued", "waiting", "dispatched", "running", "dead"}
    # Figures that are not there could not be seen to rise.
    assert len(before) == 2 * len(states) * len(JOB_KINDS) + 2
    assert not any(before.values())

    Engine(settings, acme).die()
    waiting = Engine(settings, rival)
    with system_session("dispatch", settings=settings) as connection:
        for column, state in (("finished_at", "dead"), ("run_at", "queued")):
            connection.execute(
                text(f"update jobs set {column} = now() - interval '1 h' where state = :state"),
                {"state": state},
            )
    after = scraped(client, operator)
    for state in ("dead", "queued"):
        assert after["codeloom_jobs", state, "ingest"] == 1
        assert 3600 <= after["codeloom_jobs_oldest_seconds", state, "ingest"] < 7200
    assert after["codeloom_jobs", "running", "ingest"] == 0

    # A job that is to wait until later is counted, and is not late.
    with system_session("dispatch", settings=settings) as connection:
        connection.execute(
            text("update jobs set run_at = now() + interval '1 h' where job_id = :job_id"),
            {"job_id": waiting.job_id},
        )
    later = scraped(client, operator)
    assert later["codeloom_jobs", "queued", "ingest"] == 1
    assert later["codeloom_jobs_oldest_seconds", "queued", "ingest"] == 0
    assert later["codeloom_dispatcher_leads",] == 0


def test_what_checks_found_wrong_is_counted(
    client: TestClient, operator: str, settings: "Settings"
) -> None:
    assert scraped(client, operator)["codeloom_snapshots_differ_total",] == 0
    event = operator_events.NewEvent(
        actor=operator_events.Actor("system"),
        action=sampling.ACTION,
        outcome="failed",
        code=sampling.DIFFERS,
    )
    with system_session("maintenance", settings=settings) as connection:
        operator_events.record(connection, event)
        operator_events.record(connection, replace(event, action="other"))
    assert scraped(client, operator)["codeloom_snapshots_differ_total",] == 1


def test_no_tenant_is_named(
    client: TestClient, operator: str, settings: "Settings", acme: Member
) -> None:
    engine = Engine(settings, acme)
    engine.die()
    told = client.get("/metrics", headers=bearer(operator)).text
    for name in (acme.tenant_id, engine.job_id, "acme", "example.org", "host-of-ours"):
        assert str(name) not in told


def test_tenants_and_strangers_are_refused(client: TestClient, acme: Member) -> None:
    stranger = client.get("/metrics")
    assert (stranger.status_code, problem(stranger)["code"]) == (401, "api_key_missing")
    for key in (acme.read, acme.admin):
        tenant = client.get("/metrics", headers=bearer(key))
        assert (tenant.status_code, problem(tenant)["code"]) == (403, "operator_key_required")


def test_jobs_that_have_ended_are_not_read(settings: "Settings", acme: Member) -> None:
    Engine(settings, acme)
    with system_session("administration", settings=settings) as connection:
        connection.execute(text("set local enable_seqscan = off"))
        plan = "\n".join(connection.execute(text(f"explain {standing._STANDING}")).scalars())
    # Where there is a choice, each part finds its rows by an index that has no others.
    assert "Seq Scan" not in plan
    for index in ("jobs_waiting_flight", "jobs_live_flight", "jobs_dead"):
        assert index in plan
