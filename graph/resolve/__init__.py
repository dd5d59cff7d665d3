"""From facts to a graph: everything that needs more than one file.

Resolution reads the outlines of all files into an `Index`, then goes through the files one by one.
For each use it asks, in this order: what does the file's own scope bind (facts already say), what
does the import behind that name mean (`modules`, `lookup`), what is the type of the receiver
(`inference`, `types`), which class in its bases has the member (`members`). Each answer is
remembered with the files it was drawn from (`memo`), so a later run knows what a change can reach.

What is not found is *unresolved* and counted. It never becomes an edge: a name that merely looks
alike is no evidence.
"""

from collections.abc import Callable, Iterable

from graph.resolve.callbacks import Callbacks
from graph.resolve.context import Context, Entry
from graph.resolve.generics import Generics
from graph.resolve.inference import Inference
from graph.resolve.lookup import Lookup
from graph.resolve.manifests import Manifests
from graph.resolve.members import Members
from graph.resolve.overloads import Overloads
from graph.resolve.structural import Structural
from graph.resolve.types import Types
from parsers.facts import FileFacts


def open_context(
    entries: Iterable[Entry], manifests: Manifests, body: Callable[[int], FileFacts]
) -> Context:
    """A context over all parsed files, in the order of their paths."""
    context = Context(entries, manifests, body)
    context.lookup = Lookup(context)
    context.members = Members(context)
    context.types = Types(context)
    context.inference = Inference(context)
    context.overloads = Overloads(context)
    context.callbacks = Callbacks(context)
    context.generics = Generics(context)
    context.structural = Structural(context)
    context.number_interfaces(context.structural.digests())
    return context


__all__ = ["Context", "Entry", "open_context"]
