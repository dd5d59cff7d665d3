"""Every language against its annotated samples: what the file alone says, then what it leads to."""

import pkgutil
from pathlib import Path

import pytest

import parsers.languages
from parsers import registry
from tests import annotated

SAMPLES = [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in annotated.samples()]


@pytest.mark.parametrize("path", SAMPLES)
def test_definitions_and_uses_are_those_that_the_sample_claims(path: Path) -> None:
    assert "\n".join(annotated.read(path).failures("defines", "refers")) == ""


@pytest.mark.parametrize("path", SAMPLES)
def test_uses_lead_where_the_sample_claims(path: Path) -> None:
    assert "\n".join(annotated.read(path).failures("resolves")) == ""


@pytest.mark.parametrize("path", SAMPLES)
def test_a_claim_that_is_wrong_is_noticed(path: Path) -> None:
    sample = annotated.read(path)
    assert sample.claims
    sample.claims = [
        annotated.Claim(c.path, c.line, c.column, c.verb, "function no.such.name", c.sample_line)
        for c in sample.claims
    ]
    places = {(c.verb, c.path, c.line, c.column) for c in sample.claims}
    assert len(sample.failures("defines", "refers", "resolves")) == len(places)


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(parsers.languages.__path__)])
def test_every_language_has_samples_that_define_and_resolve(name: str) -> None:
    folder = annotated.SAMPLES / name
    claims = [
        claim.verb
        for path in annotated.samples()
        if path.parent == folder
        for claim in annotated.read(path).claims
    ]
    assert {"defines", "refers", "resolves"} <= set(claims)


def test_every_rule_is_for_a_node_that_its_grammar_knows() -> None:
    for name in registry.languages():
        assert registry.rules(name)
