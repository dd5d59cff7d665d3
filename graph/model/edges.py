"""What an edge of the code graph can say: kinds, how certain, and by which rule it was found.

Codes are stored; like those of nodes they are only ever added. Present tense, source to target.
"""

from dataclasses import dataclass
from enum import IntEnum


class EdgeKind(IntEnum):
    """Kinds of edge by their stored code; `EDGE_KINDS` says what each means."""

    CONTAINS = 1
    DEFINES = 2
    IMPORTS = 3
    CALLS = 4
    INSTANTIATES = 5
    REFERENCES = 6
    READS = 7
    WRITES = 8
    EXTENDS = 9
    IMPLEMENTS = 10
    OVERRIDES = 11
    DECORATES = 12
    TYPE_OF = 13
    DEPENDS_ON = 14

    @property
    def label(self) -> str:
        """The kind as it is written in answers and filters: `type_of`."""
        return self.name.lower()


class Certainty(IntEnum):
    """How much the evidence leaves open. A bare name without evidence is no edge at all."""

    EXACT = 1  # a scope, import or type rule leaves one target
    INFERRED = 2  # the type of a receiver or value was inferred
    AMBIGUOUS = 3  # several candidates; each has its edge, and carries the count

    @property
    def label(self) -> str:
        """The certainty as it is written in answers and filters."""
        return self.name.lower()


class Rule(IntEnum):
    """The evidence behind an edge; `RULES` has a sentence for each."""

    LEXICAL = 1
    IMPORT = 2
    WILDCARD = 3
    PACKAGE = 4
    MODULE_MEMBER = 5
    RECEIVER = 6
    DECLARED_TYPE = 7
    INFERRED_TYPE = 8
    SUPER = 9
    INHERITED = 10
    BUILTIN = 11
    STRUCTURE = 12
    FLOW = 13

    @property
    def label(self) -> str:
        """The rule as it is written in answers."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class EdgeKindMeaning:
    """One row of the table: the kind, the same edge read backwards, and what it says."""

    kind: EdgeKind
    inverse: str
    meaning: str


EDGE_KINDS: tuple[EdgeKindMeaning, ...] = (
    EdgeKindMeaning(EdgeKind.CONTAINS, "contained_by", "A definition encloses another."),
    EdgeKindMeaning(EdgeKind.DEFINES, "defined_by", "A file introduces a top-level definition."),
    EdgeKindMeaning(EdgeKind.IMPORTS, "imported_by", "A file brings in a name, file or package."),
    EdgeKindMeaning(EdgeKind.CALLS, "called_by", "A call site names a function or method."),
    EdgeKindMeaning(EdgeKind.INSTANTIATES, "instantiated_by", "A call site creates an instance."),
    EdgeKindMeaning(EdgeKind.REFERENCES, "referenced_by", "A definition is named, without a call."),
    EdgeKindMeaning(EdgeKind.READS, "read_by", "The value of a variable or field is used."),
    EdgeKindMeaning(EdgeKind.WRITES, "written_by", "A variable or field is assigned."),
    EdgeKindMeaning(EdgeKind.EXTENDS, "extended_by", "A type takes another as its base."),
    EdgeKindMeaning(EdgeKind.IMPLEMENTS, "implemented_by", "A type fulfils an interface."),
    EdgeKindMeaning(EdgeKind.OVERRIDES, "overridden_by", "A member replaces one of a base type."),
    EdgeKindMeaning(EdgeKind.DECORATES, "decorated_by", "A decorator is applied to a definition."),
    EdgeKindMeaning(EdgeKind.TYPE_OF, "is_type_of", "A declaration names a type."),
    EdgeKindMeaning(EdgeKind.DEPENDS_ON, "dependency_of", "A package needs another package."),
)


@dataclass(frozen=True, slots=True)
class RuleMeaning:
    """One row of the table: the rule and the evidence it stands for."""

    rule: Rule
    meaning: str


RULES: tuple[RuleMeaning, ...] = (
    RuleMeaning(Rule.LEXICAL, "An enclosing scope of the same file binds the name."),
    RuleMeaning(Rule.IMPORT, "An import binds the name."),
    RuleMeaning(Rule.WILDCARD, "A wildcard import provides the name."),
    RuleMeaning(Rule.PACKAGE, "Another file of the same package declares the name."),
    RuleMeaning(Rule.MODULE_MEMBER, "The name is looked up in a module or package value."),
    RuleMeaning(Rule.RECEIVER, "The receiver is the enclosing type itself (self, this)."),
    RuleMeaning(Rule.DECLARED_TYPE, "The receiver's type is declared."),
    RuleMeaning(Rule.INFERRED_TYPE, "The receiver's type follows from an assigned value."),
    RuleMeaning(Rule.SUPER, "The base types of the enclosing type are searched."),
    RuleMeaning(Rule.INHERITED, "A base type of the enclosing type declares the bare name."),
    RuleMeaning(Rule.BUILTIN, "The language itself provides the name."),
    RuleMeaning(Rule.STRUCTURE, "Follows from where the definitions stand."),
    RuleMeaning(Rule.FLOW, "A function value reaches the call through a variable or argument."),
)
