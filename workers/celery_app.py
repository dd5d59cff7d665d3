"""The Celery application: `celery -A workers.celery_app worker`.

Celery carries nudges. A message may be lost, doubled or late; the row of the job decides what runs
(`graph.storage.jobs`). So there is no result backend, no Celery retry, no countdown, and what is
set below only makes a nudge arrive soon.
"""

import os
from typing import Any, Protocol

from celery import Celery
from celery.signals import (
    setup_logging,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutting_down,
)
from kombu import Exchange
from kombu import Queue as KombuQueue

from graph import telemetry
from graph.settings import get_settings
from workers import readiness, scratch, stopping, transport
from workers.broker import broker_url
from workers.queues import MAINTENANCE, QUEUES, ROUTES

# Longer than the longest job and a warm shutdown: a message that is handed out a second time while
# the first is still at work costs a claim that fails, but there is no reason to pay it.
_VISIBILITY_SECONDS = 2 * 60 * 60
# A worker whose memory grew beyond this after a task is replaced by a fresh one.
_MAX_WORKER_KIB = 1_000_000

_NAMES = [queue.name for queue in QUEUES]
_TRANSPORT = {
    "visibility_timeout": _VISIBILITY_SECONDS,
    # A killed worker's message is back seconds after the timeout, not minutes.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}

transport.install()
app = Celery("workers", include=["workers.tasks"])


class _Named(Protocol):
    """What the signals of a worker come from."""

    hostname: str


def configuration() -> dict[str, Any]:
    """The settings of Celery. Raises SettingMissing without a REDIS_URL."""
    settings = get_settings()
    return {
        "broker_url": broker_url(settings.redis_url),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": _TRANSPORT,
        "result_backend": None,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_track_started": True,
        "task_soft_time_limit": settings.job_soft_limit_seconds,
        "task_time_limit": settings.job_hard_limit_seconds,
        "task_send_sent_event": True,
        "worker_send_task_events": True,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": settings.worker_concurrency,
        "worker_max_memory_per_child": _MAX_WORKER_KIB,
        # True, the default of the next release, loses jobs when Redis restarts (measured).
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "task_queues": [
            KombuQueue(name, Exchange(name, type="direct"), routing_key=name) for name in _NAMES
        ],
        "task_default_queue": MAINTENANCE.name,
        # A misspelt queue is an error, not a new queue that nobody works on.
        "task_create_missing_queues": False,
        "task_routes": {task: {"queue": queue.name} for task, queue in ROUTES.items()},
        # What is due is rows: a name, because the scheduler sends through this application.
        "beat_scheduler": "workers.schedule:RowScheduler",
        "timezone": "UTC",
    }


# Evaluated when a setting is first needed: importing a task needs no environment.
app.add_defaults(configuration)


@setup_logging.connect
def _log_in_our_form(**_: object) -> None:
    """Connected, so that Celery leaves logging alone."""
    settings = get_settings()
    telemetry.configure("celery", level=settings.log_level, form=settings.log_format)


@worker_init.connect
@worker_process_init.connect
def _sweep(**_: object) -> None:
    """Remove what workers of this machine left when they were killed, and their children.

    One that met its hard limit cannot clear up behind itself: the one that takes its place does.
    """
    scratch.sweep(get_settings().scratch)


@worker_ready.connect
def _say_ready(sender: _Named, **_: object) -> None:
    """Tell whoever started us that tasks are taken from now on."""
    readiness.say(get_settings(), name=sender.hostname.partition("@")[0], pid=os.getpid())


@worker_shutting_down.connect
def _give_back(**_: object) -> None:
    """Runs in the parent when it is asked to stop."""
    stopping.announce()
