"""Remembered answers, with what they depend on.

Answers about one definition need answers about others, and code may be circular. A cycle is cut
where it closes: the inner question gives nothing. What was computed while leaning on such a cut is
*provisional* and is not remembered, or the answer to a question would depend on which question
came first - and an incremental run would differ from a clean one.

Every answer also carries the files it was drawn from. They become the document's dependencies.
"""

from collections.abc import Callable, Hashable
from typing import TypeVar

Answer = TypeVar("Answer")

_MAX_DEPTH = 48
_NO_CUT = 1 << 30


class Memo:
    """One store of answers for one commit."""

    __slots__ = ("_active", "_answers", "_cut", "touched")

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[object, frozenset[int]]] = {}
        self._active: dict[Hashable, int] = {}
        self._cut = _NO_CUT
        self.touched: set[int] = set()

    @property
    def outermost(self) -> bool:
        """Whether no question is being answered right now."""
        return not self._active

    def ask(self, key: Hashable, compute: Callable[[], Answer], nothing: Answer) -> Answer:
        """The answer to `key`, computed if it is not known; `nothing` where a cycle closes."""
        known = self._answers.get(key)
        if known is not None:
            self.touched.update(known[1])
            return known[0]  # type: ignore[return-value]  # one key always has one answer type
        depth = len(self._active)
        at = self._active.get(key)
        if at is not None or depth >= _MAX_DEPTH:
            self._cut = min(self._cut, at if at is not None else 0)
            return nothing
        outer, self.touched = self.touched, set()
        self._active[key] = depth
        outer_cut, self._cut = self._cut, _NO_CUT
        try:
            answer = compute()
            if self._cut >= depth:
                self._answers[key] = (answer, frozenset(self.touched))
                self._cut = _NO_CUT
        finally:
            del self._active[key]
            outer.update(self.touched)
            self.touched = outer
            self._cut = min(outer_cut, self._cut)
        return answer
