"""How values become bytes on the wire, and which strings may come in.

Text that a client sends can hold what neither JSON nor PostgreSQL can carry back: NUL characters
and halves of surrogate pairs. Both are refused at the door, so no room behind it has to think of
them; where a refusal quotes such text, it is escaped.
"""

import re
from typing import Annotated

import msgspec
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, Strict

_encoder = msgspec.json.Encoder()
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")


def encode(value: object) -> bytes:
    """JSON bytes of plain values. Lone surrogates would raise, so quote text with `printable`."""
    return _encoder.encode(value)


def printable(text: str) -> str:
    """The text with everything escaped that UTF-8 cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain halves of surrogate pairs")
    return text


# A string that PostgreSQL can store and JSON can carry. The API document can only tell the first.
Text = Annotated[
    str,
    AfterValidator(_storable),
    Field(json_schema_extra={"pattern": r"^[^\u0000]*$"}),
]


def _written(value: object) -> object:
    if not isinstance(value, str) or _DATE_TIME.match(value) is None:
        raise ValueError("must be a date and a time, such as 2026-01-31T00:00:00Z")
    return value


# A time with its offset. A number would be taken for the seconds since 1970.
Moment = Annotated[AwareDatetime, BeforeValidator(_written)]


def _number(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")  # noqa: TRY004  what the validator listens for
    return value


# Of bodies. In a query everything is a text; in JSON `false` is not 0, nor is "7" a number, while
# 7.0 is a whole one. Stands behind the bounds of a number, which are not told otherwise.
NUMBER = BeforeValidator(_number)
Flag = Annotated[bool, Strict()]
