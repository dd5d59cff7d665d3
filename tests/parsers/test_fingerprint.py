"""The key of cached facts changes with whatever could change them, and with nothing else."""

import dataclasses
import shutil
from pathlib import Path

import pytest

import parsers.languages
from parsers import fingerprint as module
from parsers import registry
from parsers.fingerprint import fingerprint, pipeline
from parsers.language import Language

SHA = "0123456789abcdef0123456789abcdef01234567"
PYTHON = registry.languages()["python"]


@pytest.fixture(autouse=True)
def forgotten() -> None:
    pipeline.cache_clear()


def key(language: Language = PYTHON, sha: str = SHA) -> bytes:
    pipeline.cache_clear()
    return fingerprint(sha, language)


def test_equal_bytes_and_equal_rules_give_one_key() -> None:
    assert key() == key()
    assert len(key()) == 16


def test_other_bytes_give_another_key() -> None:
    assert key() != key(sha=SHA[::-1])
    assert key() != key(sha="0" * 64)


def test_languages_do_not_share_keys() -> None:
    keys = {key(language) for language in registry.languages().values()}
    assert len(keys) == len(registry.languages())


@pytest.mark.parametrize("name", ["codec.py", "walk.py", "languages/python/targets.py"])
def test_a_changed_rule_changes_the_key(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(module.__file__).parent
    copy = shutil.copytree(root, tmp_path / "parsers")
    monkeypatch.setattr(module, "__file__", str(copy / "fingerprint.py"))
    before = key()
    with (copy / name).open("a") as source:
        source.write("# changed\n")
    assert key() != before


def test_what_alters_no_facts_leaves_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(Path(module.__file__).parent, tmp_path / "parsers")
    monkeypatch.setattr(module, "__file__", str(copy / "fingerprint.py"))
    before = key()
    (copy / "detect.py").write_text("")
    (copy / "languages" / "other").mkdir()
    (copy / "languages" / "other" / "rules.py").write_text("")
    assert key() == before


def test_the_language_version_and_the_format_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    newer = dataclasses.replace(PYTHON, version=PYTHON.version + 1)
    languages = {**registry.languages(), "python": newer}
    monkeypatch.setattr(registry, "languages", lambda: languages)
    monkeypatch.setattr(module, "_folder", lambda _language: "python")
    assert key(newer) != before
    monkeypatch.undo()
    monkeypatch.setattr(module, "FACTS_VERSION", 10_000)
    assert key() != before


def test_every_language_is_found_in_its_folder() -> None:
    for language in registry.languages().values():
        folder = Path(parsers.languages.__path__[0]) / module._folder(language)
        assert folder.is_dir()
