"""A program for the tests: the whole stack, as `codeloom up` runs it, set by the environment.

    python runner.py [CODE | never]

Prints one JSON line when everything is ready. With a CODE, that is what the command answers when
it is asked, and so how the program ends. With `never` it is still at work when the stop comes,
and then asks the API once more.
"""

import asyncio
import json
import sys

import httpx

from graph.settings import get_settings
from service.embedded import stack
from service.embedded.errors import EmbeddedError


async def ready(running: stack.Stack) -> int | None:
    said = {
        "children": running.supervisor.pids(),
        "database_url": running.settings.database_url,
        "redis_url": running.settings.redis_url,
        "address": running.address,
    }
    print(json.dumps(said), flush=True)
    if sys.argv[1:] != ["never"]:
        return int(sys.argv[1]) if len(sys.argv) > 1 else None
    try:
        await asyncio.Event().wait()
    finally:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{running.address}/readyz")
        print(answer.status_code, flush=True)
    return None


if __name__ == "__main__":
    try:
        sys.exit(stack.up(get_settings(), on_ready=ready))
    except EmbeddedError as error:
        sys.exit(error.message)
