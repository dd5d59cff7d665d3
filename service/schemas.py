"""Wire shapes that several routes share; what belongs to one resource stands in its route file.

Field descriptions are part of the published API document: they say what a value means, in which
unit, and when it is null.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from graph.model.edges import Certainty as CertaintyCode
from graph.model.edges import EdgeKind, Rule
from graph.model.nodes import NodeKind
from graph.storage.audit import Outcome

Item = TypeVar("Item")

SYMBOL_ID_PATTERN = r"^[0-9a-f]{16}$"


def _word_of(words: Iterable[str], description: str) -> tuple[AfterValidator, FieldInfo]:
    known = frozenset(words)

    def check(word: str) -> str:
        if word not in known:
            raise ValueError("must be one of " + ", ".join(sorted(known)))
        return word

    listed: list[JsonValue] = [*sorted(known)]
    field = Field(description=description, json_schema_extra={"enum": listed})
    assert isinstance(field, FieldInfo)  # noqa: S101 - Field() is typed as Any
    return AfterValidator(check), field


# Words of the graph's own tables: the API document lists them, an unknown one is refused. Types
# with a name are told once in the document, and generated clients have one class for each.
NodeKindName = TypeAliasType(
    "NodeKindName",
    Annotated[str, *_word_of((kind.label for kind in NodeKind), "What a symbol is.")],
)
EdgeKindName = TypeAliasType(
    "EdgeKindName",
    Annotated[str, *_word_of((kind.label for kind in EdgeKind), "How two symbols are linked.")],
)
CertaintyName = TypeAliasType(
    "CertaintyName",
    Annotated[str, *_word_of((code.label for code in CertaintyCode), "How sure a link is.")],
)
RuleName = TypeAliasType(
    "RuleName",
    Annotated[str, *_word_of((rule.label for rule in Rule), "By which evidence it was found.")],
)
OutcomeName = TypeAliasType(
    "OutcomeName",
    Annotated[Outcome, Field(description="failed: Codeloom could not do what it should have.")],
)


class Shape(BaseModel):
    """What we send. Closed, so that the API document promises exactly what comes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(BaseModel):
    """What we accept. An unknown field is an error: it is most likely a misspelt known one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


SymbolId = Annotated[
    str,
    Field(
        pattern=SYMBOL_ID_PATTERN,
        description="Names a symbol of one repository, the same in all its snapshots.",
        examples=["8d1f0c2a9be47731"],
    ),
]


class Snapshot(Shape):
    """The graph of one repository at one commit; everything in an answer comes from it."""

    id: UUID
    commit: str = Field(description="The commit's hash in hexadecimal.")
    ref: str | None = Field(description="The branch or tag whose ingestion made the snapshot.")
    published_at: datetime


class Coverage(Shape):
    """How much of the commit the graph knows. An absent edge means little where this is low."""

    files: int = Field(description="Files of the commit.")
    parsed: int = Field(description="Files whose code is in the graph, wholly or in part.")
    skipped: dict[str, int] = Field(description="Files that were not parsed, by reason.")
    unresolved_ratio: float = Field(
        ge=0,
        le=1,
        description="Share of references for which no target was found with evidence.",
    )


class Page(Shape, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null at the end of the list.",
    )
    truncated: bool = Field(
        description="True if a limit other than the page's cut the list, with nothing to go on to.",
    )


class GraphPage(Shape, Generic[Item]):
    """One page of an answer out of a snapshot."""

    snapshot: Snapshot
    coverage: Coverage
    items: list[Item]
    next_cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null at the end of the list.",
    )
    truncated: bool = Field(
        description="True if a limit other than the page's cut the list, with nothing to go on to.",
    )


class Site(Shape):
    """A place in a file of the snapshot."""

    path: str = Field(description="From the repository's root; undecodable bytes are escaped.")
    line: int = Field(ge=0, description="From 1.")
    column: int = Field(ge=0, description="From 0, in UTF-16 code units.")


class SymbolBrief(Shape):
    """A symbol, as much of it as a list needs."""

    id: SymbolId
    kind: NodeKindName
    name: str
    qualified_name: str = Field(description="Dotted, from the file's outermost definition inwards.")
    external: bool = Field(description="True if it is used here and defined outside.")
    path: str = Field(description="The defining file; `<package>` for an external symbol.")
    line: int = Field(ge=0, description="Of the name, from 1; 0 for an external symbol.")
    column: int = Field(ge=0, description="Of the name, from 0, in UTF-16 code units.")


class Symbol(SymbolBrief):
    """A symbol with everything that is known about its definition."""

    language: str | None = Field(description="Of the defining file; null for an external symbol.")
    start_line: int = Field(ge=0, description="First line of the whole definition.")
    end_line: int = Field(ge=0, description="Last line of the whole definition.")
    parent: SymbolId | None = Field(description="The symbol or file that encloses it.")
    flags: list[str] = Field(description="What else its syntax says: exported, static, async ...")
    signature: str = Field(description="As written, on one line; empty if there is none.")
    doc: str = Field(description="First line of its documentation; empty if there is none.")


class Edge(Shape):
    """Why two symbols are linked, and how sure that is."""

    kind: EdgeKindName
    certainty: CertaintyName = Field(
        description=(
            "exact: one target is left by scope, import or declared type; inferred: the type was"
            " inferred; ambiguous: one of several candidates, all of which are linked."
        ),
    )
    rule: RuleName = Field(description="The evidence.")
    candidates: int = Field(ge=1, description="How many targets this site may have.")
    site: Site = Field(description="Where the source names the target.")


class Link(Shape):
    """One edge, with the symbol at its other end."""

    symbol: SymbolBrief
    edge: Edge


class ProblemPlace(Shape):
    """One value that does not fit."""

    location: str = Field(examples=["query.limit"])
    message: str
    code: str


class Problem(Shape):
    """An error, in the form of RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "/problems/repository_not_found",
                "title": "There is no such repository",
                "status": 404,
                "detail": "There is no such repository.",
                "code": "repository_not_found",
                "action": "Check the id, and that the key belongs to the tenant that owns it.",
                "request_id": "01a1fbe97e5f7230b305cb318fa2e2c1",
            },
        },
    )

    type: str = Field(description="Address of the description of this code.")
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable: branch on this.", examples=["repository_not_found"])
    action: str = Field(description="What to do about it.")
    request_id: str = Field(description="Quote it when you report the error.")
    errors: list[ProblemPlace] = Field(default=[], description="The values that do not fit.")
