"""Files of a snapshot and what is defined in them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypeAliasType

from graph.model.rows import DocumentStatus
from graph.queries import files
from graph.queries.page import Key, Page
from graph.queries.snapshots import Reading
from graph.queries.symbols import Symbol
from service import schemas, shapes
from service.etags import NOT_MODIFIED
from service.reads import ListRead
from service.schemas import GraphPage, Shape
from service.wire import Text

router = APIRouter(prefix="/v1/repositories/{repository_id}", tags=["graph"])


FileStatus = TypeAliasType(
    "FileStatus",
    Annotated[
        DocumentStatus, Field(description="partial: parsed, but something of it was left out.")
    ],
)


class FileReferences(Shape):
    """References in a file, by what became of them."""

    resolved: int = Field(description="Linked to a definition in this repository.")
    external: int = Field(description="Linked to a symbol outside of it.")
    unresolved: int = Field(description="Left alone, for want of evidence.")


class File(Shape):
    """One file of the commit."""

    path: str = Field(description="From the repository's root; undecodable bytes are escaped.")
    language: str | None = Field(description="Null if it is none of those that are parsed.")
    status: FileStatus
    skip_reason: str | None = Field(description="Why it was not parsed, or not wholly.")
    lines: int
    size_bytes: int
    blob: str = Field(description="The hash by which git knows the content.")
    references: FileReferences


class FilePage(GraphPage[File]):
    """Files in the order of their paths."""


class OutlinePage(GraphPage[schemas.Symbol]):
    """Definitions in the order of their places; `parent` says which encloses which."""


@router.get("/files", response_model=FilePage, responses=NOT_MODIFIED)
def list_files(
    read: ListRead,
    path: Annotated[
        Text | None,
        Query(min_length=1, max_length=4096, description="Only this file or folder."),
    ] = None,
    language: Annotated[
        Text | None, Query(min_length=1, max_length=40, examples=["python"])
    ] = None,
    status: Annotated[FileStatus | None, Query(description="Only with this status.")] = None,
) -> Response:
    """The files of the commit, and what became of each."""
    return read.page(
        FilePage,
        lambda reading, after, limit: files.list_all(
            reading, path=path, language=language, status=status, after=after, limit=limit
        ),
        _file,
    )


@router.get("/files/{path:path}/outline", response_model=OutlinePage, responses=NOT_MODIFIED)
def get_outline(
    read: ListRead,
    path: Annotated[
        Text,
        Path(
            min_length=1,
            max_length=4096,
            description="The file's path, with its slashes.",
            examples=["src/app.py"],
        ),
    ],
) -> Response:
    """What is defined in a file, from top to bottom."""

    def outline(reading: Reading, after: Key | None, limit: int) -> Page[Symbol]:
        file = files.get(reading, path=path)
        return files.outline(reading, file=file, after=after, limit=limit)

    return read.page(OutlinePage, outline, shapes.symbol)


def _file(found: files.File) -> File:
    return File(
        path=found.path,
        language=found.language,
        status=found.status,
        skip_reason=found.skip_reason,
        lines=found.lines,
        size_bytes=found.size_bytes,
        blob=found.blob,
        references=FileReferences(**found.references),
    )
