"""What a key looks like: a prefix that secret scanners know, 36 random characters, a checksum.

The checksum is the CRC-32 of all that stands before it, so that a typing error costs no look-up.
It protects nothing: only who has the 214 random bits has the key.
"""

import hashlib
import re
import secrets
import zlib

TENANT_KEY = "cl_live_"
OPERATOR_KEY = "cl_oper_"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH = 36
_CHECKSUM_LENGTH = 6
_BODY = re.compile(rf"[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")


def new_secret(prefix: str) -> str:
    """A key that nobody has."""
    body = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + checksum(body)


def well_formed(secret: str, prefix: str) -> bool:
    """Whether this can be a key of the kind at all: its form and its checksum are right."""
    return (
        secret.startswith(prefix)
        and _BODY.fullmatch(secret, len(prefix)) is not None
        and checksum(secret[:-_CHECKSUM_LENGTH]) == secret[-_CHECKSUM_LENGTH:]
    )


def checksum(body: str) -> str:
    """The CRC-32 of the text as six digits to the base of 62, the highest first."""
    number = zlib.crc32(body.encode())
    characters = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        characters = _ALPHABET[digit] + characters
    return characters


def digest(secret: str) -> bytes:
    """What is kept of a key: 214 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()
