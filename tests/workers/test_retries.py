"""Every error that a job can end with is in the closed list, and told of as the list says."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import graph
import workers
from graph.errors import CodeloomError, HostRefused, RateLimited
from graph.model import jobs
from workers.outcomes import RETRIES, Outcome, Retry, outcome_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"

# What only a request or a command can be answered with: no job gets as far as to raise it.
OF_REQUESTS = {
    "api_key_ended",
    "api_key_invalid",
    "api_key_not_found",
    "cursor_invalid",
    "erasure_not_found",
    "file_not_found",
    "idempotency_key_reused",
    "job_already_ended",
    "job_not_dead",
    "job_not_found",
    "job_not_retryable",
    "job_parameters_invalid",
    "last_admin_key",
    "limits_unavailable",
    "migration_failed",
    "operator_key_not_found",
    "operator_key_required",
    "permission_missing",
    "plan_already_exists",
    "plan_not_found",
    "precondition_failed",
    "rate_limited",
    "repository_already_registered",
    "request_under_way",
    "snapshot_not_found",
    "snapshot_selection_ambiguous",
    "streams_exhausted",
    "symbol_not_found",
    "tenant_key_required",
    "tenant_name_differs",
    "workers_silent",
}
# How a job ends that nothing went wrong with.
NO_FAILURE = {"job_cancelled"}


def errors(root: type[CodeloomError] = CodeloomError) -> Iterator[type[CodeloomError]]:
    yield root
    for error in root.__subclasses__():
        yield from errors(error)


def known() -> dict[str, type[CodeloomError]]:
    for room in (graph, workers):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    rooms = ("graph.", "workers.")
    return {error.code: error for error in errors() if error.__module__.startswith(rooms)}


def test_every_error_is_in_the_list_or_is_none_of_a_job() -> None:
    apart = OF_REQUESTS | NO_FAILURE
    assert not RETRIES.keys() & apart
    assert known().keys() == RETRIES.keys() | apart


def test_what_may_pass_is_tried_again_and_what_may_not_is_not() -> None:
    classes = known()
    for code, retry in RETRIES.items():
        # A lost lease and a suspension are no failures that pass; the job is simply not ours now.
        if code not in {"lease_lost", "tenant_suspended"}:
            assert classes[code].transient is (retry is not Retry.PERMANENT), code


def test_the_list_is_documented() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert dict(rows) == {code: str(retry) for code, retry in RETRIES.items()}
    assert rows == sorted(rows)


@pytest.mark.parametrize(
    ("said", "wait"), [(None, 120.0), (0.0, 1.0), (7.0, 7.0), (1e12, 24 * 60 * 60.0)]
)
def test_a_job_waits_as_long_as_its_host_says(said: float | None, wait: float) -> None:
    outcome = outcome_of(HostRefused("Not now.", retry_after_seconds=said))
    two_days = 2 * 24 * 60 * 60.0
    assert outcome == Outcome(Retry.LATER, "host_refused", "Not now.", wait, two_days)


def test_an_error_outside_of_the_list_is_a_mistake_of_ours() -> None:
    for error in (RateLimited("a secret of a tenant"), ValueError("a secret of a tenant")):
        outcome = outcome_of(error)
        assert (outcome.retry, outcome.code) == (Retry.PERMANENT, "internal_error")
        assert "secret" not in outcome.message


def test_tries_are_spread_over_a_minute_that_doubles_up_to_ten() -> None:
    assert jobs.MAX_ATTEMPTS == 4
    delays = [jobs.longest_delay_seconds(attempt) for attempt in range(1, 7)]
    assert delays == [60, 120, 240, 480, 600, 600]
