"""The table of what can be limited, and what a limit may be."""

import datetime as dt

import pytest

from graph.model import limits
from graph.model.limits import BY_NAME, MAX_LIMIT, RESOURCES, Period, checked, refusal


def test_every_resource_is_told_apart_and_explained():
    assert len(BY_NAME) == len(RESOURCES)
    for resource in RESOURCES:
        assert resource.meaning.endswith(".")
        assert resource.unit


def test_rates_are_not_kept():
    assert {each.name for each in RESOURCES} - {each.name for each in limits.KEPT} == {
        "requests_per_minute",
        "key_requests_per_minute",
    }
    assert {each.name for each in RESOURCES if each.period is Period.MONTH} == {
        "clone_bytes",
        "job_minutes",
    }


@pytest.mark.parametrize("value", [0, 1, MAX_LIMIT])
def test_limits_are_whole_numbers(value):
    assert checked({"files": value}) == {"files": value}


@pytest.mark.parametrize(
    "wrong",
    [
        {"file": 1},
        {"files": -1},
        {"files": 1.0},
        {"files": "1"},
        {"files": True},
        {"files": None},
        {"files": MAX_LIMIT + 1},
        {"files": 1, "": 1},
    ],
)
def test_what_cannot_be_a_limit_is_refused(wrong):
    with pytest.raises(ValueError, match=r"There is no resource|has to be a whole number"):
        checked(wrong)


def test_the_largest_limit_fits_as_the_database_counts_it():
    assert max(each.counted_per_unit for each in RESOURCES) * MAX_LIMIT < 2**63


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2)])
def test_a_minute_that_has_begun_is_a_minute(seconds, minutes):
    assert BY_NAME["job_minutes"].units(seconds) == minutes


def test_a_refusal_says_what_and_how_much_and_until_when():
    told = refusal(BY_NAME["files"], limit=1000, used=990, asked=20)
    assert told == "Limit of files: 1000, used: 990, asked for: 20 more."
    reset = dt.datetime(2031, 2, 1, tzinfo=dt.UTC)
    told = refusal(BY_NAME["job_minutes"], limit=60, used=60, resets_at=reset)
    assert told == ("Limit of job_minutes: 60 a month, used: 60, until 2031-02-01T00:00:00Z.")
