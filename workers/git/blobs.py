"""Reads blobs through one `git cat-file`: sizes first, so that nothing too large is ever read."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Self

from graph.errors import CodeloomError
from workers.git import failures
from workers.git.command import GitProcess
from workers.git.errors import RepositoryDamaged
from workers.git.fetch import Checkout

# Batches of requests that are on their way at a time, so that git reads while we work. Their text
# stays below the 64 KiB of the smallest pipe: a write that could block would meet a git that is
# blocked writing its answers.
_BATCH = 256
_BATCHES_AHEAD = 2


class BlobReader:
    """A context manager around the process. One iteration at a time; it answers in order."""

    def __init__(self, checkout: Checkout, *, max_bytes: int) -> None:
        """Blobs above `max_bytes` may be asked for their size only."""
        self.checkout = checkout
        self._max_bytes = max_bytes
        self._reading = False
        self._process = GitProcess(
            [*checkout.arguments, "cat-file", "--batch-command", "--buffer"],
            limits=checkout.limits,
            home=checkout.home,
            should_stop=checkout.should_stop,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, trace)

    def close(self) -> None:
        """End the process; a second time does nothing."""
        self._process.__exit__(None, None, None)

    def sizes(self, shas: Iterable[str]) -> Iterator[int | None]:
        """The size of each blob; None for one that is not there, or is no blob."""
        for head in self._answers("info", shas):
            yield int(head[2]) if len(head) > 2 and head[1] == b"blob" else None  # noqa: PLR2004

    def read_many(self, shas: Iterable[str]) -> Iterator[bytes | None]:
        """The bytes of each blob; None for one that is not there."""
        for head in self._answers("contents", shas):
            yield None if head[1] == b"missing" else self._content(head)

    def read(self, sha: str) -> bytes | None:
        """The bytes of one blob, at the price of a round trip."""
        (content,) = self.read_many((sha,))
        return content

    def _answers(self, command: str, shas: Iterable[str]) -> Iterator[list[bytes]]:
        """Ask in batches; yield the head of each answer, `<id> <type> <size>` or `<id> missing`."""
        if self._reading:
            raise RuntimeError("another iteration over this reader did not come to its end")
        self._reading = True
        remaining = iter(shas)
        asked: deque[int] = deque()
        while True:
            while len(asked) < _BATCHES_AHEAD and (sent := self._send(command, remaining)):
                asked.append(sent)
            if not asked:
                break
            for _ in range(asked.popleft()):
                head = self._process.stdout.readline().split()
                if len(head) < 2:  # noqa: PLR2004  the end of the stream
                    raise self._failure()
                yield head
        self._reading = False

    def _send(self, command: str, remaining: Iterator[str]) -> int:
        batch = [f"{command} {sha}\n" for sha in islice(remaining, _BATCH)]
        if batch:
            try:
                self._process.stdin.write(("".join(batch) + "flush\n").encode("ascii"))
                self._process.stdin.flush()
            except BrokenPipeError:
                raise self._failure() from None
        return len(batch)

    def _content(self, head: list[bytes]) -> bytes:
        """Read what follows a head: the bytes and a line feed."""
        size = int(head[2])
        if size > self._max_bytes or head[1] != b"blob":
            raise RepositoryDamaged("A blob is not what the tree of the commit says.")
        content = self._process.stdout.read(size + 1)
        if len(content) != size + 1:
            raise self._failure()
        return content[:-1]

    def _failure(self) -> CodeloomError:
        """Why git ended while there was something left to read."""
        code = self._process.finish()  # raises if we stopped it ourselves
        return failures.from_complaint(code, self._process.complaint(), what="the commit")
