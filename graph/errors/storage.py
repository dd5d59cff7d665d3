"""The stores, and the settings that say where they are."""

from graph.errors.tree import CodeloomError


class StorageError(CodeloomError):
    """The database or the object store did not answer as it should; trying again may help."""

    code = "storage_unavailable"
    kind = "unavailable"
    transient = True


class StorageRefused(CodeloomError):
    """The database or the object store refused what was asked; trying again will not help."""

    code = "storage_refused"
    kind = "internal"


class ArtifactNotFound(CodeloomError):
    """There is no such artifact."""

    code = "artifact_not_found"
    kind = "not_found"


class ArtifactDamaged(CodeloomError):
    """An artifact does not hold what was written to it."""

    code = "artifact_damaged"
    kind = "internal"


class SettingMissing(CodeloomError):
    """A setting is missing or cannot be used."""

    code = "setting_missing"
    kind = "internal"
