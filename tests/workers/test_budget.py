"""Which of two limits an attempt meets, and what it is told then."""

import datetime as dt

import pytest

from graph.errors import BudgetExceeded, CheckoutTooLarge, QuotaExceeded
from graph.settings import Settings
from graph.storage.reservations import Allowance
from workers import budget
from workers.budget import Budget

RESET = dt.datetime(2031, 2, 1, tzinfo=dt.UTC)


def made(*, seconds: int, clone_bytes: int, now: float) -> Budget:
    granted = Allowance(clone_bytes=clone_bytes, job_seconds=seconds, resets_at=RESET)
    return Budget(600, 1000, 50, granted, clock=lambda: now, started=100.0)


def test_what_an_attempt_wants_is_what_the_installation_allows() -> None:
    settings = Settings(max_clone_bytes=7, job_soft_limit_seconds=8, job_hard_limit_seconds=9)
    assert budget.most(settings) == Allowance(clone_bytes=7, job_seconds=9)


def test_the_installation_ends_an_attempt_that_was_granted_all() -> None:
    assert made(seconds=3600, clone_bytes=1000, now=150.0).left() == 550
    with pytest.raises(BudgetExceeded, match="10 minutes"):
        made(seconds=3600, clone_bytes=1000, now=700.0).left()


def test_the_month_ends_an_attempt_that_was_granted_less() -> None:
    assert made(seconds=60, clone_bytes=1000, now=159.0).left() == 1
    with pytest.raises(QuotaExceeded, match="60 seconds") as raised:
        made(seconds=60, clone_bytes=1000, now=160.0).left()
    assert raised.value.resets_at == RESET


def test_a_fetch_is_too_large_for_the_installation_or_for_the_month() -> None:
    error = CheckoutTooLarge("x")
    whole = made(seconds=60, clone_bytes=1000, now=100.0)
    assert (whole.clone_bytes, whole.too_large(error)) == (1000, error)
    rest = made(seconds=60, clone_bytes=999, now=100.0)
    assert rest.clone_bytes == 999
    told = rest.too_large(error)
    assert isinstance(told, QuotaExceeded)
    assert "999 bytes" in told.message
