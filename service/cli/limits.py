"""Limits as a person types them."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from service.cli.screen import CommandFailed

Limit = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=NUMBER", help="A limit, such as repositories=100; repeatable."),
]
NoLimit = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Take back a limit that was given; repeatable."),
]


def merged(
    known: Mapping[str, int], given: Sequence[str] | None, taken_back: Sequence[str] | None = None
) -> dict[str, int]:
    """The known limits with those that were given and without those that were taken back.

    Raises CommandFailed for what is not written like a limit, and for taking back what is not
    there. Whether there is such a resource, the room that stores it says.
    """
    limits = dict(known)
    for name in taken_back or ():
        if limits.pop(name, None) is None:
            raise CommandFailed(f"There is no limit of {name} here to be taken back.")
    for one in given or ():
        name, _, number = one.partition("=")
        if not number.isascii() or not number.isdigit():
            raise CommandFailed(f"{one} is not a limit.", "Write it like repositories=100.")
        limits[name] = int(number)
    return limits


def told(limits: Mapping[str, int]) -> str:
    """The same on one line."""
    return " ".join(f"{name}={number}" for name, number in sorted(limits.items()))
