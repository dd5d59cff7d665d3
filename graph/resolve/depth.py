"""Room for questions within questions: how deep resolution may call itself."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Expressions within expressions, over all questions that are open; no honest code goes deeper.
MAX_EXPRESSIONS = 300
# Definitions whose meaning is being found, each for the one before it.
MAX_QUESTIONS = 48
# What both may take in frames of the interpreter, several for each. Calls from Python to Python
# take no room on the machine's own stack.
_FRAMES = 10_000


@contextmanager
def room() -> Iterator[None]:
    """Let the interpreter go as deep as the two limits can lead."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
