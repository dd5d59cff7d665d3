"""What was fetched is kept in the object store while its job waits: it is fetched once."""

import hashlib
from collections.abc import Callable, Iterator

from graph.errors import ArtifactDamaged
from graph.model.ids import JobId, TenantId
from graph.storage.artifacts import Artifact, ArtifactStore, artifact_key
from workers.git import fetch, packed
from workers.git.fetch import Checkout
from workers.git.remotes import HttpsRemote
from workers.stages.checkout import Access, Located, Opened
from workers.stages.shards import KIND


def keep(
    fetched: Checkout,
    store: ArtifactStore,
    tenant_id: TenantId,
    job_id: JobId,
    *,
    announce: Callable[[Artifact], None],
    on_chunk: Callable[[], None],
) -> Artifact | None:
    """The objects of a checkout, as an artifact of this job alone; None where nothing was fetched.

    It goes the way of the job's shards.
    """
    chunks = packed.join(fetched.git_dir / "objects", label=job_id.bytes)
    if chunks is None:
        return None
    digest, size, upload = hashlib.sha256(), 0, store.begin()
    try:
        for chunk in chunks:
            on_chunk()
            upload.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        artifact = Artifact(KIND, digest.digest(), size)
        announce(artifact)
        upload.keep(artifact_key(tenant_id, KIND, artifact.sha256))
    finally:
        upload.abandon()
    return artifact


def reopen(
    located: Located, access: Access, store: ArtifactStore, tenant_id: TenantId, sha256: bytes
) -> Opened | None:
    """The checkout again, of a commit that was fetched and kept.

    Raises ArtifactNotFound and ArtifactDamaged, and leaves nothing then.
    """
    if not isinstance(located.remote, HttpsRemote):
        return None
    opened = fetch.open_packed(
        _checked(store.get(artifact_key(tenant_id, KIND, sha256)), sha256),
        located.remote,
        located.target.commit,
        scratch=access.scratch,
        limits=access.limits,
        should_stop=access.should_stop,
    )
    return Opened(opened, [])


def _checked(chunks: Iterator[bytes], sha256: bytes) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.digest() != sha256:
        raise ArtifactDamaged
