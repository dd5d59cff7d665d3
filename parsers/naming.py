"""What definitions are called: who owns each, its path in the file, its descriptor."""

from parsers.facts import NONE, Definition, DefinitionKind, FileFacts, Flag

_ANONYMOUS = (DefinitionKind.LAMBDA, DefinitionKind.OBJECT)
_CALLABLES = (
    DefinitionKind.FUNCTION,
    DefinitionKind.METHOD,
    DefinitionKind.CONSTRUCTOR,
    DefinitionKind.PROPERTY,
)
# SCIP's descriptor suffixes; callables are written out because they carry a disambiguator.
_SUFFIX: dict[int, str] = {
    DefinitionKind.CLASS: "#",
    DefinitionKind.INTERFACE: "#",
    DefinitionKind.TRAIT: "#",
    DefinitionKind.STRUCT: "#",
    DefinitionKind.ENUM: "#",
    DefinitionKind.TYPE_ALIAS: "#",
    DefinitionKind.NAMESPACE: "/",
    DefinitionKind.MACRO: "!",
}
_PLAIN_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-$")


def name_definitions(facts: FileFacts) -> None:
    """Name owners before what they own.

    A rule that left a `qualified_name` says by which path the name is reached from its owner.
    """
    definitions = facts.definitions
    owners = scope_owners(facts)
    taken: dict[str, int] = {}
    for definition in definitions:
        definition.owner = owners[definition.scope]
    named = bytearray(len(definitions))
    for index in range(len(definitions)):
        pending = [index]
        while pending:
            owner = definitions[pending[-1]].owner
            if owner >= 0 and not named[owner] and owner not in pending:
                pending.append(owner)
                continue
            at = pending.pop()
            if not named[at]:
                named[at] = 1
                _name(definitions, at, taken)


def _name(definitions: list[Definition], index: int, taken: dict[str, int]) -> None:
    definition = definitions[index]
    path = definition.qualified_name or definition.name
    if is_anonymous(definition) or definition.flags & Flag.LOCAL:
        definition.qualified_name = definition.name
        return
    prefix = descriptor = ""
    if definition.owner >= 0:
        owner = definitions[definition.owner]
        prefix, descriptor = owner.qualified_name + ".", owner.descriptor
        if owner.flags & Flag.LOCAL:
            prefix, descriptor = _around(definitions, owner)
    definition.qualified_name = prefix + path
    definition.descriptor = _descriptor(descriptor, definition, taken)


def _around(definitions: list[Definition], local: Definition) -> tuple[str, str]:
    """The prefixes of what a local variable holds."""
    if local.owner < 0:
        return local.name + ".", local.name + "."
    owner = definitions[local.owner]
    return f"{owner.qualified_name}.{local.name}.", f"{owner.descriptor}{local.name}."


def is_anonymous(definition: Definition) -> bool:
    """Whether it adds nothing to the path of what stands in it."""
    return definition.kind in _ANONYMOUS or not definition.name


def scope_owners(facts: FileFacts) -> list[int]:
    """For every scope, the nearest enclosing definition that has a name, or NONE."""
    owners: list[int] = []
    for scope in facts.scopes:
        index = scope.definition
        if index >= 0 and not is_anonymous(facts.definitions[index]):
            owners.append(index)
        else:
            owners.append(owners[scope.parent] if scope.parent >= 0 else NONE)
    return owners


def _descriptor(prefix: str, definition: Definition, taken: dict[str, int]) -> str:
    name = definition.name
    if not _PLAIN_NAME.issuperset(name) or not name:
        name = "`" + name.replace("`", "``") + "`"
    callable_ = definition.kind in _CALLABLES
    base = prefix + name + ("()" if callable_ else _SUFFIX.get(definition.kind, "."))
    count = taken.get(base, 0)
    taken[base] = count + 1
    if callable_:
        return f"{prefix}{name}(+{count})." if count else base + "."
    return f"{prefix}{name}+{count}{base[-1]}" if count else base
