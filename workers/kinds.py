"""What a job of each kind takes, as it comes from outside: JSON of a tenant."""

from collections.abc import Mapping
from textwrap import shorten
from typing import Annotated
from uuid import UUID

import msgspec

from graph.errors import JobParametersInvalid
from graph.model.jobs import INGEST, PURGE

# Characters of what does not fit.
_MOST_SAID = 200

# A commit's whole id, in either of git's formats.
Commit = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})\Z")]


class Ingest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bring a ref, or one commit, of a repository into the graph."""

    repository_id: UUID
    ref: str | None = None
    commit: Commit | None = None
    force: bool = False


class Purge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Remove what nobody can ask a repository for any more."""

    repository_id: UUID


Parameters = Ingest | Purge

PARAMETERS: dict[str, type[Parameters]] = {INGEST.name: Ingest, PURGE.name: Purge}


def read(kind: str, parameters: Mapping[str, object]) -> Parameters:
    """The parameters of a job of this kind.

    Raises JobParametersInvalid with what does not fit, for an unknown kind as well.
    """
    shape = PARAMETERS.get(kind)
    if shape is None:
        raise JobParametersInvalid(f"The kinds of jobs are {', '.join(PARAMETERS)}.")
    try:
        return msgspec.convert(dict(parameters), shape)
    except msgspec.ValidationError as error:
        # It repeats a name that is not known, which may be as long as a body may be.
        said = shorten(str(error), _MOST_SAID, placeholder="...")
        raise JobParametersInvalid(f"The parameters do not fit: {said}.") from None
