"""Every language: found by looking into `parsers.languages`, where a folder is a language.

Grammars are loaded when first asked for; a process that only resolves names loads none.
"""

import importlib
import pkgutil
from functools import cache
from typing import cast

import tree_sitter
from tree_sitter_language_pack import SupportedLanguage, get_language

import parsers.languages
from parsers.language import Language, Rule


class UnknownNodeType(Exception):
    """A rule names a node type that its grammar does not have."""

    code = "unknown_node_type"


@cache
def languages() -> dict[str, Language]:
    """All languages by name."""
    found: dict[str, Language] = {}
    for module in pkgutil.iter_modules(parsers.languages.__path__):
        package = importlib.import_module(f"parsers.languages.{module.name}")
        for language in cast("tuple[Language, ...]", package.LANGUAGES):
            found[language.name] = language
    return found


@cache
def by_extension() -> dict[str, Language]:
    """Languages by lower-case file extension, with the dot."""
    return {ext: language for language in languages().values() for ext in language.extensions}


@cache
def by_filename() -> dict[str, Language]:
    """Languages by whole file name."""
    return {name: language for language in languages().values() for name in language.filenames}


@cache
def by_interpreter() -> dict[str, Language]:
    """Languages by the program a `#!` line names."""
    return {name: language for language in languages().values() for name in language.interpreters}


@cache
def grammar(name: str) -> tree_sitter.Language:
    """The compiled grammar, from inside the installed wheel."""
    return get_language(cast("SupportedLanguage", name))


@cache
def rules(language_name: str) -> dict[int, Rule]:
    """The language's rules by the grammar's numeric node kinds.

    Raises:
        UnknownNodeType: a rule is for a node the grammar does not know, so it could never run.
    """
    language = languages()[language_name]
    compiled = grammar(language.grammar)
    table: dict[int, Rule] = {}
    for node_type, rule in language.rules.items():
        kinds = _kinds(compiled).get(node_type)
        if not kinds:
            raise UnknownNodeType(f"{language_name}: no node type {node_type}")
        for kind in kinds:
            table[kind] = rule
    return table


@cache
def _kinds(compiled: tree_sitter.Language) -> dict[str, list[int]]:
    """Named node kinds by type; a grammar may have several numbers for one type (aliases)."""
    kinds: dict[str, list[int]] = {}
    for kind in range(compiled.node_kind_count):
        if compiled.node_kind_is_named(kind):
            kinds.setdefault(compiled.node_kind_for_id(kind) or "", []).append(kind)
    return kinds
