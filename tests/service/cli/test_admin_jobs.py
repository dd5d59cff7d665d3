"""What an operator does to dead jobs at the command line."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from graph.model.ids import JobId, new_id
from graph.model.jobs import JobState
from graph.storage import audit, jobs
from graph.storage.session import tenant_session
from tests.service.cli.test_admin import Office
from tests.service.cli.test_admin_tenants import told
from tests.service.conftest import Member
from tests.service.test_job_history import Engine

if TYPE_CHECKING:
    from graph.settings import Settings


@pytest.fixture
def office(settings: "Settings", tmp_path: Path) -> Office:
    return Office(settings, tmp_path)


def test_a_dead_job_is_listed_shown_and_let_go(office: Office, acme: Member, rival: Member) -> None:
    tenant, other = str(acme.tenant_id), str(rival.tenant_id)
    engines = [Engine(office.settings, each) for each in (acme, rival)]
    for engine in engines:
        engine.die()
    mine, theirs = (str(engine.job_id) for engine in engines)
    assert [one["id"] for one in office.json("job", "list", "--tenant", tenant)] == [mine]
    assert {mine, theirs} <= {one["id"] for one in office.json("job", "list", "--kind", "ingest")}
    out, _ = office.run("job", "list", "--tenant", other)
    assert theirs in out
    assert "worker_lost" in out
    shown = office.json("job", "show", mine)
    assert [one["outcome"] for one in shown["attempts"]] == ["queued", "queued", "dead"]
    out, _ = office.run("job", "show", mine)
    assert out.count("host-of-ours:17") == 3

    assert office.run("job", "replay", mine)[0] == f"{mine} queued\n"
    assert office.json("job", "discard", theirs)["state"] == "failed"
    for member, job, state, action in (
        (acme, mine, JobState.QUEUED, "replay_dead_job"),
        (rival, theirs, JobState.FAILED, "discard_dead_job"),
    ):
        with tenant_session(member.tenant_id, settings=office.settings) as connection:
            assert jobs.get(connection, job_id=JobId(UUID(job))).state is state
            (own,) = audit.list_page(connection, audit.Filter(), limit=9)
        assert (own.action, own.actor) == (action, audit.Actor("operator", None))
        (event,) = told(office, tenant_id=member.tenant_id)
        assert (event.action, event.target) == (action, audit.Target("job", job))
    _, err = office.run("job", "list", "--tenant", tenant)
    assert err == "No job is dead.\n"


@pytest.mark.parametrize("act", ["show", "replay", "discard"])
def test_a_job_that_is_not_dead_is_left_alone(office: Office, act: str) -> None:
    _, err = office.run("job", act, str(new_id()), code=1)
    assert "no such job" in err
    _, err = office.run("job", act, "main", code=1)
    assert "is not the id of a job" in err
