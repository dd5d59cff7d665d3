"""Go."""

from parsers.language import ClassScope, Language, ModuleStyle, ResolutionPolicy
from parsers.languages.go.builtins import BUILTINS
from parsers.languages.go.rules import RULES

LANGUAGES = (
    Language(
        name="go",
        title="Go",
        grammar="go",
        extensions=(".go",),
        rules=RULES,
        policy=ResolutionPolicy(
            family="go",
            module_style=ModuleStyle.DIRECTORY,
            class_scope=ClassScope.HIDDEN,
            package_scope=True,
            last_binding_wins=False,
            structural_interfaces=True,
            builtins=BUILTINS,
            builtin_module="builtin",
        ),
    ),
)
