"""What the documents say is what the system has."""

import importlib
import pkgutil
import re
from pathlib import Path

import graph
import workers
from graph.settings import Settings
from parsers import registry
from service import errors

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))
    assert documented | {"CODELOOM_FAILPOINT"} == {name.upper() for name in Settings.model_fields}


def test_documented_defaults_are_those_of_the_settings() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)`", text, re.MULTILINE)
    defaults = {name: Settings.model_fields[name.lower()].default for name, _ in rows}
    for name, documented in rows:
        default = defaults[name]
        if isinstance(default, bool | int | str):
            assert documented == str(default).lower(), name


def test_every_error_code_is_documented_with_its_status() -> None:
    # Which errors are known depends on what was imported: here, everything that defines one.
    for room in (graph, workers):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    text = (ROOT / "docs/errors.md").read_text()
    documented = set(re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", text, re.MULTILINE))
    assert documented == {
        (problem.code, str(problem.status)) for problem in errors.all_problems().values()
    }


def test_the_readme_lists_the_languages_that_are_parsed() -> None:
    text = (ROOT / "README.md").read_text()
    listed = {
        suffix
        for row in re.findall(r"^\| [^|]+ \| (`\.[^|]+) \|$", text, re.MULTILINE)
        for suffix in re.findall(r"`(\.[a-z]+)`", row)
    }
    assert listed == {
        f".{suffix.lstrip('.')}"
        for language in registry.languages().values()
        for suffix in language.extensions
    }


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), (document.name, target)
