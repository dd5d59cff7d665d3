"""What Celery may be asked to run. A task is five lines: it takes ids and calls one function.

`from workers.tasks import parse_and_index_repository`
"""

from workers.tasks.erase import erase_tenant
from workers.tasks.jobs import parse_and_index_repository, parse_shard, purge_repository
from workers.tasks.periodic import run_periodic
from workers.tasks.ping import ping

__all__ = [
    "erase_tenant",
    "parse_and_index_repository",
    "parse_shard",
    "ping",
    "purge_repository",
    "run_periodic",
]
