"""Members of classes: `receiver.name` through the class's own members and its bases'."""

from graph.resolve.context import Context
from graph.resolve.values import (
    NOTHING,
    DefinitionKey,
    Tag,
    Target,
    Targets,
    Value,
    Values,
    definition_of,
    file_of,
)
from parsers.facts import DefinitionKind, Flag
from parsers.scopes import ONLY_TYPES

# The class itself first, then its bases in the order in which members are looked up.
Linearization = tuple[Value, ...]

_LIMIT = 64


class Members:
    """Member lookup for one commit."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def of_class(self, key: DefinitionKey, name: str, *, skip_self: bool = False) -> Targets:
        """The definitions of member `name` that an instance of the class has, nearest class first.

        Where methods are overloaded the bases' follow: another may take what the nearest does not.
        Where a base is defined elsewhere and nothing nearer has the member, the answer is the
        member of that external type.
        """
        return self.context.memo.ask(
            ("member", key, name, skip_self), lambda: self._search(key, name, skip_self), ()
        )

    def _search(self, key: DefinitionKey, name: str, skip_self: bool) -> Targets:  # noqa: FBT001
        external: list[Target] = []
        overloads: dict[Target, None] = {}
        every = self.context.policy_of(file_of(key)).overload_by_arity
        for base in self.linearization(key)[1 if skip_self else 0 :]:
            if base.tag == Tag.CLASS:
                found = self.declared(base.key, name)
                if found and not every:
                    return found
                overloads.update(dict.fromkeys(found))
            elif base.tag == Tag.MODULE:
                offered = self.context.lookup.member(base, name)
                if offered:
                    return offered
            elif base.name:
                external.append(Value(Tag.EXTERNAL, -1, f"{base.name}.{name}"))
        return tuple(overloads) or tuple(external[:1])

    def declared(self, key: DefinitionKey, name: str) -> Targets:
        """The member as the class itself declares it, embedded fields' members included."""
        context = self.context
        context.touch_definition(key)
        found = context.index.members_of(key, name)
        return self._without_setters(found) if len(found) > 1 else tuple(found)

    def constructors(self, key: DefinitionKey) -> Targets:
        """The constructors that the class itself declares."""
        context = self.context
        context.touch_definition(key)
        name = context.body(file_of(key)).definitions[definition_of(key)].name
        found = context.index.members_of(key, name)
        return tuple(k for k in found if context.outline_name(k).kind == DefinitionKind.CONSTRUCTOR)

    def _without_setters(self, keys: list[DefinitionKey]) -> Targets:
        """What stands for several definitions of one name in a class.

        Of a property the getter, which comes first; of a declared and an implemented function the
        implementation.
        """
        names = [self.context.outline_name(key) for key in keys]
        if all(name.kind == DefinitionKind.PROPERTY for name in names):
            return (keys[0],)
        solid = [
            key for key, name in zip(keys, names, strict=True) if not name.flags & Flag.OVERLOAD
        ]
        if not self.context.policy_of(file_of(keys[0])).overload_by_arity:
            chosen = solid or keys
            # A field that shadows a method of the same class is an assignment to it.
            functions = [
                key for key in chosen if self.context.outline_name(key).kind != DefinitionKind.FIELD
            ]
            if self.context.policy_of(file_of(keys[0])).separate_types:
                return self._by_space(functions or chosen)
            return tuple((functions or chosen)[-1:])
        return tuple(solid or keys)

    def _by_space(self, keys: list[DefinitionKey]) -> Targets:
        """The last type and the last value of several members of a namespace."""
        types = [key for key in keys if self.context.outline_name(key).kind in ONLY_TYPES]
        values = [key for key in keys if key not in types]
        return (*values[-1:], *types[-1:])

    def linearization(self, key: DefinitionKey) -> Linearization:
        """The class and its bases in lookup order: C3 as Python defines it, else depth first."""
        own = Value(Tag.CLASS, key)
        return self.context.memo.ask(("bases", key), lambda: self._linearize(key), (own,))

    def _linearize(self, key: DefinitionKey) -> Linearization:
        own = Value(Tag.CLASS, key)
        bases = self.bases(key)
        sequences = [
            list(self.linearization(base.key)) if base.tag == Tag.CLASS else [base]
            for base in bases
        ]
        sequences.append(list(bases))
        merged = _c3(sequences)
        if merged is None:
            merged = list(dict.fromkeys(value for sequence in sequences for value in sequence))
        return (own, *[value for value in merged if value != own][:_LIMIT])

    def bases(self, key: DefinitionKey) -> Values:
        """The direct bases: classes of this repository, and external types."""
        return self.context.memo.ask(("direct", key), lambda: self._bases(key), NOTHING)

    def _bases(self, key: DefinitionKey) -> Values:
        context = self.context
        file = file_of(key)
        facts = context.body(file)
        definition = facts.definitions[definition_of(key)]
        found: dict[Value, None] = {}
        for expression in definition.bases:
            for value in context.types.of(file, expression):
                if value.tag == Tag.INSTANCE:
                    found[Value(Tag.CLASS, value.key)] = None
                elif value.tag == Tag.EXTERNAL_INSTANCE:
                    found[Value(Tag.EXTERNAL, -1, value.name)] = None
                elif value.tag == Tag.MODULE:
                    found[value] = None  # a literal that takes over what a module offers
        for embedded in context.index.embedded(key):
            for value in context.inference.of_definition(embedded):
                if value.tag == Tag.INSTANCE:
                    found[Value(Tag.CLASS, value.key)] = None
                elif value.tag == Tag.EXTERNAL_INSTANCE:
                    found[Value(Tag.EXTERNAL, -1, value.name)] = None
        return tuple(found)


def _c3(sequences: list[list[Value]]) -> list[Value] | None:
    """The C3 merge (Barrett et al., 1996); None where the bases contradict each other."""
    merged: list[Value] = []
    pending = [sequence for sequence in sequences if sequence]
    while pending:
        head = next(
            (s[0] for s in pending if not any(s[0] in other[1:] for other in pending)), None
        )
        if head is None:
            return None
        merged.append(head)
        pending = [rest for s in pending if (rest := [v for v in s if v != head])]
    return merged
