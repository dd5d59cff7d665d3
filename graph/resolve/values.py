"""What an expression can stand for, as resolution sees it.

A *target* is what a name leads to: a definition, or something that is no definition of this
repository. A *value* is what using the name gives: a class, an instance, a function, a module. Both
are small tuples and ints, because millions of them pass through.
"""

from enum import IntEnum
from typing import NamedTuple

# A definition anywhere in the repository: the file's index and the definition's, in one int.
DefinitionKey = int

_BITS = 24
_MASK = (1 << _BITS) - 1

# No more alternatives than this are followed; beyond it a name says nothing.
MAX_VALUES = 12


def key_of(file: int, definition: int) -> DefinitionKey:
    """The key of a definition."""
    return file << _BITS | definition


def file_of(key: DefinitionKey) -> int:
    """The index of the file a definition stands in."""
    return key >> _BITS


def definition_of(key: DefinitionKey) -> int:
    """The index of a definition in its file's facts."""
    return key & _MASK


class Tag(IntEnum):
    """What kind of value it is."""

    INSTANCE = 0  # of the class `key`; `arguments` are its type arguments
    CLASS = 1  # the class `key` itself
    FUNCTION = 2  # `key`; `arguments[0]`, if any, is the receiver it is bound to
    MODULE = 3  # the file with index `key`
    PACKAGE = 4  # the package or folder `name`
    EXTERNAL = 5  # the symbol `name`, defined elsewhere
    EXTERNAL_INSTANCE = 6  # an instance of the external or builtin type `name`
    SUPER = 7  # the base types of the class `key`, seen from an instance of it


class Value(NamedTuple):
    """One alternative of what an expression stands for."""

    tag: int
    key: int = -1
    name: str = ""
    arguments: tuple["Values", ...] = ()


Values = tuple[Value, ...]
Target = DefinitionKey | Value
Targets = tuple[Target, ...]

NOTHING: Values = ()


def join(groups: list[Values]) -> Values:
    """All alternatives once, in order of appearance, cut at `MAX_VALUES`."""
    if len(groups) == 1:
        return groups[0]
    seen: dict[Value, None] = {}
    for group in groups:
        for value in group:
            seen[value] = None
    return tuple(seen)[:MAX_VALUES]


def instance(value: Value) -> Value:
    """An instance of a class; anything else as it is."""
    if value.tag == Tag.CLASS:
        return Value(Tag.INSTANCE, value.key, "", value.arguments)
    if value.tag == Tag.EXTERNAL:
        return Value(Tag.EXTERNAL_INSTANCE, -1, value.name, value.arguments)
    return value


def instances(values: Values) -> Values:
    """`instance` of each."""
    return tuple([instance(value) for value in values])
