"""What a language is to the rest of Codeloom: names, a grammar, a table of rules and a policy.

A language is data plus small functions. The *rules* say what each grammar node means as a fact;
the *policy* says how names are resolved. Shared code reads these tables and never asks which
language it has in hand.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

    from parsers.walk import Walk

# rule(walk, node, dest, scope, role): records what the node says. `dest` is the operand that waits
# for the node's value, or NONE; `scope` and `role` are what the parent says about its place.
Rule = Callable[["Walk", "Node", int, int, int], None]


class ClassScope(StrEnum):
    """Who sees the members of a class by their bare name."""

    HIDDEN = "hidden"  # nobody: members are always reached through a receiver
    BODY = "body"  # only the statements of the class body itself
    NESTED = "nested"  # everything inside the class, and bare calls imply the receiver


class ModuleStyle(StrEnum):
    """How a file's path, or a clause in it, names the module it belongs to."""

    DOTTED = "dotted"  # a.b.c is a/b/c, relative dots climb
    PATH = "path"  # './x' and package entry points, tsconfig paths
    DIRECTORY = "directory"  # a folder is a package; the path starts with the module's own name
    CLAUSE = "clause"  # the package clause decides, whatever the folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionPolicy:
    """How names are looked up, as data; `graph.resolve` has the algorithms."""

    family: str  # languages of one family see each other's names
    module_style: ModuleStyle
    class_scope: ClassScope
    package_scope: bool = False  # files of one package see each other's top-level names
    # How the names of files end whose declarations all files see, unless they import or export.
    ambient_suffixes: tuple[str, ...] = ()
    inherited_names: bool = False  # bare names are also members of base types
    last_binding_wins: bool = True  # a later binding in the same scope replaces an earlier one
    constructors: tuple[str, ...] = ()  # methods that an instantiation runs, first found
    call_method: str = ""  # the method that a call of an instance runs
    # The methods behind syntax, first found: what `iterate`, `index` and `enter` call.
    protocols: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decorators_run: bool = True  # a decorator is called where it stands; an annotation is not
    builtins: frozenset[str] = frozenset()
    # Whether brackets behind a function or type of its own are type arguments: `first[int](x)`.
    types_in_brackets: bool = True
    builtin_module: str = "builtins"  # where the builtins are said to live
    # What the language calls the types that syntax makes everywhere: list, dict, tuple.
    builtin_names: Mapping[str, str] = field(default_factory=dict)
    # Methods, types and variables of one name are different things, told apart by their use.
    separate_names: bool = False
    # Types and values of one name are different things, told apart by their use.
    separate_types: bool = False
    overload_by_arity: bool = False  # several methods of one name differ by their parameters
    root_type: str = ""  # the builtin type that every value has
    # The other types that a value of a builtin final type is taken for where a parameter asks for
    # them, nearest first. What is not listed here is not known, except that it is none of the keys.
    conversions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    structural_interfaces: bool = False  # a type implements what it has the methods of
    entry_names: tuple[str, ...] = ()  # files that stand for their folder: __init__, index
    module_suffixes: tuple[str, ...] = ()  # what a module's name lacks to be a path, best first
    # What a file with this suffix may be compiled from, where imports name the compiled file.
    compiled_suffixes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Members of builtin types that give back the type of an element or of the value itself; the
    # keys are `type.member` or `*.member`, the values `self`, `element`, `key`, `value`, `owner`
    # (for a function of the type itself) or a builtin type.
    builtin_members: Mapping[str, str] = field(default_factory=dict)
    builtin_fields: Mapping[str, str] = field(default_factory=dict)  # `type.field`: builtin type
    # What a type written `name[arguments]` comes to, by the name's full dotted form: `union` of its
    # arguments, the `first` one, the `class` itself, a `callable`, or `=type` for another name.
    type_forms: Mapping[str, str] = field(default_factory=dict)
    # What a call of a function from elsewhere gives: `same` as its first argument, an `element` of
    # it, a `sequence` of its elements, `pairs` of position and element, a `cast` to it.
    call_forms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One supported language. A folder of `parsers.languages` holds one or several of them."""

    name: str  # as shown and stored: python, typescript
    title: str  # as written for people: Python, TypeScript
    grammar: str  # the name of the grammar in tree-sitter-language-pack
    extensions: tuple[str, ...]  # with the dot
    filenames: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()  # of a #! line
    rules: Mapping[str, Rule]  # by grammar node type; what is missing is passed through
    policy: ResolutionPolicy
    finish: Callable[["Walk"], None] | None = None  # runs once, after the last node
    # Changes whenever the rules do, so that cached facts of older rules are not reused.
    version: int = 1
