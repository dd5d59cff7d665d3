"""The keys that seal the secrets of tenants, and the form of what they seal.

A secret is sealed with AES-256-GCM for one place: tenant, credential and purpose are sealed with
it, so that it opens nowhere else, also where rows are swapped. What is sealed says which key
sealed it:

    version, 1 byte | length of the key's id, 1 byte | id of the key | what the key sealed

The keys themselves are behind `KeyProvider`, which a key management service can stand behind: it
seals and opens a few hundred bytes in a context, under a key that it has by a name.

Of several keys the first seals and all open. To change keys: add the new one behind the old one
everywhere, then put it first, then seal everything again (`graph.storage.resealing`); then the old
one can go.
"""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from graph.errors import CodeloomError, SettingMissing
from graph.model.ids import CredentialId, TenantId
from graph.settings import Settings
from graph.storage import private_file

Purpose = Literal["git"]

_VERSION = 1
_NONCE_BYTES = 12
_KEY_BYTES = 32
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_FILE = "credential-keys"


class SecretUnreadable(CodeloomError):
    """A stored secret is damaged, or is not in the place that it was sealed for."""

    code = "secret_unreadable"
    kind = "internal"


class SecretKeyMissing(CodeloomError):
    """A stored secret was sealed with a key that this process does not have."""

    code = "secret_key_missing"
    kind = "internal"


@dataclass(frozen=True, slots=True)
class Place:
    """What a secret is sealed for."""

    tenant_id: TenantId
    credential_id: CredentialId
    purpose: Purpose = "git"

    @property
    def context(self) -> bytes:
        """The associated data; the ids have a fixed length, so no two places have the same."""
        return f"v{_VERSION}|{self.tenant_id}|{self.credential_id}|{self.purpose}".encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is stored, and which key sealed it."""

    body: bytes
    key_id: str


class KeyProvider(Protocol):
    """Whoever has the keys."""

    @property
    def current(self) -> str:
        """The id of the key that seals."""

    def seal(self, key_id: str, secret: bytes, context: bytes) -> bytes:
        """The secret, sealed in the context with this key."""

    def open(self, key_id: str, sealed: bytes, context: bytes) -> bytes:
        """The secret; raises SecretKeyMissing, or SecretUnreadable if this is another context."""


@dataclass(frozen=True, slots=True)
class LocalKeys:
    """Keys that this process holds itself; the first seals, all open."""

    keys: Mapping[str, AESGCM] = field(repr=False)

    @property
    def current(self) -> str:
        """The id of the key that seals."""
        return next(iter(self.keys))

    def seal(self, key_id: str, secret: bytes, context: bytes) -> bytes:
        """A random nonce, and the secret behind it; fit for 2^32 secrets a key."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self.keys[key_id].encrypt(nonce, secret, context)

    def open(self, key_id: str, sealed: bytes, context: bytes) -> bytes:
        """The secret; raises SecretKeyMissing or SecretUnreadable."""
        key = self.keys.get(key_id)
        if key is None:
            raise SecretKeyMissing
        try:
            return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            # Without its cause: nothing about the bytes is to be learned from a log.
            raise SecretUnreadable from None


@dataclass(frozen=True, slots=True)
class Keyring:
    """Seals secrets for their places, and opens them there."""

    provider: KeyProvider = field(repr=False)

    @property
    def current(self) -> str:
        """The id of the key that seals."""
        return self.provider.current

    def seal(self, secret: SecretStr, place: Place) -> Sealed:
        """The secret, in the form that is stored."""
        key_id = self.current
        plain = secret.get_secret_value().encode()
        sealed = self.provider.seal(key_id, plain, place.context)
        return Sealed(bytes((_VERSION, len(key_id))) + key_id.encode() + sealed, key_id)

    def open(self, sealed: bytes, place: Place) -> SecretStr:
        """The secret. Raises SecretUnreadable or SecretKeyMissing."""
        key_id, body = _parts(sealed)
        return SecretStr(self.provider.open(key_id, body, place.context).decode())


def of(settings: Settings) -> Keyring:
    """The keyring of CREDENTIAL_KEYS, or else of the file that is kept in the state directory.

    The file is read each time, so that a key that was added to it is there at once. Raises
    SettingMissing when the keys cannot be read or are no keys.
    """
    if settings.credential_keys:
        return Keyring(LocalKeys(parsed(settings.credential_keys)))
    try:
        entries = private_file.kept(settings.codeloom_home / _FILE, new_entry_line)
    except OSError as error:
        raise SettingMissing(
            "Set CREDENTIAL_KEYS, or CODELOOM_HOME to a directory that can be written.",
        ) from error
    return Keyring(LocalKeys(parsed(entries.decode("ascii", "replace"))))


def parsed(entries: str) -> dict[str, AESGCM]:
    """The keys of a text of `id:base64` entries, between commas or spaces.

    Raises SettingMissing, which says what is wrong and nothing of the text.
    """
    keys: dict[str, AESGCM] = {}
    for place, entry in enumerate(re.split(r"[,\s]+", entries.strip(", \t\r\n")), 1):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if _KEY_ID.fullmatch(key_id) is None or len(key) != _KEY_BYTES or key_id in keys:
            raise SettingMissing(
                f"Entry {place} of CREDENTIAL_KEYS is not an id of its own, a colon and"
                f" {_KEY_BYTES} bytes in base64."
            ) from None
        keys[key_id] = AESGCM(key)
    return keys


def new_entry() -> str:
    """A key that nobody has, as an entry of CREDENTIAL_KEYS."""
    encoded = base64.b64encode(AESGCM.generate_key(bit_length=8 * _KEY_BYTES)).decode()
    return f"k{secrets.token_hex(4)}:{encoded}"


def new_entry_line() -> bytes:
    """The same, as the first line of a file."""
    return f"{new_entry()}\n".encode()


def _parts(sealed: bytes) -> tuple[str, bytes]:
    """The key's id and what it sealed; raises SecretUnreadable for what we never made."""
    length = sealed[1] if len(sealed) > 1 and sealed[0] == _VERSION else 0
    key_id = sealed[2 : 2 + length].decode("ascii", "replace")
    if _KEY_ID.fullmatch(key_id) is None:
        raise SecretUnreadable
    return key_id, sealed[2 + length :]
