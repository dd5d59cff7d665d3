"""The class of every task: who works for whom is on each log line, and how it ended is logged.

And it runs by the limits of its worker, whatever its message says of them.
"""

import time
from typing import Any

import structlog
from celery import Task, current_task
from celery.worker.request import Request
from typing_extensions import override

from graph import telemetry
from graph.errors import CodeloomError

# What a message may name.
_IDS = ("tenant_id", "job_id", "epoch", "erasure_id")

_log = structlog.get_logger(__name__)


class LimitedRequest(Request):
    """A message that was taken, in the worker's parent, which ends what takes too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as its parent does
        super().__init__(*args, **kwargs)
        # What the message says would come first: a job could bring hours of its own.
        self.time_limits = (None, None)


class LoggedTask(Task):  # type: ignore[type-arg]  # generic in its stubs alone
    """Binds the ids of a message to the logs of its task. Hooks run in the worker's child."""

    abstract = True
    Request = f"{__name__}:{LimitedRequest.__name__}"
    # None in the worker's parent, which is told of tasks whose child it had to end.
    _started: float | None = None

    @override
    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Runs right before the task does."""
        ids = {name: kwargs[name] for name in _IDS if name in kwargs}
        telemetry.begin(task_id=task_id, **ids)
        self._started = time.monotonic()

    @override
    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """The task returned; for a job that says how it went, which may be a failure."""
        _log.info("task.returned", task=self.name, outcome=retval, seconds=self._seconds())

    @override
    def on_retry(
        self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any
    ) -> None:
        """This attempt of the job has ended, and another will be made: by a message of its own."""
        code = exc.code if isinstance(exc, CodeloomError) else type(exc).__name__
        _log.warning("task.tried_again", task=self.name, error=code, seconds=self._seconds())

    @override
    def on_failure(
        self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any
    ) -> None:
        """The task raised. Its job is taken back by the reaper when its lease has run out."""
        _log.error(
            "task.raised",
            task=self.name,
            task_id=task_id,
            error=type(exc).__name__,
            seconds=self._seconds(),
            exc_info=exc,
        )

    def _seconds(self) -> float | None:
        if self._started is None:
            return None
        return round(time.monotonic() - self._started, 3)


def tell_retry(error: Exception) -> None:
    """Call the hook of the task that runs here, if one does: its job waits for another attempt.

    Celery would do so for retries of its own, of which there are none: the row decides.
    """
    task: Any = current_task  # its stubs know nothing of a task that runs
    if task:
        request = task.request
        task.on_retry(error, request.id, request.args, request.kwargs, None)
