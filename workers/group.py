"""A group of workers: `python -m workers.group NAME [options of celery's worker]`.

One group for each queue, with a concurrency and a prefetch of its own, so that an erasure does not
wait behind an ingestion. The embedded stack and the image start workers by this command alone.
"""

import sys
from collections.abc import Sequence

from graph.settings import Settings, get_settings
from workers.celery_app import app
from workers.queues import QUEUES, Queue

BY_NAME = {queue.name: queue for queue in QUEUES}


def arguments(queue: Queue, settings: Settings) -> list[str]:
    """What the group of a queue tells `celery worker`; whatever is added later wins."""
    return [
        f"--queues={queue.name}",
        # Also the name under which the group says that it is ready.
        f"--hostname={queue.name}@%h",
        f"--pool={queue.pool}",
        f"--concurrency={_concurrency(queue, settings)}",
        f"--prefetch-multiplier={queue.prefetch}",
    ]


def _concurrency(queue: Queue, settings: Settings) -> int:
    return getattr(settings, queue.concurrency) if queue.concurrency else 1


def main(given: Sequence[str]) -> None:
    """Run a worker of the named group until it is asked to stop."""
    name, *options = given or [""]
    if name not in BY_NAME:
        sys.exit(f"Name a group of workers: {', '.join(BY_NAME)}.")
    app.worker_main(["--quiet", "worker", *arguments(BY_NAME[name], get_settings()), *options])


if __name__ == "__main__":
    main(sys.argv[1:])
