"""A commit in memory: sources in, documents out, with or without an earlier commit to lean on."""

import hashlib
from dataclasses import dataclass

from graph.model.rows import DocumentRows
from graph.resolve import manifests, open_context
from graph.resolve.documents import Documents, SourceDocument
from graph.resolve.incremental import ResolutionRecord, Resolved, plan
from parsers import registry
from parsers.codec import outline
from parsers.detect import detect
from parsers.extract import Limits, extract
from parsers.facts import FileFacts
from parsers.language import Language

Sources = dict[str, str]


@dataclass(frozen=True, slots=True)
class Commit:
    """How a commit came out: its documents by path, the record for the next, what was resolved."""

    documents: dict[str, DocumentRows]
    record: ResolutionRecord
    resolved: frozenset[str]


def resolve(sources: Sources, previous: Commit | None = None) -> Commit:
    """Resolve a commit; with `previous`, only what the difference can reach."""
    found = {p: s.encode() for p, s in sources.items() if manifests.wanted(p)}
    digest = hashlib.blake2b(repr(sorted(found.items())).encode()).digest()
    parsed = [(p, *_parsed(p, s)) for p, s in sorted(sources.items()) if p not in found]
    context = open_context(
        ((path, language, outline(facts)) for path, language, facts in parsed),
        manifests.read(found),
        lambda number: parsed[number][2],
    )
    prints = [hashlib.sha256(sources[path].encode()).digest() for path, _, _ in parsed]
    todo = plan(
        previous.record if previous else None,
        context.index.files,
        prints,
        packages=context.packages,
        version="1",
        manifests=digest,
    )
    maker = Documents(context, repository_number=1)
    documents: dict[str, DocumentRows] = {}
    records: list[Resolved] = []
    for number, (path, language, _) in enumerate(parsed):
        if number in todo.reuse and previous is not None:
            documents[path] = previous.documents[path]
            records.append(todo.reuse[number])
            continue
        source = SourceDocument(path.encode(), "0" * 40, 1, language.name, prints[number])
        made = maker.resolve(number, source)
        documents[path] = made.rows
        records.append(
            Resolved(
                path,
                prints[number],
                context.index.files[number].outline.digest,
                made.rows.document.resolution,
                sorted(made.dependencies),
                0,
                {},
                {},
                {},
                (0, 0, 0),
            )
        )
    record = ResolutionRecord("1", digest, context.packages, records)
    return Commit(documents, record, frozenset(parsed[n][0] for n in todo.resolve))


def _parsed(path: str, source: str) -> tuple[Language, FileFacts]:
    language = detect(path.encode())
    assert isinstance(language, Language), path
    facts = extract(source.encode(), registry.languages()[language.name], Limits())
    assert isinstance(facts, FileFacts), path
    return language, facts
