"""Which definitions become nodes of the graph, and what they are called there."""

from graph.model.nodes import NodeKind
from graph.resolve.links import VARIABLES
from graph.resolve.values import Tag, Value
from parsers.codec import OutlineName
from parsers.facts import NONE, Definition, DefinitionKind, FileFacts, Flag
from parsers.scopes import is_partial

# What facts call a definition, and what the graph calls its node. The others make no node.
NODE_KIND_OF: dict[int, NodeKind] = {
    DefinitionKind.CLASS: NodeKind.CLASS,
    DefinitionKind.INTERFACE: NodeKind.INTERFACE,
    DefinitionKind.TRAIT: NodeKind.TRAIT,
    DefinitionKind.STRUCT: NodeKind.STRUCT,
    DefinitionKind.ENUM: NodeKind.ENUM,
    DefinitionKind.ENUM_MEMBER: NodeKind.ENUM_MEMBER,
    DefinitionKind.FUNCTION: NodeKind.FUNCTION,
    DefinitionKind.METHOD: NodeKind.METHOD,
    DefinitionKind.CONSTRUCTOR: NodeKind.CONSTRUCTOR,
    DefinitionKind.PROPERTY: NodeKind.PROPERTY,
    DefinitionKind.FIELD: NodeKind.FIELD,
    DefinitionKind.VARIABLE: NodeKind.VARIABLE,
    DefinitionKind.CONSTANT: NodeKind.CONSTANT,
    DefinitionKind.TYPE_ALIAS: NodeKind.TYPE_ALIAS,
    DefinitionKind.MACRO: NodeKind.MACRO,
    DefinitionKind.NAMESPACE: NodeKind.NAMESPACE,
}


def is_node(facts: FileFacts, definition: Definition) -> bool:
    """Whether a definition becomes a node: it can be seen outside its function and has a name."""
    if definition.kind not in NODE_KIND_OF or definition.flags & Flag.LOCAL or not definition.name:
        return False
    if is_partial(definition):
        return False
    holder = facts.scopes[definition.scope].definition
    if holder >= 0 and facts.definitions[holder].kind == DefinitionKind.OBJECT:
        # The plain values of a literal inside a function are the function's own business.
        return definition.owner == NONE or definition.kind not in VARIABLES
    return True


def makes_node(name: OutlineName) -> bool:
    """`is_node` for a definition that no literal holds."""
    partial = name.kind == DefinitionKind.STRUCT and name.flags & Flag.DECLARATION
    hidden = partial or name.flags & Flag.LOCAL
    return bool(name.name) and name.kind in NODE_KIND_OF and not hidden


def external_name(value: Value) -> str:
    """The dotted name of an external symbol or of a package of the repository."""
    return value.name.split(":", 1)[-1] if value.tag == Tag.PACKAGE else value.name
