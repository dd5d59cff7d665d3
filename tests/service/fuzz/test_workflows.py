"""Requests that follow from the answers to others: made, read, changed, removed, and asked again.

Which follows from which the library finds in the document, by the names of parameters and fields.
What one tenant is answered is asked about further by that tenant; the other one is answered that
there is no such thing.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from hypothesis.errors import Flaky
from schemathesis import Case, Response

from tests.service.fuzz.described import read

if TYPE_CHECKING:
    from tests.service.fuzz.grounds import Grounds

STEPS = 12

OfTenants = read(operated=False).as_state_machine()
OfOperators = read(operated=True).as_state_machine()


class Row:
    """What was tried so far."""

    def __init__(self) -> None:
        self.begun = 0
        self.compared = 0
        self.odd: list[BaseException] = []

    def tried(self, workflow: Any, scenarios: int) -> None:
        """Try that many scenarios; fail with the first odd answer."""
        while self.begun < scenarios and not self.odd:
            # What can follow depends on the answers, which differ from one scenario to the next:
            # the library then gives up to repeat itself, and begins anew.
            with suppress(Flaky):
                workflow.run(
                    settings=examples(
                        max_examples=scenarios - self.begun,
                        stateful_step_count=STEPS,
                        phases=[Phase.generate],
                        deadline=None,
                        database=None,
                        suppress_health_check=list(HealthCheck),
                    )
                )
        if self.odd:
            raise self.odd[0]


def follow(grounds: "Grounds", scenarios: int) -> Row:
    """Scenarios of one tenant or the other."""
    from tests.service.fuzz.grounds import put_right

    row = Row()

    class Workflow(OfTenants):  # type: ignore[misc]
        def setup(self) -> None:
            self.side = next(grounds.turns)
            row.begun += 1

        def before_call(self, case: Case) -> None:
            put_right(case, {})
            grounds.spare(self.side, case)

        def get_call_kwargs(self, _case: Case) -> dict[str, Any]:
            return grounds.how(self.side.keys["admin"])

        def validate_response(self, response: Response, case: Case, **kwargs: Any) -> None:
            checks = [grounds.nothing_of_the_other(self.side)]
            try:
                super().validate_response(response, case, additional_checks=checks, **kwargs)
                if case.method == "GET" and response.status_code == 200:
                    row.compared += grounds.is_kept_from_the_other(self.side, case)
            except BaseException as error:
                row.odd.append(error)
                raise

    row.tried(Workflow, scenarios)
    return row


def administer(grounds: "Grounds", scenarios: int) -> Row:
    """Scenarios of operators, with a tenant and a plan on which nothing else depends."""
    from tests.service.fuzz.grounds import put_right

    row = Row()

    class Workflow(OfOperators):  # type: ignore[misc]
        def setup(self) -> None:
            self.operated = grounds.operated()
            row.begun += 1

        def before_call(self, case: Case) -> None:
            put_right(case, self.operated)

        def get_call_kwargs(self, _case: Case) -> dict[str, Any]:
            return grounds.how(grounds.world.operator)

        def validate_response(self, response: Response, case: Case, **kwargs: Any) -> None:
            try:
                super().validate_response(response, case, **kwargs)
            except BaseException as error:
                row.odd.append(error)
                raise

    row.tried(Workflow, scenarios)
    return row


def test_whatever_follows_from_an_answer_is_answered_as_described(grounds: "Grounds") -> None:
    assert follow(grounds, 60).compared > 0


def test_whatever_operators_do_in_a_row_is_answered_as_described(grounds: "Grounds") -> None:
    assert administer(grounds, 30).begun >= 30


@pytest.mark.fuzz
@pytest.mark.parametrize("follows", [follow, administer])
def test_long_rows_of_requests_are_answered_as_described(
    grounds: "Grounds", follows: Callable[["Grounds", int], Row]
) -> None:
    assert follows(grounds, 500).begun >= 500
