"""Every operation against requests made from its own description, good ones and bad ones.

The server runs as it does in production, and two tenants with twin data ask it in turn: whatever
is asked, the answer is one that the document describes, and nothing in it is the other tenant's.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as examples
from schemathesis import Case

from tests.service.fuzz.described import api

if TYPE_CHECKING:
    from tests.service.fuzz.grounds import Grounds


@pytest.fixture
def ground(grounds: "Grounds", request: pytest.FixtureRequest) -> "Grounds":
    """The grounds, with something new to change for operations that change something."""
    return grounds if "[GET " in request.node.name else grounds.renewed()


@pytest.fixture
def operated(ground: "Grounds") -> Mapping[str, str]:
    return ground.operated()


@api.parametrize()
@examples(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_is_answered_otherwise_than_described(
    case: Case, ground: "Grounds", operated: Mapping[str, str]
) -> None:
    ground.ask(case, operated)


@pytest.mark.fuzz
@api.parametrize()
@examples(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_at_all_is_answered_otherwise_than_described(
    case: Case, ground: "Grounds", operated: Mapping[str, str]
) -> None:
    ground.ask(case, operated)
