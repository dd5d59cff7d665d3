"""Hostile bytes are parsed elsewhere: in processes that own nothing and may die.

The parent holds the database, the credentials and the heartbeat, and never loads a grammar. It
hands bytes through a pipe to parser processes and takes facts back; a file that hangs, exhausts
memory or breaks a grammar costs its process and gets a verdict, and its neighbours never notice.

    with ParserPool(2, SandboxLimits()) as pool:
        for outcome in pool.parse_all(ParseItem(path, "python", data) for path, data in files):
            ...

Laws: every item gets exactly one outcome, in any order. Equal bytes get equal facts, whichever
process they meet and whatever it met before. Unanswered work is bounded, so memory is.

    pool.py         who gets which file, and what a death means
    process.py      one process as the parent sees it
    frames.py       what they say to each other
    child.py        the process itself
    confinement.py  what it gives up before the first byte
"""

from parsers.sandbox.items import (
    ParseItem,
    ParseOutcome,
    ParserDidNotStart,
    ParsingStopped,
    SandboxLimits,
)
from parsers.sandbox.pool import ParserPool

__all__ = [
    "ParseItem",
    "ParseOutcome",
    "ParserDidNotStart",
    "ParserPool",
    "ParsingStopped",
    "SandboxLimits",
]
