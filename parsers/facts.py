"""What one file says, by itself: the facts. They know neither the file's path nor any other file.

Facts are a small program-shaped record, the same for every language:

*Scopes* nest. *Definitions* bind names in a scope and may open one. *Imports* bind names to
something another file defines. *Expressions* are the uses: names, members, calls, literals. They
form trees by their operands, and each name already says what the file alone can tell about it, in
`Expression.binding`. Whatever needs a second file - which file an import means, which type a
receiver has - is left to `graph.resolve`.

Positions are 1-based lines and 0-based columns in UTF-16 code units, as SCIP and LSP count them.
Indices point into the lists of the same `FileFacts`; `NONE` (-1) means there is nothing.

Structs are encoded as arrays, so the order of fields is the format: a change raises
`FACTS_VERSION` in `parsers.codec`.
"""

from enum import IntEnum
from typing import Final

import msgspec

NONE = -1


class DefinitionKind(IntEnum):
    """What a definition is, as far as syntax says it."""

    CLASS = 1
    INTERFACE = 2
    TRAIT = 3
    STRUCT = 4
    ENUM = 5
    ENUM_MEMBER = 6
    FUNCTION = 7
    METHOD = 8
    CONSTRUCTOR = 9
    PROPERTY = 10
    FIELD = 11
    VARIABLE = 12
    CONSTANT = 13
    PARAMETER = 14
    TYPE_ALIAS = 15
    MACRO = 16
    NAMESPACE = 17
    TYPE_PARAMETER = 18
    LAMBDA = 19  # a function without a name; its calls belong to what encloses it
    OBJECT = 20  # a literal with named members, or a class or type without a name


class Flag:
    """What else a definition's syntax says: bits of `Definition.flags`.

    Plain integers: the operators of an `IntFlag` cost a tenth of the whole extraction.
    """

    EXPORTED: Final = 1  # visible outside its file (or package, where the language draws it there)
    STATIC: Final = 2
    ABSTRACT: Final = 4
    ASYNC: Final = 8
    GENERATOR: Final = 16
    CLASS_METHOD: Final = 32  # its receiver is the type, not an instance
    OVERLOAD: Final = 64  # a signature whose implementation stands elsewhere
    RECEIVER: Final = 128  # a parameter that is the receiver: self, cls, Go's receiver
    VARIADIC: Final = 256  # a parameter that takes the rest of the arguments
    KEYWORDS: Final = 512  # a parameter that takes the rest of the keyword arguments
    LOCAL: Final = 1024  # a variable or parameter that cannot be seen outside its function
    DEFAULT_EXPORT: Final = 2048
    OPTIONAL: Final = 4096  # a parameter that a call may leave out
    DECLARATION: Final = 8192  # declared here, defined elsewhere (ambient declarations)
    EMBEDDED: Final = 16384  # a field whose members are promoted to the enclosing type
    CONDITIONAL: Final = 32768  # bound in one branch of several: a sibling may bind it otherwise
    ALIAS: Final = 131072  # a variable that stands for the import it is given, if that is known
    RECEIVES: Final = 65536  # a function with a receiver of its own, which `this` means inside it


class ScopeKind(IntEnum):
    """What kind of region a scope is; it decides what is visible from within."""

    FILE = 1
    CLASS = 2
    FUNCTION = 3
    BLOCK = 4
    COMPREHENSION = 5
    NAMESPACE = 6


class Role(IntEnum):
    """What a name or member is used for at its place."""

    READ = 0
    CALL = 1  # the callee of a call
    TYPE = 2  # a declared type
    WRITE = 3  # the target of an assignment
    BASE = 4  # a base type that is extended
    INTERFACE = 5  # a base type that is implemented
    DECORATOR = 6
    EXPORT = 7  # named in an export clause
    CONSTRUCT = 8  # the type of an explicit construction: new Foo()


class Op(IntEnum):
    """What an expression does. In brackets: its operands."""

    NAME = 1  # an identifier; `name`, `binding`
    MEMBER = 2  # [object]; `name`
    CALL = 3  # [callee, arguments...]
    NEW = 4  # [type, arguments...]: an instance of the type
    INDEX = 5  # [object, keys...]; in a type: type arguments; `name` holds a literal key
    LITERAL = 6  # `name` is the language's own type of the literal: str, int, boolean
    SEQUENCE = 7  # [elements...]; `name` is the container's type: list, tuple, set, Array, []
    MAPPING = 8  # [key, value, key, value, ...]; `name` is the container's type: dict, map
    DEFINITION = 9  # a lambda, class expression or object literal; `binding` is its definition
    THIS = 10  # the receiver, where the language has a word for it
    SUPER = 11  # the receiver seen as its base types
    UNION = 12  # [alternatives...]: a conditional, `or`, a union type
    AWAIT = 13  # [value]
    ITERATE = 14  # [container]: one element of it; `name` = "key" for a mapping's keys only
    ELEMENT = 15  # [container]: the element at the position `name` (destructuring a sequence)
    KEYWORD = 16  # [value]: an argument passed by the name `name`
    SPREAD = 17  # [value]: its elements are passed or collected one by one
    CAST = 18  # [type, value]: taken to be an instance of the type
    FUNCTION_TYPE = 19  # [result, parameters...]: the type of functions; the latter may be left out
    YIELD = 20  # [value]
    ENTER = 21  # [manager]: what a context manager gives
    ASSIGN = 22  # [target]: assigned to what is no plain name; `binding`: operand of the value
    STRING = 23  # a string whose text is `name`, where the text can matter (keys, annotations)
    IMPORT = 24  # an import written as an expression; `binding` is its import
    INSTANCE = 25  # [type]: any instance of the type, e.g. what a type switch or catch clause gives
    ARGUMENT_OF = 26  # [call]: reserved for an argument's position, `name` holds it
    TYPE_OF = 27  # [value]: in a type, whatever has the type of the value


class Scope(msgspec.Struct, array_like=True, gc=False):
    """A region of names."""

    kind: int  # ScopeKind
    parent: int  # NONE for the file
    definition: int  # the definition whose body this is, or NONE


class Definition(msgspec.Struct, array_like=True, gc=False):
    """A place that gives a name meaning. Several assignments of one variable are one definition."""

    name: str
    kind: int  # DefinitionKind
    scope: int  # where the name is bound
    line: int  # of the name
    column: int
    start_line: int  # with decorators and modifiers
    end_line: int
    owner: int = NONE  # the definition that encloses it
    body: int = NONE  # the scope it opens
    flags: int = 0  # Flag
    type: int = NONE  # declared type, or result type of a function: an expression
    qualified_name: str = ""  # dotted path of the named definitions around it, and its name
    descriptor: str = ""  # the same in SCIP's grammar, distinct within the file: `Flask#run().`
    signature: str = ""
    doc: str = ""
    values: list[int] = []  # expressions assigned, or returned by a function
    parameters: list[int] = []  # definitions
    bases: list[int] = []  # expressions, in order, with role BASE or INTERFACE
    decorators: list[int] = []  # expressions


class Import(msgspec.Struct, array_like=True, gc=False):
    """A name brought into a scope from elsewhere.

    `import a.b as c` is module a.b without a name; `from a import b` is module a with name b;
    a wildcard has the name `*`; a side-effect import binds nothing and has no alias.
    """

    module: str  # as written, without the leading dots of a relative import
    name: str  # what is taken from the module; "" for the module itself, "*" for everything
    alias: str  # the name bound here; "" if none
    level: int  # leading dots of a relative import; 0 is absolute
    scope: int
    line: int  # of the imported name, or of the module if no name is written
    column: int
    alias_line: int = 0  # of the bound name where it is written apart
    alias_column: int = 0
    reexport: str = ""  # the name under which the file offers it on, "*" for all; "" if it does not
    type_only: bool = False
    default: bool = False  # binds the module's default export


class Export(msgspec.Struct, array_like=True, gc=False):
    """A name the file offers by a clause rather than by a definition's own syntax."""

    name: str  # "default"; "=" when the value is the whole module
    value: int  # expression
    line: int
    column: int


class Expression(msgspec.Struct, array_like=True, gc=False):
    """One use. `binding` of a NAME: >= 0 a definition; <= -2 the import `-2 - binding`; -1 free."""

    op: int
    name: str
    line: int
    column: int
    scope: int
    role: int = 0
    binding: int = NONE
    first: int = 0  # operands[first : first + count]
    count: int = 0


class FileFacts(msgspec.Struct, array_like=True, gc=False):
    """Everything one file says. `operands` holds expression indices, NONE where nothing stands."""

    language: str
    lines: int
    package: str  # the package clause of Go and Java, else ""
    definitions: list[Definition]
    imports: list[Import]
    exports: list[Export]
    scopes: list[Scope]
    expressions: list[Expression]
    operands: list[int]
    partial: str = ""  # why the facts are incomplete, a skip reason; "" if they are not
    errors: int = 0  # regions that the grammar could not parse


def import_binding(index: int) -> int:
    """The `Expression.binding` of a name that the import at `index` binds."""
    return -2 - index


def bound_import(binding: int) -> int:
    """The import that a binding of at most -2 stands for."""
    return -2 - binding
