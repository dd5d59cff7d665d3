"""Annotated source: samples in their own language whose comments say what must be found.

    def outer(x):
    #   ^^^^^ defines function outer
        return helper(x)
        #      ^^^^^^ refers call; resolves basics.py:helper

A comment line with carets speaks about the name above the first caret, on the nearest line above
that is no such comment; `<-` instead of carets speaks about the name above the comment's own first
character. Claims are separated by `;`:

    defines KIND QUALIFIED.NAME     a definition stands here (kinds of `parsers.facts`)
    defines nothing
    refers ROLE                     a use stands here: read call type write base interface
                                    decorator export construct, or `import` for an imported name
    refers nothing
    resolves PATH:LINE              the use leads there, and nowhere else; lines are counted in the
    resolves PATH:QUALIFIED.NAME    file of that path. Several claims: there are several, but for
                                    the constructor of a claimed class.
    resolves external DOTTED.NAME   likewise `resolves package NAME`, where a folder is a package
    resolves nothing                it leads to nothing in these files

A line `--- path: pkg/mod.py ---` in a comment begins another file; what stands before the first one
has the sample's own name.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from graph.resolve import manifests as repository_manifests
from graph.resolve import open_context
from graph.resolve.binder import Binder
from graph.resolve.values import Tag, Value, definition_of, file_of
from parsers import codec, registry
from parsers.extract import Limits, Refusal, extract
from parsers.facts import Definition, DefinitionKind, Expression, FileFacts, Import, Op, Role
from parsers.language import Language

SAMPLES = Path(__file__).parent / "parsers" / "samples"
_HEADER = re.compile(r"^\s*(?:#|//|/\*|--|\*)\s*--- path: (\S+) ---")
_CLAIM = re.compile(
    r"^(?P<lead>\s*(?:\{?/\*+|#+|//+|--|\*|))(?P<gap>\s*)(?P<mark>\^+|<-)\s*"
    r"(?P<text>(?:defines|refers|resolves)\b.*?)\s*(?:\*/\}?)?\s*$"
)
_KINDS = {kind.name.lower(): kind for kind in DefinitionKind}
_ROLES = {role.name.lower(): role for role in Role}
_USES = (Op.NAME, Op.MEMBER, Op.THIS, Op.SUPER)


@dataclass(frozen=True)
class Claim:
    """What one comment says about the name at a place."""

    path: str
    line: int
    column: int
    verb: str
    said: str
    sample_line: int  # of the comment in the sample, for the reader of a failure


@dataclass
class Sample:
    """The files of one sample and what is claimed about them."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)

    def failures(self, *verbs: str) -> list[str]:
        """The claims of these verbs that do not hold, each with what was found instead."""
        judge = {"defines": self._defines, "refers": self._refers, "resolves": self._resolves}
        # Claims of one verb about one place are judged together: only `resolves` may have several.
        places: dict[tuple[str, str, int, int], list[Claim]] = defaultdict(list)
        for claim in self.claims:
            if claim.verb in verbs:
                places[claim.verb, claim.path, claim.line, claim.column].append(claim)
        failures = []
        for (verb, path, line, column), claims in places.items():
            found = judge[verb](claims[0])
            said = {claim.said for claim in claims}
            if not self._holds(verb, said, found):
                failures.append(
                    f"{self.name}:{claims[0].sample_line} ({path}:{line}:{column}) "
                    f"{verb} {' and '.join(sorted(said))}; found {sorted(found) or 'nothing'}"
                )
        return failures

    def _holds(self, verb: str, said: set[str], found: set[str]) -> bool:
        if said == {"nothing"}:
            return not {one for one in found if not one.startswith("external ")}
        if verb == "refers":
            return said <= found
        found_files = {one: self._spellings(one) for one in found}
        wanted = {one for one in said if not any(one in names for names in found_files.values())}
        extra = {
            one
            for one, names in found_files.items()
            if not said & names and not self._constructs(one, said)
        }
        return not wanted and not extra

    def _spellings(self, target: str) -> set[str]:
        """The ways to write one target: by line and by qualified name."""
        path, _, name = target.partition(":")
        if not name or path not in self.files:
            return {target}
        line, _, qualified = name.partition(" ")
        return {f"{path}:{line}", f"{path}:{qualified}"}

    def _constructs(self, target: str, said: set[str]) -> bool:
        """Whether the target is the constructor of a class that is claimed."""
        path, _, name = target.partition(":")
        qualified = name.partition(" ")[2]
        owner = f"{path}:{qualified.rpartition('.')[0]}"
        owners = self.facts(path).definitions if path in self.files else []
        lines = {f"{path}:{d.line}" for d in owners if f"{path}:{d.qualified_name}" == owner}
        return bool(said & (lines | {owner}))

    def _defines(self, claim: Claim) -> set[str]:
        return {
            f"{DefinitionKind(one.kind).name.lower()} {one.qualified_name or one.name}"
            for one in self.facts(claim.path).definitions
            if _covers(one, one.name, claim)
        }

    def _refers(self, claim: Claim) -> set[str]:
        facts = self.facts(claim.path)
        found = {
            Role(one.role).name.lower()
            for one in facts.expressions
            if one.op in _USES and _covers(one, one.name or "_", claim)
        }
        if any(_covers(one, one.name or one.module, claim) for one in facts.imports):
            found.add("import")
        return found

    def _resolves(self, claim: Claim) -> set[str]:
        return {
            target
            for line, column, name, target in self.links[claim.path]
            if line == claim.line and column <= claim.column < column + max(1, len(name))
        }

    def facts(self, path: str) -> FileFacts:
        """The facts of one file."""
        return _facts(self.files[path], language_of(path).name)

    @cached_property
    def links(self) -> dict[str, list[tuple[int, int, str, str]]]:
        """Every use in each file by line, column and name, and where it leads."""
        paths = sorted(path for path in self.files if language_or_none(path))
        facts = [self.facts(path) for path in paths]
        manifests = repository_manifests.read(
            {p: t.encode() for p, t in self.files.items() if repository_manifests.wanted(p)}
        )
        entries = [
            (path, language_of(path), codec.outline(one))
            for path, one in zip(paths, facts, strict=True)
        ]
        context = open_context(entries, manifests, facts.__getitem__)

        def spell(target: object) -> str:
            if isinstance(target, int):
                definition = facts[file_of(target)].definitions[definition_of(target)]
                return f"{paths[file_of(target)]}:{definition.line} {definition.qualified_name}"
            assert isinstance(target, Value)
            if target.tag == Tag.MODULE:
                return f"{paths[target.key]}:1 <module>"
            return f"{'package' if target.tag == Tag.PACKAGE else 'external'} {target.name}"

        return {
            path: [
                (link.line, link.column, link.name, spell(link.target))
                for link in Binder(context, number, with_locals=True).links()
            ]
            for number, path in enumerate(paths)
        }


def _covers(one: Definition | Expression | Import, name: str, claim: Claim) -> bool:
    return one.line == claim.line and one.column <= claim.column < one.column + max(1, len(name))


@cache
def _facts(text: str, language: str) -> FileFacts:
    facts = extract(text.encode(), registry.languages()[language], Limits())
    assert not isinstance(facts, Refusal)
    return facts


def language_or_none(path: str) -> Language | None:
    """The language of a path by its extension, if it is one of ours."""
    return registry.by_extension().get("." + path.rsplit(".", 1)[-1])


def language_of(path: str) -> Language:
    """The language of a path by its extension."""
    language = language_or_none(path)
    assert language is not None, path
    return language


def samples() -> Iterator[Path]:
    """Every sample of a language that is present."""
    for path in sorted(SAMPLES.glob("*/*.*")):
        if language_or_none(path.name):
            yield path


def read(path: Path) -> Sample:
    """The files and claims of a sample."""
    sample = Sample(f"{path.parent.name}/{path.name}")
    current, lines = path.name, list[str]()
    subject = 0
    for number, text in enumerate(path.read_text().splitlines(), 1):
        header = _HEADER.match(text)
        if header is not None:
            _store(sample, current, lines)
            current, lines, subject = header.group(1), [], 0
            continue
        lines.append(text)
        claim = _CLAIM.match(text)
        if claim is None:
            subject = len(lines)
            continue
        arrow = claim.group("mark") == "<-"
        at = len(text) - len(text.lstrip()) if arrow else claim.start("mark")
        column = len(lines[subject - 1][:at].encode("utf-16-le")) // 2
        for said in claim.group("text").split(";"):
            verb, _, rest = said.strip().partition(" ")
            sample.claims.append(Claim(current, subject, column, verb, rest.strip(), number))
    _store(sample, current, lines)
    return sample


def _store(sample: Sample, path: str, lines: list[str]) -> None:
    if lines:
        sample.files[path] = "\n".join(lines) + "\n"
