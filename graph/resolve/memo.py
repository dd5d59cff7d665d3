"""Remembered answers, with what they depend on.

Answers about one definition need answers about others, and code may be circular. A cycle is cut
where it closes: the inner question gives nothing. What was computed while leaning on such a cut is
*provisional*: it holds only while the question that was cut is being answered, or the answer would
depend on which question came first - and an incremental run would differ from a clean one. Within
that time it is used again, because a tangle of definitions has more paths than anybody can walk.

Every answer also carries the files it was drawn from. They become the document's dependencies.
"""

from collections.abc import Callable, Hashable
from typing import TypeVar

from graph.resolve.depth import MAX_QUESTIONS

Answer = TypeVar("Answer")

_NO_CUT = 1 << 30
# Answers computed for one document. Real files take a few per line; past this the remaining
# questions go unanswered, which counts as unresolved, and the job goes on.
_MAX_COMPUTED = 400_000


class Memo:
    """One store of answers for one commit."""

    __slots__ = ("_active", "_answers", "_computed", "_cut", "_leaning", "_provisional", "touched")

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[object, frozenset[int]]] = {}
        self._active: dict[Hashable, int] = {}
        # Provisional answers with the depth of the question they lean on, and which lean on which.
        self._provisional: dict[Hashable, tuple[object, frozenset[int], int]] = {}
        self._leaning: dict[int, list[Hashable]] = {}
        self._cut = _NO_CUT
        self._computed = 0
        self.touched: set[int] = set()

    def begin_document(self) -> None:
        """Dependencies and costs are those of the next document from here on."""
        self.touched = set()
        self._computed = 0

    @property
    def outermost(self) -> bool:
        """Whether no question is being answered right now."""
        return not self._active

    def give_up(self) -> None:
        """The answer in the making is not whole: it holds no longer than the outermost question."""
        if self._active:
            self._cut = 0

    def ask(self, key: Hashable, compute: Callable[[], Answer], nothing: Answer) -> Answer:
        """The answer to `key`, computed if it is not known; `nothing` where a cycle closes."""
        known = self._answers.get(key)
        if known is not None:
            self.touched.update(known[1])
            return known[0]  # type: ignore[return-value]  # one key always has one answer type
        leaning = self._provisional.get(key)
        if leaning is not None:
            self.touched.update(leaning[1])
            self._cut = min(self._cut, leaning[2])
            return leaning[0]  # type: ignore[return-value]  # as above
        depth = len(self._active)
        at = self._active.get(key)
        if at is not None or depth >= MAX_QUESTIONS or self._computed >= _MAX_COMPUTED:
            self._cut = min(self._cut, at if at is not None else 0)
            return nothing
        return self._compute(key, depth, compute)

    def _compute(self, key: Hashable, depth: int, compute: Callable[[], Answer]) -> Answer:
        self._computed += 1
        outer, self.touched = self.touched, set()
        self._active[key] = depth
        outer_cut, self._cut = self._cut, _NO_CUT
        try:
            answer = compute()
            self._keep(key, depth, answer)
        finally:
            del self._active[key]
            for leaning in self._leaning.pop(depth, ()):
                self._provisional.pop(leaning, None)
            outer.update(self.touched)
            self.touched = outer
            self._cut = min(outer_cut, self._cut)
        return answer

    def _keep(self, key: Hashable, depth: int, answer: object) -> None:
        """Remember the answer for good, or for as long as what it leans on is being answered."""
        if self._cut >= depth:
            self._answers[key] = (answer, frozenset(self.touched))
            self._cut = _NO_CUT
        else:
            self._provisional[key] = (answer, frozenset(self.touched), self._cut)
            self._leaning.setdefault(self._cut, []).append(key)
