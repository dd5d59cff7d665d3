"""Whatever a file holds: a verdict in time, the parent unharmed, its neighbours none the wiser."""

from collections import Counter

import pytest

from parsers import codec, registry
from parsers.codec import EncodedFacts
from parsers.extract import Limits, extract
from parsers.facts import FileFacts
from parsers.sandbox import ParseItem, ParserPool, SandboxLimits
from parsers.skips import SkipReason
from tests.parsers import hostile

# The verdicts that a hostile file may earn; a fault of a rule of ours is none of them.
EXPECTED = {SkipReason.TIMEOUT, SkipReason.TOO_MANY_NODES, SkipReason.MEMORY, SkipReason.TOO_DEEP}
LIMITS = SandboxLimits(file_seconds=3, grace_seconds=3, memory_bytes=1 << 30)


@pytest.mark.slow
@pytest.mark.parametrize("language", hostile.languages())
def test_every_hostile_file_has_a_verdict_and_harms_no_neighbour(language: str) -> None:
    _judge(language, list(hostile.corpus(whole=False)))


@pytest.mark.fuzz
@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", hostile.languages())
def test_the_whole_corpus_has_verdicts(language: str) -> None:
    _judge(language, list(hostile.corpus(whole=True)))


def _judge(language: str, corpus: list[tuple[str, bytes]]) -> None:
    ordinary = hostile.harmless(language)
    items = []
    for name, data in corpus:
        items.append(ParseItem((name, -1), language, data))
        items += [ParseItem((name, n), language, near) for n, near in enumerate(ordinary)]
    with ParserPool(2, LIMITS) as pool:
        outcomes = {outcome.key: outcome for outcome in pool.parse_all(items)}
    assert outcomes.keys() == {item.key for item in items}
    verdicts = {name: outcomes[name, -1] for name, _ in corpus}
    faults = {
        name: (outcome.result, outcome.note)
        for name, outcome in verdicts.items()
        if isinstance(outcome.result, SkipReason) and outcome.result not in EXPECTED
    }
    assert faults == {}
    expected = [_facts(data, language) for data in ordinary]
    spoilt = Counter(
        name
        for (name, number), outcome in outcomes.items()
        if number >= 0 and outcome.result != expected[number]
    )
    assert spoilt == {}
    for outcome in verdicts.values():
        if isinstance(outcome.result, EncodedFacts):
            codec.decode_outline(outcome.result.outline)
            codec.decode_body(outcome.result.body)


def _facts(data: bytes, language: str) -> EncodedFacts:
    facts = extract(data, registry.languages()[language], Limits())
    assert isinstance(facts, FileFacts)
    return codec.encode(facts)
