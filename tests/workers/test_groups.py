"""The groups of workers that the image and the file of its deployment start."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from graph.settings import Settings
from tests.workers.stand import ROOT, Stand
from workers.queues import QUEUES
from workers.readiness import key_of

ENTRYPOINT = ROOT / "deploy/entrypoint.sh"
CELERY = ("-m", "celery", "-A", "workers.celery_app")
GROUPS = [queue.name for queue in QUEUES]


def start(stand: Stand, group: str, **environment: str) -> None:
    path = f"{Path(sys.executable).parent}:{stand.environment()['PATH']}"
    with (stand.logs / f"{group}.log").open("ab") as log:
        stand.processes[group] = subprocess.Popen(
            ["sh", ENTRYPOINT, f"worker-{group}", "--without-mingle"],
            cwd=ROOT,
            env=stand.environment(PATH=path, **environment),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def asked(stand: Stand, question: str) -> dict[str, Any]:
    """What each group answers."""
    answer = subprocess.run(
        [sys.executable, *CELERY, "inspect", question, "--json", "--timeout=10"],
        cwd=ROOT,
        env=stand.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {name.partition("@")[0]: told for name, told in json.loads(answer.stdout).items()}


def test_each_group_takes_from_its_queue_alone_with_its_own_concurrency(stand: Stand) -> None:
    for group in GROUPS:
        start(stand, group, GIT_CONCURRENCY="3", MAINTENANCE_CONCURRENCY="2")
    for group in GROUPS:
        stand.until(lambda group=group: stand.redis().exists(key_of(group)), f"{group} is ready")
    queues = asked(stand, "active_queues")
    assert {name: [one["name"] for one in told] for name, told in queues.items()} == {
        group: [group] for group in GROUPS
    }
    stats = asked(stand, "stats")
    assert {name: len(told["pool"].get("processes", [0])) for name, told in stats.items()} == {
        "git": 3,
        "parse": 1,
        "embed": 1,
        "maintenance": 2,
    }
    # Messages held: for each of its processes so many as its prefetch says.
    assert {name: told["prefetch_count"] for name, told in stats.items()} == {
        "git": 6,
        "parse": 1,
        "embed": 1,
        "maintenance": 2,
    }


def test_a_group_that_does_not_exist_is_refused_by_name() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "workers.group", "parze"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 1
    assert told.stderr == f"Name a group of workers: {', '.join(GROUPS)}.\n"


def test_the_deployment_starts_every_group_with_settings_that_exist() -> None:
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    ours = {name: told for name, told in services.items() if told["image"] == "codeloom"}
    dockerfile = (ROOT / "Dockerfile").read_text()
    commands = re.findall(r"^  ([a-z-]+)\)", ENTRYPOINT.read_text(), re.MULTILINE)
    # The plain worker takes from all queues, which is what groups are there to avoid.
    wanted = {*commands, *(f"worker-{group}" for group in GROUPS)} - {"worker"}
    assert set(ours) == wanted
    for name, told in ours.items():
        assert told["command"] == [name]
        # The image has the folder, of a user who may write there.
        (mounted,) = [volume.partition(":")[2] for volume in told["volumes"]]
        assert told["environment"]["ARTIFACTS_URL"] == f"file://{mounted}"
        assert re.search(rf"--owner=codeloom .* {mounted}$", dockerfile, re.MULTILINE)
        assert {setting.lower() for setting in told["environment"]} <= set(Settings.model_fields)
