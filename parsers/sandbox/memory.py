"""How much address space a process takes, and whether it can have been refused more.

Address space, because it is what the limit counts and because the figure is the process's own: the
most resident memory, as the kernel tells it of the dead, counts what their parent held when it
started them.
"""

import resource
from pathlib import Path

_PAGE_BYTES = resource.getpagesize()


def address_space(process: int | str) -> int:
    """What a process takes now, in bytes; 0 if it is dead.

    Raises:
        FileNotFoundError: there is no such process.
    """
    pages, _, _ = Path(f"/proc/{process}/statm").read_text().partition(" ")
    return int(pages) * _PAGE_BYTES


def was_refused(*, before: int, limit: int, at_fault: int) -> bool:
    """Whether a fault is what became of a refused allocation that nobody checked.

    A table grows by doubling. While it moves, its old place and its new one, of twice the size, are
    taken both: so it can be refused as soon as it fills a third of the room there was before it,
    and never earlier.
    """
    return 3 * (at_fault - before) > limit - before
