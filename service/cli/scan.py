"""`codeloom scan`: parse and resolve a folder into a file of JSON lines, without any server."""

import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from service.cli import app
from service.cli.screen import CommandFailed, as_json


@app.command()
def scan(
    path: Annotated[Path, typer.Argument(help="The folder; what stands in it now, not a commit.")],
    jsonl: Annotated[
        Path, typer.Option("--jsonl", metavar="FILE", help="Where the records go; - is the screen.")
    ] = Path("-"),
) -> None:
    """Write every definition, call and reference of a folder as a JSON line."""
    # Parsers and grammars take a second to load, which no other command should pay.
    import msgspec

    from workers.scan import Scanned
    from workers.scan import scan as records

    summary = Scanned()
    encoder = msgspec.json.Encoder()
    out = sys.stdout.buffer if str(jsonl) == "-" else _opened(jsonl)
    try:
        for record in records(path, summary=summary):
            out.write(encoder.encode(record) + b"\n")
    except NotADirectoryError as error:
        raise CommandFailed(f"There is no folder {path}.", "Name an existing folder.") from error
    finally:
        if out is not sys.stdout.buffer:
            out.close()
    if str(jsonl) != "-":
        as_json(
            {
                "files": summary.files,
                "lines": summary.lines,
                "skipped": summary.skipped,
                "references": {
                    "resolved": summary.references.resolved,
                    "external": summary.references.external,
                    "unresolved": summary.references.unresolved,
                },
            }
        )


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("wb")
    except OSError as error:
        raise CommandFailed(
            f"{file} cannot be written: {error.strerror}.", "Name a file in an existing folder."
        ) from error
