"""The settings on which the safety of jobs leans, and the address of the broker."""

import os
import subprocess
import sys

import pytest

from graph.errors import SettingMissing
from graph.settings import Settings
from tests.workers.stand import ROOT
from workers.broker import broker_url
from workers.queues import JOB_TASKS, QUEUES, ROUTES


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("unix:///run/valkey.sock?db=3", "redis+socket:///run/valkey.sock?virtual_host=3"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
        ("unix://u:p%40@/a b.sock?db=1", "redis+socket://u:p%40@/a%20b.sock?virtual_host=1"),
        ("rediss://u:p@host:1/2", "rediss://u:p@host:1/2?ssl_cert_reqs=required"),
        ("rediss://host/0?ssl_cert_reqs=none", "rediss://host/0?ssl_cert_reqs=none"),
    ],
)
def test_the_address_of_redis_is_the_same_for_celery(given: str, expected: str) -> None:
    assert broker_url(given) == expected


@pytest.mark.parametrize("given", [None, "", "amqp://guest:secret@host"])
def test_without_a_redis_there_is_a_clear_error(given: str | None) -> None:
    with pytest.raises(SettingMissing) as missing:
        broker_url(given)
    assert "secret" not in missing.value.message


def test_a_task_can_be_imported_without_any_setting() -> None:
    code = "from workers.tasks import parse_and_index_repository; print('imported')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"imported\n"


def test_the_settings_that_keep_jobs_safe(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers import celery_app

    monkeypatch.setattr(celery_app, "get_settings", lambda: settings)
    conf = celery_app.configuration()
    assert conf["broker_transport_options"]["visibility_timeout"] > conf["task_time_limit"]
    assert conf["task_soft_time_limit"] < conf["task_time_limit"]
    assert conf["worker_cancel_long_running_tasks_on_connection_loss"] is False
    assert conf["task_create_missing_queues"] is False
    assert conf["result_backend"] is None
    assert conf["accept_content"] == ["json"]
    assert conf["worker_prefetch_multiplier"] == 1


def test_every_task_has_a_queue_that_exists_and_every_kind_a_task(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import workers.tasks
    from workers import celery_app

    monkeypatch.setattr(celery_app, "get_settings", lambda: settings)
    assert set(workers.tasks.__all__) == {name.rpartition(".")[2] for name in ROUTES}
    ours = {name for name in celery_app.app.tasks if name.startswith("workers.")}
    assert ours == set(ROUTES)
    assert set(ROUTES.values()) <= set(QUEUES)
    assert set(JOB_TASKS.values()) <= ours
