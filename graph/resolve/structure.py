"""Links that follow from where definitions stand: what overrides what, what implements what."""

from collections.abc import Iterator

from graph.model.edges import Certainty, EdgeKind, Rule
from graph.resolve.context import Context
from graph.resolve.links import TYPES, VARIABLES, Link
from graph.resolve.values import Tag, Target, Value, key_of
from parsers.facts import NONE, Definition, DefinitionKind, FileFacts


def structure(context: Context, file: int, facts: FileFacts) -> Iterator[Link]:
    """For each type of the file: the members it replaces, the interfaces it has the methods of."""
    structural = context.policy_of(file).structural_interfaces
    for index, definition in enumerate(facts.definitions):
        if definition.kind not in TYPES or definition.body == NONE:
            continue
        key = key_of(file, index)
        bases = context.members.linearization(key)[1:]
        if any(base.tag == Tag.CLASS for base in bases):
            for name, members in context.index.files[file].members.get(index, {}).items():
                yield from _overridden(context, facts, name, members, bases)
        if structural and definition.kind != DefinitionKind.INTERFACE:
            yield from _implemented(context, file, index, definition)


def _overridden(
    context: Context, facts: FileFacts, name: str, members: list[int], bases: tuple[Value, ...]
) -> Iterator[Link]:
    for base in bases:
        if base.tag != Tag.CLASS:
            continue
        found = context.members.declared(base.key, name)
        if not found:
            continue
        for member in members:
            at = facts.definitions[member]
            if at.kind not in VARIABLES and at.kind != DefinitionKind.CONSTRUCTOR:
                yield _link(member, found[0], EdgeKind.OVERRIDES, Certainty.EXACT, at)
        return


def _implemented(context: Context, file: int, index: int, definition: Definition) -> Iterator[Link]:
    context.touch_interfaces(file)
    for interface in context.structural.implemented(key_of(file, index)):
        yield _link(index, interface, EdgeKind.IMPLEMENTS, Certainty.INFERRED, definition)


def _link(source: int, target: Target, kind: int, certainty: int, at: Definition) -> Link:
    return Link(source, target, kind, certainty, Rule.STRUCTURE, 1, at.line, at.column, at.name)
