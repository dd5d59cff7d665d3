"""What an operator does to tenants, plans and operators' keys at the command line."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from graph.storage import audit, operator_events, operator_keys
from graph.storage.session import system_session, tenant_session
from tests import seeding
from tests.service.cli.test_admin import Office
from tests.service.conftest import Member

if TYPE_CHECKING:
    from graph.settings import Settings


@pytest.fixture
def office(settings: "Settings", tmp_path: Path) -> Office:
    return Office(settings, tmp_path)


def told(office: Office, **wanted: Any) -> list[operator_events.OperatorEvent]:
    """What operators are told, newest first."""
    with system_session("administration", settings=office.settings) as connection:
        found = operator_events.Filter(**wanted)
        return operator_events.list_page(connection, found, limit=99)


def test_a_tenant_is_made_shown_changed_suspended_and_resumed(office: Office) -> None:
    out, err = office.run("tenant", "create", "acme", "--limit", "repositories=7")
    tenant = out.strip()
    assert f"codeloom admin key create {tenant}" in err
    shown = office.json("tenant", "show", tenant)
    assert (shown["name"], shown["limits"]) == ("acme", {"repositories": 7})
    used = {one["resource"]: one for one in shown["usage"]}
    assert (used["repositories"]["limit"], used["repositories"]["used"]) == (7, 0)

    office.json("plan", "create", "small", "--title", "Small", "--limit", "running_jobs=1")
    changed = office.json(
        *("tenant", "change", tenant, "--name", "acme two", "--plan", "small"),
        *("--limit", "files=5", "--no-limit", "repositories"),
    )
    assert (changed["name"], changed["plan"], changed["limits"]) == (
        "acme two",
        "small",
        {"files": 5},
    )
    assert changed["effective_limits"] == {"files": 5, "running_jobs": 1}
    out, _ = office.run("tenant", "suspend", "acme two", "--reason", "The invoice is open.")
    assert re.search(r"^state +suspended$", out, re.MULTILINE)
    assert re.search(r"^suspended_reason +The invoice is open\.$", out, re.MULTILINE)
    # Beside those that other tests of this database have left suspended.
    suspended = office.json("tenant", "list", "--state", "suspended")
    assert [one["id"] for one in suspended].count(tenant) == 1
    assert {one["state"] for one in suspended} == {"suspended"}
    assert office.json("tenant", "resume", tenant)["state"] == "active"

    actions = ["resume_tenant", "suspend_tenant", "change_tenant", "create_tenant"]
    events = told(office, tenant_id=UUID(tenant))
    assert [event.action for event in events] == actions
    assert {event.actor for event in events} == {operator_events.Actor("command_line")}
    assert events[1].details == {"reason": "The invoice is open."}
    with tenant_session(UUID(tenant), settings=office.settings) as connection:  # type: ignore[arg-type]
        own = audit.list_page(connection, audit.Filter(), limit=9)
    assert [event.action for event in own] == actions
    assert {event.actor for event in own} == {audit.Actor("operator", None)}


def test_a_plan_is_made_listed_and_changed(office: Office) -> None:
    made = office.json("plan", "create", "large", "--weight", "2.5", "--limit", "files=100")
    assert made == {"code": "large", "title": "", "weight": 2.5, "limits": {"files": 100}}
    changed = office.json(
        "plan", "change", "large", "--title", "Large", "--limit", "lines=9", "--no-limit", "files"
    )
    assert changed == {"code": "large", "title": "Large", "weight": 2.5, "limits": {"lines": 9}}
    assert changed in office.json("plan", "list")
    out, _ = office.run("plan", "list")
    assert re.search(r"^large +Large +2\.50 +lines=9 *$", out, re.MULTILINE)
    assert [event.action for event in told(office, target_id="large")] == [
        "change_plan",
        "create_plan",
    ]
    _, err = office.run("plan", "create", "large", code=1)
    assert "There is a plan with this code." in err
    assert told(office, target_id="large")[0].code == "plan_already_exists"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tenant", "create", "x", "--limit", "planets=3"], "no resource 'planets'"),
        (["tenant", "create", "x", "--limit", "files=-3"], "repositories=100"),
        (["tenant", "create", "x", "--limit", "files"], "repositories=100"),
        (["tenant", "create", "x", "--plan", "none"], "There is no such plan."),
        (["tenant", "create", ""], "1 to 200 characters"),
        (["tenant", "change", "nobody", "--name", "x"], "No tenant is called nobody."),
        (["tenant", "suspend", "nobody", "--reason", "x"], "No tenant is called nobody."),
        (["tenant", "erase", "nobody", "--yes"], "No tenant is called nobody."),
        (["plan", "create", "Large"], "begins with a letter"),
        (["plan", "change", "none", "--title", "x"], "There is no such plan."),
        (["plan", "change", "standard", "--no-limit", "files"], "no limit of files"),
        (["plan", "create", "heavy", "--weight", "0"], "from 0.001"),
        (["operator-key", "create", "--expires", "soon"], "not a time"),
        (["operator-key", "revoke", "nobody's"], "No key is called nobody's."),
    ],
)
def test_what_cannot_be_is_said(office: Office, arguments: list[str], says: str) -> None:
    _, err = office.run(*arguments, code=1)
    assert says in err


def test_a_tenant_is_erased_and_what_was_removed_is_counted(office: Office, acme: Member) -> None:
    settings = office.settings
    seeding.shop(settings, acme.tenant_id)
    tenant = str(acme.tenant_id)
    _, err = office.run("tenant", "erase", tenant, code=1)
    assert "say --yes" in err
    assert office.json("tenant", "show", tenant)["state"] == "active"
    elsewhere = {
        "REDIS_URL": str(settings.redis_url),
        "ARTIFACTS_URL": str(settings.artifacts_url),
    }
    out, err = office.run("tenant", "erase", tenant, "--yes", **elsewhere)
    assert re.search(r"^rows of api_keys +4$", out, re.MULTILINE)
    assert re.search(r"^rows of tenants +1$", out, re.MULTILINE)
    assert f"Tenant {tenant} (acme) is erased" in err
    _, err = office.run("tenant", "show", tenant, code=1)
    assert "There is no such tenant." in err
    assert [
        (event.action, event.actor.kind) for event in told(office, tenant_id=acme.tenant_id)
    ] == [
        ("finish_erasure", "system"),
        ("erase_tenant", "command_line"),
    ]


def test_a_key_of_an_operator_is_made_listed_and_revoked(office: Office) -> None:
    out, err = office.run("operator-key", "create", "--name", "ann", "--expires", "90d")
    assert re.fullmatch(r"cl_oper_[0-9A-Za-z]{42}\n", out)
    assert "/v1/admin" in err
    operator = operator_keys.authenticate(office.settings, out.strip())
    assert operator is not None
    assert operator.name == "ann"
    (listed,) = [
        one for one in office.json("operator-key", "list") if one["id"] == str(operator.key_id)
    ]
    assert listed["expires_at"] > listed["created_at"]
    assert out.strip()[:20] not in office.run("operator-key", "list")[0]
    assert office.run("operator-key", "revoke", "ann")[0] == f"{operator.key_id}\n"
    assert operator_keys.authenticate(office.settings, out.strip()) is None
    events = told(office, target_id=str(operator.key_id))
    assert [event.action for event in events] == ["revoke_operator_key", "create_operator_key"]
    assert out.strip()[:20] not in str(events)
