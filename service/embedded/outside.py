"""Where root's cluster goes when PostgreSQL's user may not enter the state directory.

The state directory then holds a link to a folder under the staging root. The folder remembers
whose it is, so that what was made for a temporary directory goes with it: tests and benchmarks
of root make many of those.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

from service.embedded import binaries, postgres
from service.embedded.errors import EmbeddedError

_PREFIX = "state-"
_OWNER = "home"


def folder(link: Path) -> Path:
    """The folder that `link`, the place of the cluster in a state directory, leads to.

    Made together with the link when there is none. Raises EmbeddedError when a cluster stands
    where the link should.
    """
    if link.is_symlink():
        return binaries.staging_folder(link.readlink().name)
    if link.exists():
        raise EmbeddedError(
            f"{link} was made when others could enter {link.parent}, and now they cannot. "
            "Open the directory for entering again (chmod o+x), or choose another CODELOOM_HOME.",
        )
    # A random name: a new home at the path of a removed one must not find the old data.
    outside = binaries.staging_folder(f"{_PREFIX}{uuid4().hex[:12]}")
    (outside / _OWNER).write_text(str(link.parent))
    link.symlink_to(outside)
    _sweep()
    return outside


def _sweep() -> None:
    """Remove the folders of temporary state directories that are gone.

    Only of temporary ones: any other may lie on a disk that is not mounted just now.
    """
    temporary = Path(tempfile.gettempdir())
    staging = os.open(binaries.STAGING, os.O_RDONLY)
    try:
        # Two stacks that start at once would remove the files under each other's hands.
        fcntl.flock(staging, fcntl.LOCK_EX)
        for found in binaries.STAGING.glob(f"{_PREFIX}*/{_OWNER}"):
            home = Path(found.read_text())
            gone = home.is_relative_to(temporary) and not home.exists()
            if gone and postgres.server_on(found.parent / "data") is None:
                shutil.rmtree(found.parent)
    finally:
        os.close(staging)
