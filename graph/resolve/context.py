"""What the parts of resolution share: the index, the remembered answers, and each other."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from graph.resolve.index import Index
from graph.resolve.manifests import Manifests
from graph.resolve.memo import Memo
from graph.resolve.modules import Modules
from graph.resolve.values import (
    DefinitionKey,
    Tag,
    Value,
    Values,
    definition_of,
    file_of,
)
from parsers.codec import Outline, OutlineName
from parsers.facts import FileFacts
from parsers.language import Language, ResolutionPolicy

if TYPE_CHECKING:
    from graph.resolve.callbacks import Callbacks
    from graph.resolve.generics import Generics
    from graph.resolve.inference import Inference
    from graph.resolve.lookup import Lookup
    from graph.resolve.members import Members
    from graph.resolve.overloads import Overloads
    from graph.resolve.structural import Structural
    from graph.resolve.types import Types

# A path with its language and outline.
Entry = tuple[str, Language, Outline]


class Context:
    """One commit under resolution. `body` gives the facts of a file by its number."""

    lookup: "Lookup"
    members: "Members"
    inference: "Inference"
    overloads: "Overloads"
    callbacks: "Callbacks"
    generics: "Generics"
    structural: "Structural"
    types: "Types"

    def __init__(
        self, entries: Iterable[Entry], manifests: Manifests, body: Callable[[int], FileFacts]
    ) -> None:
        self.memo = Memo()
        self.index = Index()
        self._body = body
        for path, language, outline in entries:
            self.index.add(path, language, outline)
        # What documents can depend on besides files, by number: -1 - n stands for the n-th.
        self.packages = sorted(self.index.packages)
        self._package_numbers = {key: -1 - n for n, key in enumerate(self.packages)}
        self._interface_numbers: dict[str, int] = {}
        self.modules = Modules(self.index, manifests)

    def body(self, file: int) -> FileFacts:
        """The facts of a file; the answer in the making now depends on it."""
        self.memo.touched.add(file)
        return self._body(file)

    def touch(self, file: int) -> None:
        """The answer in the making depends on the file's outline."""
        self.memo.touched.add(file)

    def touch_definition(self, key: DefinitionKey) -> None:
        """The answer depends on what the definition declares, in any file of its package."""
        file = self.index.files[file_of(key)]
        self.memo.touched.add(file.number)
        if file.package:
            self.touch_package(file.package)

    def touch_package(self, package: str) -> None:
        """The answer depends on what any file of the package declares."""
        self.memo.touched.add(self._package_numbers[package])

    def touch_interfaces(self, file: int) -> None:
        """The answer depends on which interfaces there are for the types of this file."""
        self.memo.touched.add(self._interface_numbers[self.index.files[file].family])

    def number_interfaces(self, digests: dict[str, bytes]) -> None:
        """Let documents depend on the interfaces of a family as they are now."""
        for family, digest in sorted(digests.items()):
            self._interface_numbers[family] = -1 - len(self.packages)
            self.packages.append(f"{family}:<interfaces>:{digest.hex()}")

    def policy_of(self, file: int) -> ResolutionPolicy:
        """How names are resolved in the file's language."""
        return self.index.files[file].language.policy

    def outline_name(self, key: DefinitionKey) -> OutlineName:
        """A definition as the outline of its file has it."""
        return self.index.files[file_of(key)].names[definition_of(key)]

    def builtin(self, file: int, name: str) -> str:
        """The full name of a type that the file's language provides."""
        policy = self.policy_of(file)
        return f"{policy.builtin_module}.{policy.builtin_names.get(name, name)}"

    def builtin_instance(self, file: int, name: str, arguments: tuple[Values, ...] = ()) -> Value:
        """An instance of a type that the file's language provides."""
        return Value(Tag.EXTERNAL_INSTANCE, -1, self.builtin(file, name), arguments)
