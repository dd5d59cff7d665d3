"""Equal bytes give equal facts: in this process or another, alone or in company, in any order."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsers import codec, registry
from parsers.codec import EncodedFacts
from parsers.extract import Limits, Refusal, extract
from parsers.sandbox import ParseItem, ParserPool, SandboxLimits
from parsers.skips import SkipReason
from tests.parsers import hostile

EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TOKENS = [b"(", b")", b"{", b"}", b"[", b"]", b"'", b'"', b"`", b"\n", b"\n    ", b"=", b":", b"."]
TOKENS += [b",", b"@", b"<", b"=>", b"\\", b"\0", b"\xff", "\u00fc".encode(), b"class ", b"import "]


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(1, SandboxLimits()) as pool:
        yield pool


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """A real file of some language with pieces cut, doubled, moved and thrown in."""
    language = draw(st.sampled_from(hostile.languages()))
    data = draw(st.sampled_from(hostile.harmless(language)))
    places = st.integers(0, len(data))
    for _ in range(draw(st.integers(0, 6))):
        start, end = sorted((draw(places), draw(places)))
        end = min(end, start + draw(st.integers(0, 400)))
        match draw(st.integers(0, 3)):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:end] + data[start:]
            case 2:
                data = data[:start] + draw(st.sampled_from(TOKENS)) + data[start:]
            case _:
                data = data[:start] + draw(st.binary(max_size=20)) + data[end:]
    return language, data


@EXAMPLES
@given(file=mutations())
def test_a_process_gives_what_this_one_does(pool: ParserPool, file: tuple[str, bytes]) -> None:
    language, data = file
    (outcome,) = pool.parse_all([ParseItem(None, language, data)])
    assert outcome.result == here(language, data), outcome.note


@EXAMPLES
@given(files=st.lists(mutations(), min_size=1, max_size=8), seed=st.integers(0, 9))
def test_company_and_order_change_nothing(
    pool: ParserPool, files: list[tuple[str, bytes]], seed: int
) -> None:
    items = [ParseItem(number, *file) for number, file in enumerate(files)]
    random.Random(seed).shuffle(items)
    results = {outcome.key: outcome.result for outcome in pool.parse_all(items)}
    assert results == {number: here(*file) for number, file in enumerate(files)}


def test_facts_do_not_depend_on_the_number_of_processes_or_the_size_of_batches() -> None:
    items = [
        ParseItem((language, number), language, data)
        for language in hostile.languages()
        for number, data in enumerate(hostile.harmless(language) * 3)
    ]
    seen = []
    for processes, files in ((1, 1), (1, 64), (3, 2)):
        with ParserPool(processes, SandboxLimits(batch_files=files)) as pool:
            seen.append({outcome.key: outcome.result for outcome in pool.parse_all(items)})
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == len(items)


def test_encoded_facts_read_back_as_they_were() -> None:
    for language in hostile.languages():
        for data in hostile.harmless(language):
            facts = extract(data, registry.languages()[language], Limits())
            assert not isinstance(facts, Refusal)
            encoded = codec.encode(facts)
            assert codec.decode_body(encoded.body) == facts
            assert codec.decode_outline(encoded.outline) == codec.outline(facts)


def here(language: str, data: bytes) -> EncodedFacts | SkipReason:
    """The verdict that this process comes to."""
    facts = extract(data, registry.languages()[language], Limits())
    return facts.reason if isinstance(facts, Refusal) else codec.encode(facts)


@pytest.mark.fuzz
@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", hostile.languages())
def test_no_mutation_of_a_real_file_finds_a_fault(language: str) -> None:
    """Bounded by a number of files and not by a clock, so that a failure can be had again."""
    source = random.Random(language)
    originals = hostile.harmless(language)
    originals += [path.read_bytes() for path in _own_sources()] if language == "python" else []
    items = (
        ParseItem(number, language, _mutated(source, source.choice(originals)))
        for number in range(4000)
    )
    with ParserPool(2, SandboxLimits()) as pool:
        faults = [
            (outcome.key, outcome.note)
            for outcome in pool.parse_all(items)
            if outcome.result is SkipReason.CRASHED
        ]
    assert faults == []


def _own_sources() -> list[Path]:
    root = Path(__file__).parents[2]
    return sorted(path for room in ("parsers", "graph") for path in (root / room).rglob("*.py"))


def _mutated(source: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(source.randint(1, 12)):
        at = source.randrange(len(changed) + 1)
        match source.randrange(4):
            case 0:
                del changed[at : at + source.randint(1, 60)]
            case 1:
                changed[at:at] = source.choice(TOKENS)
            case 2:
                changed[at:at] = changed[at : at + source.randint(1, 200)]
            case _:
                changed[at : at + 1] = source.randbytes(1)
    return bytes(changed)
