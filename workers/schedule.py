"""What runs by the clock, as data: `celery -A workers.celery_app beat`.

Only conveniences are here. What must happen (choosing jobs, taking them back from dead workers) is
the dispatcher's, which needs no message to arrive.
"""

from datetime import timedelta

from workers.queues import SWEEP_TASK

BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    # Workers sweep when they start; this is for a machine whose workers run for weeks.
    "sweep-scratch": {"task": SWEEP_TASK, "schedule": timedelta(hours=1)},
}
