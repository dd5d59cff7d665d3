"""A parser process that does what its file says, once it is confined like any other."""

from parsers.sandbox import ParseItem, ParseOutcome, ParserPool, SandboxLimits

# Instead of the program that starts a parser process.
BOOT = """
import ctypes, os, sys
sys.path[:] = sys.argv[1:]
from parsers.sandbox import child
extract = child.extract
libc = ctypes.CDLL(None)
libc.realloc.restype = ctypes.c_void_p
libc.realloc.argtypes = ctypes.c_void_p, ctypes.c_size_t
def unchecked(size, old=None):
    new = libc.realloc(old, size << 20)
    ctypes.memset(new or 0, 1, size << 20)
    return new
def misbehave(data, language, limits):
    if data == b"segfault": ctypes.string_at(1)
    if data == b"hang":
        while True: pass
    if data == b"fault": [][len(data)]
    if data == b"exit": os._exit(3)
    if data == b"memory": bytearray(limits.nodes << 20)
    if data == b"grow":
        hoard = [bytes(range(256)) * 40000 for _ in range(limits.nodes)]
    if data == b"pages, unchecked":
        while True: unchecked(8)
    if data == b"table, unchecked":
        size, table = 1, None
        while True: size, table = 2 * size, unchecked(size, table)
    if data == b"fault, holding some":
        unchecked(96)
        ctypes.string_at(1)
    if data == b"wait":
        until = child.resource.getrusage(0).ru_utime + 0.5
        while child.resource.getrusage(0).ru_utime < until: pass
    if data == b"lie": os.write(1, b"\\0\\0\\0\\1\\xc1")
    if data == b"boast": os.write(1, b"\\xff\\xff\\xff\\xff")
    if data == b"twice": os.write(1, child.pack(child.Reply(reason="binary")) * 100)
    if data == b"invent": os.write(1, child.pack(child.Reply(reason="no such reason")))
    if data == b"bomb":
        bomb = child.codec.zstandard.compress(bytes(200 << 20))
        os.write(1, child.pack(child.Reply(bomb, bomb)))
    if data == b"noise": os.write(1, child.pack(child.Reply(data, data)))
    return extract(data, language, limits)
child.extract = misbehave
child.main()
"""


def items(*files: bytes) -> list[ParseItem[int]]:
    return [ParseItem(number, "python", data) for number, data in enumerate(files)]


def parse(files: list[bytes], limits: SandboxLimits, processes: int = 2) -> list[ParseOutcome[int]]:
    with ParserPool(processes, limits) as pool:
        outcomes = list(pool.parse_all(items(*files)))
    assert sorted(outcome.key for outcome in outcomes) == list(range(len(files)))
    return sorted(outcomes, key=lambda outcome: outcome.key)
