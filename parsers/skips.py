"""Why a blob yields no facts: a closed list, because the reasons are stored and counted.

A skip is expected and recorded. It is neither a fault (ours, on one file) nor an error (which stops
the job). The text of a reason is stored and answered, so a reason is only ever added.
"""

from enum import StrEnum


class SkipReason(StrEnum):
    """Reasons by their stored text; `SKIP_REASONS` says what each means."""

    # Known from the tree alone: nothing of the blob is read.
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    VENDORED = "vendored"
    UNKNOWN_LANGUAGE = "unknown_language"
    PATH_TOO_LONG = "path_too_long"
    TOO_MANY_FILES = "too_many_files"
    # Known from the size: the blob is not read.
    OVERSIZE = "oversize"
    ABSENT = "absent"
    # Known from the bytes: the blob is not parsed.
    BINARY = "binary"
    LFS_POINTER = "lfs_pointer"
    GENERATED = "generated"
    MINIFIED = "minified"
    NOT_UTF8 = "not_utf8"
    # Known from trying: the verdict of the sandboxed parser.
    TOO_DEEP = "too_deep"
    TOO_MANY_NODES = "too_many_nodes"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"


SKIP_REASONS: dict[SkipReason, str] = {
    SkipReason.SYMLINK: "A symbolic link: it names another path and is never followed.",
    SkipReason.SUBMODULE: "A commit of another repository: recorded, never fetched.",
    SkipReason.VENDORED: "A copy of somebody else's code, by the folder that it stands in.",
    SkipReason.UNKNOWN_LANGUAGE: "No language that is supported claims its name.",
    SkipReason.PATH_TOO_LONG: "Its path is longer, or nested deeper, than any file system allows.",
    SkipReason.TOO_MANY_FILES: "The repository holds more files than a job may parse.",
    SkipReason.OVERSIZE: "It is larger than a source file may be.",
    SkipReason.ABSENT: "The repository names it but does not hold it, as a partial clone does.",
    SkipReason.BINARY: "Its first bytes hold a NUL, or it is no text in any encoding that we read.",
    SkipReason.LFS_POINTER: "It stands for a large file that is kept outside the repository.",
    SkipReason.GENERATED: "Its first lines say that a program wrote it.",
    SkipReason.MINIFIED: "Its lines are too long to have been written by hand.",
    SkipReason.NOT_UTF8: "It is text, but in no encoding that can be read without a guess.",
    SkipReason.TOO_DEEP: "Its syntax is nested deeper than may be walked.",
    SkipReason.TOO_MANY_NODES: "Its syntax tree has more nodes than may be walked.",
    SkipReason.TIMEOUT: "Its parser did not finish in the time one file has.",
    SkipReason.MEMORY: "Its parser needed more memory than one file may take.",
    SkipReason.CRASHED: "Its parser died.",
}
