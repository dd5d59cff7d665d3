"""What a query is about: a repository, a ref, a symbol; each may be named as a person would."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from service.cli.client import Client, connected
from service.cli.ingest import address_of
from service.cli.screen import CommandFailed, remarks, table

_SYMBOL_ID = re.compile(r"[0-9a-f]{16}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Candidates that are listed before the list is cut.
_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Target:
    """A repository at a ref, and the API to ask about it."""

    client: Client
    repository_id: str
    ref: str | None

    def get(self, path: str, /, **query: Any) -> Any:  # noqa: ANN401 - JSON
        """The answer of the API about this repository."""
        return self.client.get(self._path(path), **self._at(), **query)

    def pages(self, path: str, /, *, limit: int, **query: Any) -> dict[str, Any]:  # noqa: ANN401
        """Up to `limit` items of a list about this repository."""
        return self.client.pages(self._path(path), limit=limit, **self._at(), **query)

    def linked(self, what: str, symbol: str, path: str | None, limit: int) -> dict[str, Any]:
        """The references, callers or callees of a symbol as somebody named it."""
        return self.pages(f"symbols/{self.symbol(symbol, path)}/{what}", limit=limit)

    def outline(self, path: str, limit: int) -> dict[str, Any]:
        """What is defined in a file."""
        return self.pages(f"files/{quote(path.removeprefix('./'))}/outline", limit=limit)

    def symbol(self, name: str, path: str | None = None) -> str:
        """The id of the symbol that a name, a qualified name or an id means.

        Raises CommandFailed when there is none, and when there are several, after listing them.
        """
        if _SYMBOL_ID.fullmatch(name):
            return name
        found = self.pages("symbols", limit=200, q=name, match="exact", path=path)["items"]
        found = found or self._in_module(name)
        own = [one for one in found if not one["external"] and one["kind"] != "file"] or found
        if len(own) == 1:
            return str(own[0]["id"])
        if not own:
            raise CommandFailed(f"No symbol is called {name}.", self._similar(name))
        rows = [
            (one["qualified_name"], one["kind"], f"{one['path']}:{one['line']}", one["id"])
            for one in own[:_CANDIDATES]
        ]
        table(("symbol", "kind", "place", "id"), rows)
        raise CommandFailed(
            f"{len(own)} symbols are called {name}.",
            "Use the qualified name, the id, or --path to say which one is meant.",
        )

    @staticmethod
    def nothing() -> None:
        """Say that a list has no rows."""
        remarks().print("Nothing is known to fit.")

    @staticmethod
    def more() -> None:
        """Say that a list goes on."""
        remarks().print("There is more: raise --limit.", style="dim")

    def _in_module(self, name: str) -> list[dict[str, Any]]:
        """Symbols whose file's path, read as a module, goes before their name."""
        prefix, _, last = name.rpartition(".")
        if not prefix:
            return []
        found = self.pages("symbols", limit=1000, q=last, match="exact")["items"]
        return [one for one in found if f".{_dotted(one)}".endswith(f".{name}")]

    def _similar(self, name: str) -> str:
        last = name.rpartition(".")[2]
        found = self.pages("symbols", limit=5, q=last, match="fuzzy")["items"]
        names = ", ".join(dict.fromkeys(one["qualified_name"] for one in found))
        return f"Similar names: {names}." if names else ""

    def _at(self) -> dict[str, str | None]:
        if self.ref is not None and _COMMIT.fullmatch(self.ref):
            return {"commit": self.ref}
        return {"ref": self.ref}

    def _path(self, path: str) -> str:
        return f"/v1/repositories/{self.repository_id}/{path}"


def _dotted(symbol: dict[str, Any]) -> str:
    """`graph/storage/keys.py` and `Caller` as `graph.storage.keys.Caller`."""
    module = str(symbol["path"]).rpartition(".")[0].replace("/", ".")
    return f"{module.removesuffix('.__init__')}.{symbol['qualified_name']}"


@contextmanager
def opened(
    repository: str | None,
    ref: str | None,
    *,
    whole_tenant: bool = False,
) -> Iterator[Target]:
    """The repository that was named, or else that of this folder, or else the only one.

    Raises CommandFailed when that leaves none or several.
    """
    from graph.settings import get_settings

    with connected(get_settings(), start=True) as client:
        found = "" if whole_tenant else _repository_id(client, repository)
        yield Target(client, found, ref)


def _repository_id(client: Client, named: str | None) -> str:
    if named is not None and _UUID.fullmatch(named):
        return named
    known = client.pages("/v1/repositories", limit=10_000)["items"]
    if not known:
        raise CommandFailed("There is no repository yet.", "Ingest one: `codeloom ingest PATH`.")
    if named is None:
        fitting = _at(client, str(Path.cwd())) or known
    else:
        fitting = _named(known, named) or _at(client, named)
    if len(fitting) == 1:
        return str(fitting[0]["id"])
    rows = [(one["name"], one["url"], one["id"]) for one in (fitting or known)[:_CANDIDATES]]
    table(("name", "address", "id"), rows)
    if named is None:
        raise CommandFailed("There are several repositories.", "Say which one with --repo.")
    many = "Several repositories are" if fitting else "No repository is"
    raise CommandFailed(f"{many} called {named}.", "Name one of these by its address or id.")


def _named(known: list[dict[str, Any]], named: str) -> list[dict[str, Any]]:
    whole = [one for one in known if one["name"] == named]
    return whole or [one for one in known if one["name"].rpartition("/")[2] == named]


def _at(client: Client, place: str) -> list[dict[str, Any]]:
    """The repository of a folder or an address, in whichever way it is written."""
    if "://" not in place and not Path(place).exists():
        return []
    found: list[dict[str, Any]] = client.get("/v1/repositories", url=address_of(place))["items"]
    return found
