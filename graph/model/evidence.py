"""What the erasure of a tenant removed, counted: the evidence that it took place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Removed:
    """Objects of one kind."""

    objects: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Rows by table, objects by kind, keys of Redis. What was found empty is not named."""

    rows: Mapping[str, int] = field(default_factory=dict)
    objects: Mapping[str, Removed] = field(default_factory=dict)
    redis_keys: int = 0

    def and_rows(self, table: str, count: int) -> "Evidence":
        """With so many rows of a table more."""
        if not count:
            return self
        return replace(self, rows={**self.rows, table: self.rows.get(table, 0) + count})

    def and_objects(self, found: Iterable[tuple[str, int]]) -> "Evidence":
        """With these objects more, each by its kind and its bytes."""
        objects = dict(self.objects)
        for kind, size in found:
            known = objects.get(kind, Removed())
            objects[kind] = Removed(known.objects + 1, known.bytes + size)
        return replace(self, objects=objects)

    def and_redis_keys(self, count: int) -> "Evidence":
        """With so many keys more."""
        return replace(self, redis_keys=self.redis_keys + count)

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        objects = {
            kind: {"objects": removed.objects, "bytes": removed.bytes}
            for kind, removed in self.objects.items()
        }
        return {"rows": dict(self.rows), "objects": objects, "redis_keys": self.redis_keys}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Evidence":
        """From what `stored` made, or from nothing."""
        return cls(
            rows=stored.get("rows", {}),
            objects={
                kind: Removed(removed["objects"], removed["bytes"])
                for kind, removed in stored.get("objects", {}).items()
            },
            redis_keys=stored.get("redis_keys", 0),
        )
