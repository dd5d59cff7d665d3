"""The groups of workers that the image starts."""

import json
import subprocess
import sys
from pathlib import Path

from tests.workers.stand import ROOT, Stand
from workers.celery_app import WORKER_READY_KEY


def test_a_group_of_the_image_takes_from_its_queue_alone(stand: Stand) -> None:
    path = f"{Path(sys.executable).parent}:{stand.environment()['PATH']}"
    with (stand.logs / "group.log").open("ab") as log:
        stand.processes["group"] = subprocess.Popen(
            ["sh", ROOT / "deploy/entrypoint.sh", "worker-maintenance", "--concurrency=1"],
            cwd=ROOT,
            env=stand.environment(PATH=path),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    stand.until(lambda: stand.redis().exists(WORKER_READY_KEY), "the worker is ready")
    asked = ["-m", "celery", "-A", "workers.celery_app", "inspect", "active_queues", "--json"]
    answer = subprocess.run(
        [sys.executable, *asked, "--timeout=10"],
        cwd=ROOT,
        env=stand.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (queues,) = json.loads(answer.stdout).values()
    assert [queue["name"] for queue in queues] == ["maintenance"]
