"""The cache key of facts: equal keys mean that extraction would give equal facts.

It covers the bytes and everything that turns them into facts: the grammar, the rules, the code that
runs them, the version of the format. Rules are covered by their source and not by a number alone,
because a number is forgotten, and stale facts look like true ones.
"""

import hashlib
import importlib
import pkgutil
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import parsers.languages
from parsers import registry
from parsers.codec import FACTS_VERSION
from parsers.language import Language

_DIGEST_BYTES = 16
# What the facts of every language go through. The sandbox and the detection alter none.
_SHARED = (
    "codec",
    "extract",
    "facts",
    "interface",
    "language",
    "naming",
    "registry",
    "rules",
    "scopes",
    "walk",
)
_LIBRARIES = ("tree-sitter", "tree-sitter-language-pack")


def fingerprint(blob_sha: str, language: Language) -> bytes:
    """The key of the facts of a blob that is read as `language`."""
    digest = hashlib.blake2b(pipeline(language.name), digest_size=_DIGEST_BYTES)
    digest.update(blob_sha.encode("ascii"))
    return digest.digest()


@cache
def pipeline(language_name: str) -> bytes:
    """The part of the key that all blobs of a language share."""
    language = registry.languages()[language_name]
    parts = [
        language.name,
        language.grammar,
        f"{registry.grammar(language.grammar).abi_version}",
        f"{language.version}",
        f"{FACTS_VERSION}",
        # Annotations inside strings are read by the interpreter's own parser.
        f"{sys.version_info.major}.{sys.version_info.minor}",
        *(f"{library} {version(library)}" for library in _LIBRARIES),
    ]
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=_DIGEST_BYTES)
    for source in _sources(language):
        digest.update(hashlib.blake2b(source.read_bytes()).digest())
    return digest.digest()


def _sources(language: Language) -> list[Path]:
    """The shared modules and the language's own, in a fixed order."""
    root = Path(__file__).parent
    folder = root / "languages" / _folder(language)
    return [*(root / f"{name}.py" for name in _SHARED), *sorted(folder.rglob("*.py"))]


def _folder(language: Language) -> str:
    """The folder that offers the language; one may offer several."""
    for module in pkgutil.iter_modules(parsers.languages.__path__):
        offered = importlib.import_module(f"parsers.languages.{module.name}").LANGUAGES
        if any(one is language for one in offered):
            return module.name
    raise LookupError(language.name)


__all__ = ["fingerprint", "pipeline"]
