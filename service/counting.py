"""Where limits are counted: in Redis for all processes, or in the memory of one.

The algorithm is the library's. What is ours is that all limits of a request are charged in one step
and one round trip, or none of them: what one refuses is given back to those before it.
"""

import redis.asyncio
from throttled.asyncio.rate_limiter.gcra import MemoryLimitAtomicAction
from throttled.asyncio.store.memory import MemoryStoreBackend
from throttled.rate_limiter.gcra import RedisLimitAtomicActionSpec

# What one limit says to a charge: refused, remaining, seconds until all is there again, and until
# the refused request would pass.
Told = tuple[int, int, float, float]
# Seconds in which one request flows in, how many there are at once, and what is charged.
Charge = tuple[float, int, int]


class InRedis:
    """Charges limits in Redis: all of them in one step, with the script of the library for each."""

    _SCRIPT = f"""
    local function charge(KEYS, ARGV) {RedisLimitAtomicActionSpec.SCRIPTS} end
    local told, before = {{}}, {{}}
    for at, key in ipairs(KEYS) do
        before[at] = at < #KEYS and redis.call("GET", key)
        told[at] = charge({{key}}, {{ARGV[3 * at - 2], ARGV[3 * at - 1], ARGV[3 * at]}})
        if told[at][1] == 1 then
            for charged = 1, at - 1 do
                if before[charged] then
                    redis.call("SET", KEYS[charged], before[charged], "KEEPTTL")
                else
                    redis.call("DEL", KEYS[charged])
                end
            end
            break
        end
    end
    return told
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._script = client.register_script(self._SCRIPT)

    async def charge(self, keys: list[str], charges: list[Charge]) -> list[Told]:
        """What each limit says, to the first that refuses. Raises RedisError."""
        told = await self._script(keys, [each for three in charges for each in three])
        read = [(refused, left, float(reset), float(retry)) for refused, left, reset, retry in told]
        return _given_back(read, charges)


class InMemory:
    """Charges limits in this process."""

    def __init__(self, remembered: int) -> None:
        """`remembered` is how many limits are counted; then those are forgotten that are oldest."""
        self._backend = MemoryStoreBackend(options={"MAX_SIZE": remembered})
        self._action = MemoryLimitAtomicAction(self._backend)

    async def charge(self, keys: list[str], charges: list[Charge]) -> list[Told]:
        """What each limit says, to the first that refuses."""
        told: list[Told] = []
        before = [self._backend.get(key) for key in keys]
        for key, charge in zip(keys, charges, strict=True):
            refused, left, reset, retry = await self._action.do([key], charge)
            told.append((int(refused), int(left), reset, retry))
            if refused:
                self._restore(dict(zip(keys[: len(told) - 1], before, strict=False)))
                break
        return _given_back(told, charges)

    def _restore(self, before: dict[str, float | None]) -> None:
        for key, value in before.items():
            if value is None:
                self._backend.delete(key)
            else:
                self._backend.set(key, value, self._backend.ttl(key))


def _given_back(told: list[Told], charges: list[Charge]) -> list[Told]:
    """What the limits say once those before the one that refused are as they were."""
    if not told[-1][0]:
        return told
    charged = [
        (refused, left + cost, max(0.0, round(reset - cost * interval, 6)), retry)
        for (refused, left, reset, retry), (interval, _, cost) in zip(
            told[:-1], charges, strict=False
        )
    ]
    return [*charged, told[-1]]
