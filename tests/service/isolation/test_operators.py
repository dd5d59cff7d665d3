"""What an operator does to one tenant, by a role that no fence holds, is done to that one alone."""

from tests.service.isolation.building import guest
from tests.service.isolation.operations import Operation, operations
from tests.service.isolation.world import World


def of_one_tenant(world: World) -> list[Operation]:
    found = operations(world.wire.app.openapi())
    named = [each for each in found if each.is_of_operators and each.ids == ["tenant_id"]]
    # What suspends comes before what resumes, and what erases last.
    order = ["get", "patch", "suspend", "resume", "erase"]

    def place(each: Operation) -> int:
        last = each.path.rpartition("/")[2]
        return order.index(last if last in order else each.method)

    return sorted(named, key=place)


def test_what_is_done_to_one_tenant_changes_nothing_of_another(world: World) -> None:
    asked = of_one_tenant(world)
    assert len(asked) >= 5
    someone = guest(world)
    before = [world.digest(side) for side in (world.one, world.other)]
    for each in asked:
        body = each.sample_body({})
        if each.path.endswith("/erase"):
            body = {"name": "guest"}
        path = each.at({"tenant_id": str(someone.tenant_id)})
        reply = world.wire.ask(each.method, path, key=world.operator, json=body)
        assert reply.status < 300, f"{each}: {reply.text}"
        for side in (world.one, world.other):
            assert side.mark not in reply.text
            assert str(side.tenant_id) not in reply.text
    assert [world.digest(side) for side in (world.one, world.other)] == before
    assert world.wire.ask("GET", "/v1/tenant", key=someone.keys["admin"]).status in {401, 403}


def test_no_answer_to_an_operator_holds_what_a_tenant_keeps_in_its_repositories(
    world: World,
) -> None:
    """Operators see that there are tenants and what these use, not what is in their code."""
    ids = {"tenant_id": str(world.one.tenant_id), "plan": "standard"}
    read = 0
    for each in operations(world.wire.app.openapi()):
        if not each.is_of_operators or each.method != "get" or not set(each.ids) <= set(ids):
            continue
        reply = world.wire.ask("GET", each.at(ids), key=world.operator)
        assert reply.status == 200, f"{each}: {reply.text}"
        read += 1
        # The name of a tenant is its mark as well; whatever else bears it is longer.
        for told in (f"{world.one.mark}.py", f"/{world.one.mark}", f"{world.one.mark}.example.org"):
            assert told not in reply.text
        assert not (world.ids_of[world.one.mark] - {ids["tenant_id"]}) & set(reply.text.split('"'))
    assert read >= 5
