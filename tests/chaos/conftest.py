"""One stack for the schedules of a test process; one that broke is not used again."""

from collections.abc import Iterator

import pytest

from tests.chaos.yard import Yard


@pytest.fixture(scope="module")
def yards() -> Iterator[list[Yard]]:
    """The one in use, if there is one."""
    used: list[Yard] = []
    yield used
    for yard in used:
        yard.__exit__(None, None, None)


@pytest.fixture
def yard(yards: list[Yard], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    if not yards:
        made = Yard(tmp_path_factory.mktemp("chaos")).__enter__()
        yards.append(made)
        made.whole()
        made.learn()
    yards[0].sound = False
    yield yards[0]
    if not yards[0].sound:
        yards.pop().__exit__(None, None, None)
