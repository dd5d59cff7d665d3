"""Keyset pages: which rows come next, and a cursor that says so without saying how.

A cursor holds the sort key of the last row a client has seen, never an offset, so a page costs the
same wherever it lies and nothing is skipped or repeated. It is sealed with AES-GCM, and the list
it belongs to - tenant, route and filters - is sealed with it as associated data. A cursor that was
changed, or is used for another list, does not open. For a list over a snapshot the cursor names
the snapshot too: the pages of one walk agree with each other even when a newer one is published
between them.
"""

import base64
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from graph.errors import CodeloomError

# Sort keys hold what columns hold.
KeyPart = str | int | bytes
Key = tuple[KeyPart, ...]

_VERSION = 1
_NONCE_BYTES = 12
_MAX_CURSOR_CHARACTERS = 16_384

Row = TypeVar("Row")
Other = TypeVar("Other")


class CursorInvalid(CodeloomError):
    """The cursor does not belong to this list."""

    code = "cursor_invalid"
    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, and where to go on: `next_key` is None at its end."""

    rows: list[Row]
    next_key: Key | None

    @staticmethod
    def cut(rows: Sequence[Row], limit: int, key: Callable[[Row], Key]) -> "Page[Row]":
        """A page of `limit` rows out of a read that asked for one more."""
        more = len(rows) > limit
        kept = list(rows[:limit])
        return Page(kept, key(kept[-1]) if more else None)

    def map(self, change: Callable[[Row], Other]) -> "Page[Other]":
        """The same page with every row changed."""
        return Page([change(row) for row in self.rows], self.next_key)


class Position(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor says: after which key to go on, and in which snapshot (empty if in none)."""

    version: int
    snapshot: bytes
    # KeyPart; msgspec cannot check a union of str and bytes, and only we can seal a key.
    key: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """The list a cursor belongs to."""

    tenant: bytes
    route: str
    filters: Mapping[str, object]

    def digest(self) -> bytes:
        """The list as associated data; equal only for the same tenant, route and filters."""
        filters = sorted((name, repr(value)) for name, value in self.filters.items())
        return hashlib.sha256(
            msgspec.msgpack.encode([self.tenant, self.route, filters]),
        ).digest()


class Cursors:
    """Seals and opens cursors with the secret that the API processes share."""

    def __init__(self, secret: bytes) -> None:
        # A key of its own, so that the secret can serve other purposes too.
        self._sealed = AESGCM(hashlib.sha256(b"codeloom cursor\0" + secret).digest())

    def seal(self, binding: Binding, key: Key, snapshot: bytes = b"") -> str:
        """The cursor that continues after `key`."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = msgspec.msgpack.encode(Position(_VERSION, snapshot, key))
        sealed = nonce + self._sealed.encrypt(nonce, plain, binding.digest())
        return _printed(sealed)

    def open(self, binding: Binding, cursor: str) -> Position:
        """What the cursor says.

        Raises CursorInvalid when it was changed, or made for another tenant, route or filter.
        """
        if len(cursor) > _MAX_CURSOR_CHARACTERS or not cursor.isascii():
            raise CursorInvalid
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            if _printed(sealed) != cursor:
                raise CursorInvalid  # base64 lets several texts stand for the same bytes
            nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            plain = self._sealed.decrypt(nonce, text, binding.digest())
            position = msgspec.msgpack.decode(plain, type=Position)
        except (ValueError, InvalidTag, msgspec.MsgspecError) as error:
            raise CursorInvalid from error
        if position.version != _VERSION:
            raise CursorInvalid
        return position


def _printed(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")
