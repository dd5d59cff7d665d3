"""Java."""

from parsers.language import ClassScope, Language, ModuleStyle, ResolutionPolicy
from parsers.languages.java.builtins import (
    BUILTIN_FIELDS,
    BUILTIN_MEMBERS,
    BUILTINS,
    CONVERSIONS,
)
from parsers.languages.java.rules import RULES
from parsers.languages.java.statements import settle_labels

LANGUAGES = (
    Language(
        name="java",
        title="Java",
        grammar="java",
        extensions=(".java",),
        rules=RULES,
        policy=ResolutionPolicy(
            family="java",
            module_style=ModuleStyle.CLAUSE,
            class_scope=ClassScope.NESTED,
            package_scope=True,
            inherited_names=True,
            decorators_run=False,
            separate_names=True,
            overload_by_arity=True,
            builtins=BUILTINS,
            builtin_module="java.lang",
            root_type="Object",
            conversions=CONVERSIONS,
            builtin_members=BUILTIN_MEMBERS,
            builtin_fields=BUILTIN_FIELDS,
        ),
        finish=settle_labels,
    ),
)
