"""What is let in from the broker: what we send, and nothing else."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from celery import Task

from tests.workers import forged
from workers import intake
from workers.queues import INGEST_TASK


def ingest(tenant_id: str, job_id: str, epoch: int) -> None:
    """As the task that the forged messages name."""


KNOWN = cast("Mapping[str, Task[Any, Any]]", {INGEST_TASK: SimpleNamespace(run=ingest)})


def test_a_message_in_our_form_is_let_in() -> None:
    intake.check_task(forged.message(), KNOWN)
    intake.check_notice(forged.message({"method": "ping", "arguments": {}}, {"clock": 3}))
    intake.check_notice(forged.message([{"type": "task-sent", "hostname": "a@b", "clock": 3}]))


@pytest.mark.parametrize("reason", forged.TASKS)
def test_what_is_no_task_of_ours_is_refused(reason: str) -> None:
    for raw in forged.TASKS[reason]:
        with pytest.raises(intake.Refused) as refused:
            intake.check_task(raw, KNOWN)
        assert str(refused.value) == reason, raw[:200]


def test_what_is_no_command_and_no_event_is_refused() -> None:
    for raw in forged.NOTICES:
        with pytest.raises(intake.Refused) as refused:
            intake.check_notice(raw)
        assert forged.MARK not in str(refused.value)
