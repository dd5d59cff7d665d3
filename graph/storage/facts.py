"""The facts a tenant has, over all packs of a snapshot: which are known, and each one's parts."""

from collections.abc import Iterable, Iterator

from graph.storage.artifacts import ArtifactStore
from graph.storage.facts_packs import PackReader

OUTLINE = 0
BODY = 1


class FactsLibrary:
    """Reads facts by fingerprint from several packs; later packs add to earlier ones."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._packs: list[PackReader] = []
        self._pack_of: dict[bytes, PackReader] = {}

    def __contains__(self, fingerprint: bytes) -> bool:
        return fingerprint in self._pack_of

    def add(self, key: str) -> None:
        """Take in the pack at `key`. Raises what `PackReader` does."""
        pack = PackReader(self._store, key)
        self._packs.append(pack)
        for fingerprint in pack.index():
            self._pack_of.setdefault(fingerprint, pack)

    def outlines(self, wanted: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """The outlines of the wanted fingerprints, read pack by pack."""
        remaining = set(wanted)
        for pack in self._packs:
            if not remaining:
                return
            if remaining.isdisjoint(pack.index()):
                continue
            for fingerprint, (outline,) in pack.stream([OUTLINE]):
                if fingerprint in remaining:
                    remaining.discard(fingerprint)
                    yield fingerprint, outline

    def body(self, fingerprint: bytes) -> bytes:
        """The body of one file's facts. Raises KeyError for an unknown fingerprint."""
        body = self._pack_of[fingerprint].get(fingerprint, BODY)
        if body is None:
            raise KeyError(fingerprint)
        return body
