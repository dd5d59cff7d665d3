"""What every object store has to do, tried on each of them."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import ArtifactNotFound, SettingMissing, StorageError, StorageRefused
from graph.model.ids import TenantId
from graph.storage import artifact_rows
from graph.storage.artifacts import (
    Artifact,
    FileStore,
    StoredObject,
    artifact_key,
    digest_of,
    open_store,
)

TENANT = TenantId(UUID("01890000-0000-7000-8000-000000000001"))
MIB = 1024 * 1024


@pytest.fixture(params=["file"])
def store(tmp_path):
    return open_store((tmp_path / "with space").as_uri())


def key_for(data: bytes, kind: str = "facts", tenant: TenantId = TENANT) -> str:
    return artifact_key(tenant, kind, hashlib.sha256(data).digest())


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_bytes_come_back_as_they_went_in(store, size):
    data = os.urandom(size)
    key = key_for(data)
    chunks = [data[start : start + 700_000] for start in range(0, size, 700_000)]
    assert store.put_stream(key, chunks) == StoredObject(key=key, size_bytes=size)
    assert b"".join(store.get(key)) == data
    assert digest_of(store.get(key)).hex() == key.rpartition("/")[2]
    assert store.head(key) == StoredObject(key=key, size_bytes=size)


def test_a_range_is_bytes_out_of_the_middle(store):
    key = key_for(b"x")
    store.put_stream(key, [b"0123456789"])
    assert store.get_range(key, 3, 4) == b"3456"
    assert store.get_range(key, 8, 40) == b"89"
    assert store.get_range(key, 40, 1) == b""


def test_what_is_not_there_is_said_to_be_missing(store):
    key = key_for(b"none")
    assert store.head(key) is None
    with pytest.raises(ArtifactNotFound):
        list(store.get(key))
    with pytest.raises(ArtifactNotFound):
        store.get_range(key, 0, 1)
    store.delete(key)


def test_an_object_can_be_replaced_and_removed(store):
    key = key_for(b"x")
    store.put_stream(key, [b"old"])
    store.put_stream(key, [b"new"])
    assert b"".join(store.get(key)) == b"new"
    store.delete(key)
    assert store.head(key) is None


def test_an_object_that_is_there_is_left_as_it_is(store):
    key = key_for(b"x")
    assert store.put_if_absent(key, [b"first"])
    assert not store.put_if_absent(key, [b"second"])
    assert b"".join(store.get(key)) == b"first"


def test_of_many_that_make_an_object_at_once_one_does(store):
    key = key_for(b"x")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: store.put_if_absent(key, [b"%d" % n] * 1000), range(32)))
    assert sum(made) == 1
    assert len(b"".join(store.get(key))) in (1000, 2000)


def test_objects_are_listed_by_tenant_and_kind(store):
    stranger = TenantId(uuid4())
    mine = sorted(key_for(bytes([n])) for n in range(3))
    for key in mine:
        store.put_stream(key, [b"12"])
    store.put_stream(key_for(b"x", kind="export"), [b"1"])
    store.put_stream(key_for(b"x", tenant=stranger), [b"1"])
    assert [each.key for each in store.list(TENANT, "facts")] == mine
    assert len(list(store.list(TENANT))) == 4
    assert len(list(store.list(stranger))) == 1
    assert list(store.list(TenantId(uuid4()))) == []


def test_an_upload_is_invisible_until_it_is_kept(store):
    upload = store.begin()
    upload.write(b"half")
    assert list(store.list(TENANT)) == []
    upload.abandon()
    assert list(store.list(TENANT)) == []
    upload = store.begin()
    upload.write(b"whole")
    assert upload.keep(key_for(b"whole"))
    upload.abandon()
    assert b"".join(store.get(key_for(b"whole"))) == b"whole"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "t/../../etc/passwd",
        f"t/{TENANT}/facts/../x",
        f"t/{TENANT}/facts/" + "a" * 63,
        f"t/{TENANT}/facts/" + "A" * 64,
        f"t/{TENANT}/Facts/" + "a" * 64,
        f"/t/{TENANT}/facts/" + "a" * 64,
        f"t/{TENANT}/facts/" + "a" * 64 + "\n",
        f"t/{str(TENANT).upper()}x/facts/" + "a" * 64,
    ],
)
def test_other_keys_are_refused_everywhere(store, key):
    for action in (
        lambda: store.put_stream(key, [b"x"]),
        lambda: store.put_if_absent(key, [b"x"]),
        lambda: list(store.get(key)),
        lambda: store.get_range(key, 0, 1),
        lambda: store.head(key),
        lambda: store.delete(key),
    ):
        with pytest.raises(StorageRefused):
            action()
    upload = store.begin()
    with pytest.raises(StorageRefused):
        upload.keep(key)
    upload.abandon()


@given(st.uuids(), st.text(max_size=40), st.binary(max_size=40))
def test_a_key_never_leaves_the_prefix_of_its_tenant(tenant, kind, sha256):
    try:
        key = artifact_key(TenantId(tenant), kind, sha256)
    except StorageRefused:
        return
    assert key.startswith(f"t/{tenant}/")
    assert key.split("/") == ["t", str(tenant), kind, sha256.hex()]
    assert len(sha256) == 32


@pytest.mark.parametrize(
    "url", ["", "/tmp/x", "s3://bucket", "file://host/x", "file:relative", "http://x"]
)
def test_an_address_of_no_known_kind_is_refused(url):
    with pytest.raises(SettingMissing):
        open_store(url)


def test_a_store_that_cannot_write_says_so(tmp_path):
    (tmp_path / "uploads").write_text("in the way")
    with pytest.raises(StorageError):
        FileStore(tmp_path).begin()


def test_a_writer_that_is_killed_leaves_no_object_and_its_rubbish_is_swept(tmp_path):
    program = (
        "import sys, time; from pathlib import Path\n"
        "from graph.storage.artifacts import FileStore\n"
        "upload = FileStore(Path(sys.argv[1])).begin(); upload.write(b'x' * 9_000_000)\n"
        "print('written', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"written\n"
        writer.send_signal(signal.SIGKILL)
    store = FileStore(tmp_path)
    assert list(store.list(TENANT)) == []
    assert store.sweep(older_than_seconds=3600) == 0
    (rubbish,) = (tmp_path / "uploads").iterdir()
    os.utime(rubbish, (time.time() - 7200,) * 2)
    assert store.sweep(older_than_seconds=3600) == 1
    assert list((tmp_path / "uploads").iterdir()) == []


def test_nothing_is_left_when_the_source_breaks(tmp_path):
    def broken():
        yield b"some"
        raise ZeroDivisionError

    store = FileStore(tmp_path)
    for put in (store.put_stream, store.put_if_absent):
        with pytest.raises(ZeroDivisionError):
            put(key_for(b"x"), broken())
    assert list((tmp_path / "uploads").iterdir()) == []
    assert list(store.list(TENANT)) == []


def test_rows_tell_which_artifacts_a_tenant_has(session, stranger, repository):
    artifact = Artifact(kind="facts", sha256=b"\1" * 32, size_bytes=7)
    other = Artifact(kind="export", sha256=b"\2" * 32, size_bytes=8)
    with session(role="worker") as conn:
        for _ in range(2):
            artifact_rows.record(conn, artifact=artifact, repository=repository.number)
        artifact_rows.record(conn, artifact=other)
    with session() as conn:
        assert artifact_rows.get(conn, kind="facts", sha256=artifact.sha256) == artifact
        assert artifact_rows.of_repository(conn, repository=repository.number) == [artifact]
    with session(stranger) as conn, pytest.raises(ArtifactNotFound):
        artifact_rows.get(conn, kind="facts", sha256=artifact.sha256)
    with session(role="worker") as conn:
        artifact_rows.forget(conn, kind="facts", sha256=artifact.sha256)
        with pytest.raises(ArtifactNotFound):
            artifact_rows.get(conn, kind="facts", sha256=artifact.sha256)
