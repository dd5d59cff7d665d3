"""Python."""

from parsers.language import ClassScope, Language, ModuleStyle, ResolutionPolicy
from parsers.languages.python.builtins import (
    BUILTIN_MEMBERS,
    BUILTINS,
    CALL_FORMS,
    TYPE_FORMS,
)
from parsers.languages.python.rules import RULES

LANGUAGES = (
    Language(
        name="python",
        title="Python",
        grammar="python",
        extensions=(".py", ".pyi", ".pyw"),
        filenames=("SConstruct", "SConscript", "wscript"),
        interpreters=("python", "python3", "python2"),
        rules=RULES,
        policy=ResolutionPolicy(
            family="python",
            module_style=ModuleStyle.DOTTED,
            class_scope=ClassScope.BODY,
            constructors=("__init__", "__new__"),
            call_method="__call__",
            protocols={
                "iterate": ("__iter__", "__aiter__"),
                "index": ("__getitem__",),
                "enter": ("__enter__", "__aenter__"),
            },
            builtins=BUILTINS,
            builtin_module="builtins",
            entry_names=("__init__",),
            module_suffixes=(".py", ".pyi"),
            builtin_members=BUILTIN_MEMBERS,
            type_forms=TYPE_FORMS,
            call_forms=CALL_FORMS,
        ),
    ),
)
