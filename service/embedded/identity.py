"""Who runs PostgreSQL, and what that user can reach.

PostgreSQL refuses to run as root. Root therefore hands it to `nobody`, and must then make sure
that `nobody` can enter every directory on the way, without opening a directory that its owner
had closed.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from service.embedded.errors import EmbeddedError


class SpawnAs(TypedDict, total=False):
    """The keyword arguments of `subprocess` that change the user of a child."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Identity:
    """A user other than root that a child runs as."""

    uid: int
    gid: int

    def spawn_arguments(self) -> SpawnAs:
        """Arguments for `subprocess`: this user, its group, and no other group."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, directory: Path) -> bool:
        """Whether this user may pass through the directory and everything above it.

        Only the permission bits for others are asked: `nobody` owns nothing and is in no group
        that matters.
        """
        return all(
            place.stat().st_mode & stat.S_IXOTH
            for place in (directory.resolve(), *directory.resolve().parents)
        )

    def own(self, directory: Path) -> None:
        """Give the directory to this user."""
        os.chown(directory, self.uid, self.gid)


def unprivileged(name: str = "nobody") -> Identity | None:
    """The user to drop to, or None when the caller is not root and stays who it is.

    Raises EmbeddedError when the caller has no entry in the user database: `initdb` looks its own
    user up and fails on such a one, with a message that explains nothing.
    """
    if os.geteuid() == 0:
        entry = pwd.getpwnam(name)
        return Identity(entry.pw_uid, entry.pw_gid)
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise EmbeddedError(
            f"The user id {os.geteuid()} has no entry in the user database, and PostgreSQL cannot "
            "run as such a user. Set DATABASE_URL to use a server of your own.",
        ) from None
    return None
