"""Extraction against the bare parse, and the sandbox against none: processor time on real code.

Processor time, because the machine has other work; file by file in turn, so that what disturbs one
measure disturbs the other; the best of several passes.
"""

import resource
import time
from dataclasses import dataclass

import tree_sitter

from benchmarks.corpora import CORPORA, Corpus, CorpusUnavailable, files
from parsers import codec, registry
from parsers.extract import Limits, Refusal, extract
from parsers.language import Language
from parsers.sandbox import ParseItem, ParserPool, SandboxLimits

PASSES = 3
PROCESSES = 2


@dataclass
class Seconds:
    """Processor time of one pass by what it went to."""

    parse: float = 0.0
    extract: float = 0.0
    encode: float = 0.0


def main() -> None:
    """Print one row for each language that is present and whose code can be had."""
    print(
        f"{'language':<12}{'of':<28}{'files':>6}{'lines':>8}"
        f"{'parse':>8}{'extract':>9}{'ratio':>7}{'encode':>8}{'lines/s':>9}"
        f"{'pool':>8}{'cost':>7}{'wall':>7}{'start':>7}"
    )
    for corpus in CORPORA:
        if corpus.language in registry.languages():
            _row(corpus)
    print("   seconds of processor time; ratio: extract to parse; lines/s: extracted and encoded,")
    print(f"   one core; pool: all of {PROCESSES} processes and their parent, cost: over the same")
    print("   work in one process, without the start; start: of one process")


def _row(corpus: Corpus) -> None:
    try:
        sources = files(corpus)
    except CorpusUnavailable as reason:
        print(f"{corpus.language:<12}{corpus.package:<28}unavailable: {reason}")
        return
    language = registry.languages()[corpus.language]
    lines = sum(data.count(b"\n") for data in sources)
    passes = [_in_process(sources, language) for _ in range(PASSES)]
    best = Seconds(*(min(getattr(p, name) for p in passes) for name in vars(passes[0])))
    start = min(_pooled(sources[:1], language, 1)[0] for _ in range(PASSES))
    pooled = min(_pooled(sources, language, PROCESSES) for _ in range(PASSES))
    alone = best.extract + best.encode
    print(
        f"{language.name:<12}{corpus.package:<28}{len(sources):>6}{lines:>8}"
        f"{best.parse:>8.2f}{best.extract:>9.2f}{best.extract / best.parse:>7.2f}"
        f"{best.encode:>8.2f}{lines / alone:>9.0f}"
        f"{pooled[0]:>8.2f}{(pooled[0] - PROCESSES * start) / alone - 1:>7.1%}"
        f"{pooled[1]:>7.2f}{start:>7.2f}",
        flush=True,
    )


def _in_process(sources: list[bytes], language: Language) -> Seconds:
    spent = Seconds()
    parser = tree_sitter.Parser(registry.grammar(language.grammar))
    registry.rules(language.name)
    limits = Limits()
    clock = time.process_time
    for data in sources:
        start = clock()
        parser.parse(data)
        parsed = clock()
        facts = extract(data, language, limits)
        extracted = clock()
        if not isinstance(facts, Refusal):
            codec.encode(facts)
        spent.parse += parsed - start
        spent.extract += extracted - parsed
        spent.encode += clock() - extracted
    return spent


def _pooled(sources: list[bytes], language: Language, processes: int) -> tuple[float, float]:
    """Processor and wall time of the pool, its start included."""
    before, started = _spent(), time.monotonic()
    with ParserPool(processes, SandboxLimits()) as pool:
        items = (ParseItem(number, language.name, data) for number, data in enumerate(sources))
        for _ in pool.parse_all(items):
            pass
    return _spent() - before, time.monotonic() - started


def _spent() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


if __name__ == "__main__":
    main()
