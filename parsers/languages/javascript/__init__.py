"""JavaScript and TypeScript: one language in three grammars."""

from parsers.language import ClassScope, Language, ModuleStyle, ResolutionPolicy
from parsers.languages.javascript.builtins import (
    BUILTIN_MEMBERS,
    BUILTINS,
    CALL_FORMS,
    LIBRARY,
    TYPE_FORMS,
)
from parsers.languages.javascript.members import settle
from parsers.languages.javascript.rules import JAVASCRIPT, TSX, TYPESCRIPT

_POLICY = ResolutionPolicy(
    family="javascript",
    module_style=ModuleStyle.PATH,
    class_scope=ClassScope.HIDDEN,
    separate_types=True,
    module_suffixes=(".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts"),
    compiled_suffixes={
        ".js": (".ts", ".tsx"),
        ".jsx": (".tsx",),
        ".mjs": (".mts",),
        ".cjs": (".cts",),
    },
    ambient_suffixes=(".d.ts", ".d.mts", ".d.cts"),
    constructors=("constructor",),
    types_in_brackets=False,
    builtins=BUILTINS,
    builtin_module=LIBRARY,
    builtin_names={"list": "Array"},
    entry_names=("index",),
    builtin_members=BUILTIN_MEMBERS,
    type_forms=TYPE_FORMS,
    call_forms=CALL_FORMS,
)

LANGUAGES = (
    Language(
        name="typescript",
        title="TypeScript",
        grammar="typescript",
        extensions=(".ts", ".mts", ".cts"),
        rules=TYPESCRIPT,
        policy=_POLICY,
        finish=settle,
    ),
    Language(
        name="tsx",
        title="TypeScript JSX",
        grammar="tsx",
        extensions=(".tsx",),
        rules=TSX,
        policy=_POLICY,
        finish=settle,
    ),
    Language(
        name="javascript",
        title="JavaScript",
        grammar="javascript",
        extensions=(".js", ".mjs", ".cjs", ".jsx"),
        interpreters=("node", "nodejs", "bun", "deno"),
        rules=JAVASCRIPT,
        policy=_POLICY,
        finish=settle,
    ),
)
