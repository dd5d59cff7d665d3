"""`codeloom query`: questions to the graph, as readable tables or as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from service.cli import app
from service.cli.screen import CommandFailed, as_json, heading, remarks, table
from service.cli.target import Target, opened

query = typer.Typer(no_args_is_help=True, help="Ask the graph.")
app.add_typer(query, name="query")

Repo = Annotated[
    str | None,
    typer.Option("--repo", help="Id, name or address; the default is the one of this folder."),
]
Ref = Annotated[
    str | None, typer.Option(help="A branch, a tag or a whole commit id; the default is HEAD.")
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")]
Match = Literal["exact", "prefix", "fuzzy"]
Status = Literal["parsed", "partial", "skipped"]
Json = Annotated[bool, typer.Option("--json", help="What the API answered.")]
SymbolArgument = Annotated[
    str,
    typer.Argument(metavar="SYMBOL", help="A name, a qualified name or a symbol's id."),
]
InPath = Annotated[
    str | None, typer.Option("--path", help="Only symbols defined in this file or folder.")
]

_SYMBOL_COLUMNS = ("symbol", "kind", "place", "id")
_LINK_COLUMNS = ("symbol", "kind", "edge", "certainty", "rule", "site")


@query.command("repositories")
def repositories(limit: Limit = 100, json: Json = False) -> None:
    """Which repositories there are."""
    with opened(None, None, whole_tenant=True) as target:
        answer = target.client.pages("/v1/repositories", limit=limit)
    rows = [(one["name"], one["url"], one["id"]) for one in answer["items"]]
    _show(answer, ("name", "address", "id"), rows, json=json)


@query.command("symbols")
def symbols(
    name: Annotated[str, typer.Argument(help="A name or a part of it.")] = "",
    *,
    repo: Repo = None,
    ref: Ref = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeatable.")] = None,
    path: InPath = None,
    match: Annotated[Match, typer.Option(help="How the name is compared.")] = "prefix",
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Find symbols by name."""
    with opened(repo, ref) as target:
        asked = {"q": name, "kind": kind, "path": path, "match": match}
        answer = target.pages("symbols", limit=limit, **asked)
    _show(answer, _SYMBOL_COLUMNS, _symbols(answer["items"]), json=json)


@query.command("definition")
def definition(
    place: Annotated[
        str,
        typer.Argument(
            metavar="PATH:LINE[:COLUMN]",
            help="Line from 1, column from 0; without it, the line's first known name.",
        ),
    ],
    repo: Repo = None,
    ref: Ref = None,
    json: Json = False,
) -> None:
    """What the name at a place stands for."""
    path, line, column = _place(place)
    with opened(repo, ref) as target:
        answer = target.get("definition", path=path, line=line, column=column)
    known = answer["columns"]
    if answer["outcome"] != "found" and not json:
        raise CommandFailed(
            _OUTCOMES[answer["outcome"]], _columns("The known names of this line", known)
        )
    _show(answer, _SYMBOL_COLUMNS, _symbols(one["symbol"] for one in answer["items"]), json=json)
    if len(known) > 1 and not json:
        remarks().print(_columns("This is the line's first known name; others", known[1:]))


def _linked(what: str, meaning: str) -> None:
    """A command about the symbols that one symbol is linked with."""

    @query.command(what, help=meaning)
    def _(
        symbol: SymbolArgument,
        *,
        repo: Repo = None,
        ref: Ref = None,
        path: InPath = None,
        limit: Limit = 50,
        json: Json = False,
    ) -> None:
        with opened(repo, ref) as target:
            answer = target.linked(what, symbol, path, limit)
        _show(answer, _LINK_COLUMNS, link_rows(answer["items"]), json=json)


_linked("references", "Where a symbol is used.")
_linked("callers", "Who calls a symbol.")
_linked("callees", "What a symbol calls.")


@query.command("outline")
def outline(
    path: Annotated[str, typer.Argument(help="A file, from the repository's root.")],
    repo: Repo = None,
    ref: Ref = None,
    limit: Limit = 1000,
    json: Json = False,
) -> None:
    """What is defined in a file."""
    with opened(repo, ref) as target:
        answer = target.outline(path, limit)
    _show(answer, OUTLINE_COLUMNS, outline_rows(answer["items"]), json=json)


@query.command("files")
def files(
    path: Annotated[str | None, typer.Argument(help="Only this file or folder.")] = None,
    *,
    repo: Repo = None,
    ref: Ref = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """The files of a commit and what became of each."""
    with opened(repo, ref) as target:
        answer = target.pages("files", limit=limit, path=path, status=status)
    rows = [
        (one["path"], one["language"], one["status"], one["skip_reason"], one["lines"])
        for one in answer["items"]
    ]
    _show(answer, ("file", "language", "status", "because", "lines"), rows, json=json)


OUTLINE_COLUMNS = ("lines", "kind", "symbol", "signature", "id")
_OUTCOMES = {
    "not_indexed": "The file was not parsed, so nothing is known about this place.",
    "unknown": "No name with a known target stands at this place.",
}


def _columns(what: str, columns: Sequence[int]) -> str:
    """Where something begins on a line; empty if it does nowhere."""
    places = ", ".join(map(str, columns))
    return f"{what} begin at column{'s' if len(columns) > 1 else ''} {places}." if places else ""


def outline_rows(items: Iterable[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    """The symbols of a file, each as far to the right as it is deep."""
    depths: dict[str, int] = {}
    rows: list[tuple[object, ...]] = []
    for one in items:
        depth = depths.get(one["parent"], -1) + 1
        depths[one["id"]] = depth
        lines = f"{one['start_line']}-{one['end_line']}"
        name = "  " * depth + one["name"]
        rows.append((lines, one["kind"], name, one["signature"], one["id"]))
    return rows


def _symbols(items: Iterable[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [(one["qualified_name"], one["kind"], _where(one), one["id"]) for one in items]


def link_rows(items: Iterable[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    """Edges with the symbol at their other end, as the columns of a table."""
    rows: list[tuple[object, ...]] = []
    for one in items:
        symbol, edge, site = one["symbol"], one["edge"], one["edge"]["site"]
        certainty = edge["certainty"]
        if edge["candidates"] > 1:
            certainty += f" 1/{edge['candidates']}"
        place = f"{site['path']}:{site['line']}:{site['column']}"
        name = symbol["qualified_name"]
        rows.append((name, symbol["kind"], edge["kind"], certainty, edge["rule"], place))
    return rows


def _where(symbol: Mapping[str, Any]) -> str:
    if symbol["external"]:
        return str(symbol["path"])
    return f"{symbol['path']}:{symbol['line']}"


def _show(
    answer: Mapping[str, Any],
    columns: tuple[str, ...],
    rows: Sequence[tuple[object, ...]],
    *,
    json: bool,
) -> None:
    if json:
        as_json(answer)
        return
    if rows:
        table(columns, rows)
    else:
        Target.nothing()
    if "snapshot" in answer:
        heading(answer["snapshot"], answer["coverage"])
    if answer.get("next_cursor"):
        Target.more()


def _place(text: str) -> tuple[str, int, int | None]:
    path, line, column = text, "", ""
    head, _, last = text.rpartition(":")
    if last.isdigit():
        path, line = head, last
        head, _, last = head.rpartition(":")
        if last.isdigit():
            path, line, column = head, last, line
    if not line or not path:
        raise CommandFailed("Write the place as PATH:LINE or PATH:LINE:COLUMN.")
    return path, int(line), int(column) if column else None
