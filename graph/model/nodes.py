"""What a node of the code graph can be: one row per kind, the code is what the database stores.

A code, once published, is never reused and never changes its meaning: stored rows outlive releases.
"""

from dataclasses import dataclass
from enum import IntEnum


class NodeKind(IntEnum):
    """Kinds of node by their stored code; `NODE_KINDS` says what each means."""

    FILE = 1
    MODULE = 2
    NAMESPACE = 3
    PACKAGE = 4
    CLASS = 5
    INTERFACE = 6
    TRAIT = 7
    STRUCT = 8
    ENUM = 9
    ENUM_MEMBER = 10
    FUNCTION = 11
    METHOD = 12
    CONSTRUCTOR = 13
    PROPERTY = 14
    FIELD = 15
    VARIABLE = 16
    CONSTANT = 17
    PARAMETER = 18
    TYPE_ALIAS = 19
    MACRO = 20
    EXTERNAL_SYMBOL = 21
    EXTERNAL_PACKAGE = 22

    @property
    def label(self) -> str:
        """The kind as it is written in answers and filters: `enum_member`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class NodeKindMeaning:
    """One row of the table: the kind and what a node of it stands for."""

    kind: NodeKind
    meaning: str


NODE_KINDS: tuple[NodeKindMeaning, ...] = (
    NodeKindMeaning(NodeKind.FILE, "One path of the snapshot, parsed or skipped."),
    NodeKindMeaning(NodeKind.MODULE, "A module that is not the same thing as one file."),
    NodeKindMeaning(NodeKind.NAMESPACE, "A named region that only groups names."),
    NodeKindMeaning(NodeKind.PACKAGE, "A folder or clause that several files share as one space."),
    NodeKindMeaning(NodeKind.CLASS, "A class, record or annotation type."),
    NodeKindMeaning(NodeKind.INTERFACE, "A type that declares members without a state."),
    NodeKindMeaning(NodeKind.TRAIT, "A bundle of members mixed into other types."),
    NodeKindMeaning(NodeKind.STRUCT, "A named record type, with or without methods."),
    NodeKindMeaning(NodeKind.ENUM, "A type with a closed list of members."),
    NodeKindMeaning(NodeKind.ENUM_MEMBER, "One member of an enum."),
    NodeKindMeaning(NodeKind.FUNCTION, "A named function outside a type."),
    NodeKindMeaning(NodeKind.METHOD, "A function that belongs to a type."),
    NodeKindMeaning(NodeKind.CONSTRUCTOR, "The method that initialises a new instance."),
    NodeKindMeaning(NodeKind.PROPERTY, "A method that is read or written like a field."),
    NodeKindMeaning(NodeKind.FIELD, "A variable that belongs to a type or its instances."),
    NodeKindMeaning(NodeKind.VARIABLE, "A variable of a file, package or namespace."),
    NodeKindMeaning(NodeKind.CONSTANT, "A variable that its language forbids to assign again."),
    NodeKindMeaning(NodeKind.PARAMETER, "A parameter that other nodes refer to."),
    NodeKindMeaning(NodeKind.TYPE_ALIAS, "A second name of a type."),
    NodeKindMeaning(NodeKind.MACRO, "A name that is expanded before compilation."),
    NodeKindMeaning(NodeKind.EXTERNAL_SYMBOL, "A symbol that is used here and defined elsewhere."),
    NodeKindMeaning(NodeKind.EXTERNAL_PACKAGE, "A module or package imported from elsewhere."),
)
