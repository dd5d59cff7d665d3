import os
import subprocess
import sys
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from graph.errors import ArtifactDamaged, ArtifactNotFound
from graph.model.ids import TenantId
from graph.storage import facts_packs
from graph.storage.artifacts import artifact_key, digest_of, open_store
from graph.storage.facts_packs import KIND, PackReader, PackWriter

TENANT = TenantId(UUID("01890000-0000-7000-8000-000000000001"))
ENTRIES = st.lists(st.tuples(st.binary(max_size=40), st.binary(), st.binary()), max_size=30)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path.as_uri())


def write(store, entries):
    with PackWriter(store, TENANT) as writer:
        for fingerprint, *parts in entries:
            writer.add(fingerprint, parts)
        return writer.close()


def read(store, artifact):
    return PackReader(store, artifact_key(TENANT, KIND, artifact.sha256))


@profile(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ENTRIES, st.sampled_from([1, 40, 1 << 20]))
@example([], 1)
@example([(b"", b"", b"")], 1)
def test_what_is_written_is_read(store, entries, block):
    original = facts_packs._BLOCK_BYTES
    facts_packs._BLOCK_BYTES = block
    try:
        artifact = write(store, entries)
    finally:
        facts_packs._BLOCK_BYTES = original
    first: dict[bytes, list[bytes]] = {}
    for fingerprint, *parts in entries:
        first.setdefault(fingerprint, parts)
    pack = read(store, artifact)
    assert set(pack.index()) == set(first)
    assert list(pack.stream()) == list(first.items())
    assert list(pack.stream([1])) == [(name, parts[1:]) for name, parts in first.items()]
    for fingerprint, parts in first.items():
        assert [pack.get(fingerprint, 0), pack.get(fingerprint, 1)] == parts
    assert pack.get(b"x" * 41, 0) is None


def test_equal_entries_are_one_artifact(store):
    entries = [(b"a", b"1", b"2"), (b"b", b"3", b"4")]
    first, second = write(store, entries), write(store, entries)
    assert first == second
    (stored,) = store.list(TENANT)
    assert stored.key == artifact_key(TENANT, KIND, first.sha256)
    assert stored.size_bytes == first.size_bytes
    assert digest_of(store.get(stored.key)) == first.sha256


def test_a_pack_that_is_not_closed_leaves_nothing(store, tmp_path):
    with PackWriter(store, TENANT) as writer:
        writer.add(b"a", [b"1", b"2"])
    assert list(store.list(TENANT)) == []
    assert list((tmp_path / "uploads").iterdir()) == []


def test_an_entry_is_added_once(store):
    with PackWriter(store, TENANT) as writer:
        assert writer.add(b"a", [b"1", b"2"])
        assert not writer.add(b"a", [b"3", b"4"])
        assert len(writer) == 1
        artifact = writer.close()
    assert read(store, artifact).get(b"a", 0) == b"1"


def test_an_entry_has_the_parts_of_its_pack(store):
    with PackWriter(store, TENANT, parts=3) as writer:
        with pytest.raises(ValueError, match="3 parts"):
            writer.add(b"a", [b"1", b"2"])
        writer.add(b"a", [b"1", b"2", b"3"])
        artifact = writer.close()
    assert list(read(store, artifact).stream([2, 0])) == [(b"a", [b"3", b"1"])]


def test_outlines_are_read_without_bodies(store, monkeypatch):
    body = os.urandom(400_000)
    artifact = write(store, [(bytes([n]), b"outline", body + bytes([n])) for n in range(20)])
    asked = 0
    ranged = type(store).get_range

    def counting(self, key, start, length):
        nonlocal asked
        data = ranged(self, key, start, length)
        asked += len(data)
        return data

    monkeypatch.setattr(type(store), "get_range", counting)
    assert len(list(read(store, artifact).stream([0]))) == 20
    assert asked < 200_000 < artifact.size_bytes


def test_a_large_index_is_read_whole(store, monkeypatch):
    monkeypatch.setattr(facts_packs, "_GUESS_BYTES", 100)
    entries = [(os.urandom(32), b"1", b"2") for _ in range(500)]
    assert set(read(store, write(store, entries)).index()) == {entry[0] for entry in entries}


def test_there_is_no_such_pack(store):
    with pytest.raises(ArtifactNotFound):
        PackReader(store, artifact_key(TENANT, KIND, b"\0" * 32))


def test_a_flipped_byte_of_the_index_is_noticed(store):
    entries = [(bytes([n]), b"outline" * n, b"body" * n) for n in range(1, 6)]
    artifact = write(store, entries)
    key = artifact_key(TENANT, KIND, artifact.sha256)
    whole = b"".join(store.get(key))
    parts = sum(len(first) + len(second) for _, first, second in entries)
    begins = len(facts_packs._MAGIC) + parts
    for place in range(begins, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        store.put_stream(key, [bytes(damaged)])
        try:
            found = list(PackReader(store, key).stream())
        except ArtifactDamaged:
            continue
        # Some bits of a compressed frame mean nothing.
        assert found == [(name, [first, second]) for name, first, second in entries], place


@pytest.mark.parametrize("kept", [0, 5, 8, 20, 60, -1, -10])
def test_a_cut_pack_is_damaged(store, kept):
    artifact = write(store, [(b"a", b"outline" * 9, b"body" * 9)])
    key = artifact_key(TENANT, KIND, artifact.sha256)
    store.put_stream(key, [b"".join(store.get(key))[:kept]])
    with pytest.raises(ArtifactDamaged):
        list(PackReader(store, key).stream())


def test_memory_does_not_grow_with_the_pack(tmp_path):
    """A pack of 300 MB is written and read by a process that never holds 60 MB of it."""
    program = """
import os, re, sys
from pathlib import Path
from uuid import UUID
from graph.storage.artifacts import artifact_key, open_store
from graph.storage.facts_packs import KIND, PackReader, PackWriter
store, tenant = open_store(sys.argv[1]), UUID(int=1)
# Not `getrusage`, which counts what the parent held when it started this process.
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
with PackWriter(store, tenant) as writer:
    for number in range(600):
        writer.add(number.to_bytes(16, "big"), [b"outline" * 50, os.urandom(500_000)])
    artifact = writer.close()
for entry in PackReader(store, artifact_key(tenant, KIND, artifact.sha256)).stream():
    pass
print(artifact.size_bytes, (peak() - before) * 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path.as_uri()], capture_output=True, check=True
    )
    size, grown = map(int, done.stdout.split())
    assert size > 290_000_000
    assert grown < 60_000_000
