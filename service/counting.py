"""Where limits are counted: in Redis for all processes, or in the memory of one.

The algorithm is the library's. What is ours is that all limits of a request are charged in one step
and one round trip: the one after the other, until one refuses.
"""

import redis.asyncio
from throttled.asyncio.rate_limiter.gcra import MemoryLimitAtomicAction
from throttled.asyncio.store.memory import MemoryStoreBackend
from throttled.rate_limiter.gcra import RedisLimitAtomicActionSpec

# What one limit says to a charge: refused, remaining, seconds until all is there again, and until
# the refused request would pass.
Told = tuple[int, int, float, float]


class InRedis:
    """Charges limits in Redis: all of them in one step, with the script of the library for each."""

    _SCRIPT = f"""
    local function charge(KEYS, ARGV) {RedisLimitAtomicActionSpec.SCRIPTS} end
    local told = {{}}
    for at, key in ipairs(KEYS) do
        told[at] = charge({{key}}, {{ARGV[3 * at - 2], ARGV[3 * at - 1], ARGV[3 * at]}})
        if told[at][1] == 1 then
            break
        end
    end
    return told
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._script = client.register_script(self._SCRIPT)

    async def charge(self, keys: list[str], arguments: list[list[float]]) -> list[Told]:
        """What each limit says, to the first that refuses. Raises RedisError."""
        told = await self._script(keys, [each for three in arguments for each in three])
        return [(refused, left, float(reset), float(retry)) for refused, left, reset, retry in told]


class InMemory:
    """Charges limits in this process."""

    def __init__(self, remembered: int) -> None:
        """`remembered` is how many limits are counted; then those are forgotten that are oldest."""
        backend = MemoryStoreBackend(options={"MAX_SIZE": remembered})
        self._action = MemoryLimitAtomicAction(backend)

    async def charge(self, keys: list[str], arguments: list[list[float]]) -> list[Told]:
        """What each limit says, to the first that refuses."""
        told: list[Told] = []
        for key, three in zip(keys, arguments, strict=True):
            refused, left, reset, retry = await self._action.do([key], three)
            told.append((int(refused), int(left), reset, retry))
            if told[-1][0]:
                break
        return told
