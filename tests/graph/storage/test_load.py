"""Loading: what is there afterwards, and that it may be aborted, repeated and run twice at once."""

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from sqlalchemy import func, select

from graph.errors import StorageError
from graph.model.rows import DocumentRows
from graph.storage import copying, documents, load
from graph.storage.rows import edges, nodes
from tests.graph.storage.samples import document, edge, node


@pytest.fixture
def loading(settings, tenant, repository):
    """Loads documents, in batches of so many rows."""

    def loaded(*rows, batch_rows=load.BATCH_ROWS):
        with load.open_load(
            tenant, repository=repository.number, settings=settings, batch_rows=batch_rows
        ) as loader:
            for each in rows:
                loader.add(each)
            return loader.finish()

    return loaded


@pytest.fixture
def stored(session, repository):
    """Everything under the repository, as it can be compared: rows by document."""

    def read():
        with session() as conn:
            return {
                table.name: Counter(
                    tuple(row)
                    for row in conn.execute(
                        select(*(column for column in table.c if column.name != "loaded_at")).where(
                            table.c.repository == repository.number
                        )
                    )
                )
                for table in (documents.documents, nodes, edges)
            }

    return read


def test_a_document_comes_back_as_it_went_in(loading, session):
    sent = document("src/a.py", nodes=2, edges=1)
    loaded = loading(sent)
    assert (loaded.documents, loaded.new, loaded.nodes, loaded.edges) == ({1}, {1}, 2, 1)
    with session() as conn:
        row = conn.execute(select(documents.documents)).one()
        found_nodes = conn.execute(
            select(*(nodes.c[name] for name in copying.NODES.columns[1:]))
        ).all()
        found_edges = conn.execute(
            select(*(edges.c[name] for name in copying.EDGES.columns[1:]))
        ).all()
    assert [tuple(each) for each in found_nodes] == sent.nodes
    assert [tuple(each) for each in found_edges] == sent.edges
    assert (row.path, row.display_path) == (b"src/a.py", "src/a.py")
    assert row.blob_sha.hex() == sent.document.blob_sha
    assert (row.node_count, row.edge_count, row.status) == (2, 1, "parsed")
    assert row.path_hash == documents.path_hash(b"src/a.py")


def test_loading_again_changes_nothing(loading, stored):
    rows = [document(f"{number}.py") for number in range(20)]
    first = loading(*rows)
    before = stored()
    again = loading(*reversed(rows))
    assert stored() == before
    assert again.documents == first.documents
    assert (again.new, again.nodes, again.edges) == (frozenset(), 0, 0)


def test_only_what_changed_is_written(loading):
    first = loading(document("a.py"), document("b.py"))
    second = loading(document("a.py"), document("b.py", content="2"))
    assert len(second.new) == 1
    assert len(first.documents & second.documents) == 1


@pytest.mark.parametrize("change", ["path", "content", "resolution"])
def test_a_document_is_its_path_its_content_and_its_resolution(loading, change):
    values = {"path": "a.py", "content": "1", "resolution": b"1"}
    first = loading(document(**values))
    values[change] = b"2" if change == "resolution" else "2"
    assert not loading(document(**values)).documents & first.documents


def test_batches_are_numbered_without_gaps_so_that_ranges_stay_few(loading):
    rows = [document(f"{number}.py") for number in range(50)]
    assert loading(*rows, batch_rows=30).documents == set(range(1, 51))


@pytest.mark.parametrize("place", ["documents", "nodes", "edges"])
def test_a_batch_that_is_aborted_leaves_nothing_and_can_be_repeated(
    loading, stored, monkeypatch, place
):
    rows = [document(f"{number}.py") for number in range(9)]
    sending = copying._send

    def failing(conn, target, repository, sent):
        cursor = sending(conn, target, repository, sent)
        if f"into {place} " in target.insert and failing.after == 0:
            raise StorageError
        failing.after -= f"into {place} " in target.insert
        return cursor

    failing.after = 1
    monkeypatch.setattr(copying, "_send", failing)
    with pytest.raises(StorageError):
        loading(*rows, batch_rows=18)
    monkeypatch.undo()
    partial = stored()
    assert sum(partial["documents"].values()) == 3
    assert sum(partial["nodes"].values()) == 9
    loaded = loading(*rows, batch_rows=18)
    assert len(loaded.documents) == 9
    assert len(loaded.new) == 6
    whole = stored()
    assert {name: sum(rows.values()) for name, rows in whole.items()} == {
        "documents": 9,
        "nodes": 27,
        "edges": 18,
    }


def test_a_lost_connection_leaves_nothing(loading, stored, database_url, monkeypatch):
    sending = copying._send

    def cut(conn, target, repository, sent):
        cursor = sending(conn, target, repository, sent)
        if target is copying.NODES:
            pid = conn.connection.driver_connection.info.backend_pid
            with psycopg.connect(database_url) as other:
                other.execute("select pg_terminate_backend(%s)", [pid])
        return cursor

    monkeypatch.setattr(copying, "_send", cut)
    with pytest.raises(StorageError):
        loading(document())
    monkeypatch.undo()
    assert stored() == {"documents": {}, "nodes": {}, "edges": {}}
    assert loading(document()).new


def test_two_loads_at_once_share_documents(loading, stored):
    rows = [document(f"{number}.py", nodes=5, edges=5) for number in range(200)]
    with ThreadPoolExecutor(4) as pool:
        loads = list(
            pool.map(
                lambda turn: loading(*(rows[turn * 40 :] + rows[: turn * 40]), batch_rows=300),
                range(4),
            )
        )
    assert len({loaded.documents for loaded in loads}) == 1
    assert sum(len(loaded.new) for loaded in loads) == 200
    assert sum(loaded.nodes for loaded in loads) == 1000
    whole = stored()
    assert sum(whole["documents"].values()) == 200
    assert sum(whole["nodes"].values()) == sum(whole["edges"].values()) == 1000


def test_a_document_that_comes_twice_in_a_batch_is_stored_once(loading, stored):
    assert len(loading(document(), document()).documents) == 1
    assert sum(stored()["nodes"].values()) == 3


def test_reused_documents_belong_to_the_load(settings, tenant, repository, loading):
    (known,) = loading(document("a.py")).documents
    with load.open_load(tenant, repository=repository.number, settings=settings) as loader:
        loader.reuse(known)
        loader.add(document("b.py"))
        loaded = loader.finish()
    assert loaded.documents == {known, *loaded.new}
    assert known not in loaded.new


def test_an_empty_load_is_a_load(loading):
    assert loading() == load.Loaded(frozenset(), frozenset(), 0, 0)


def test_a_document_without_rows_is_stored(loading, stored):
    loading(document(nodes=0, edges=0))
    assert sum(stored()["documents"].values()) == 1


def test_text_that_the_database_cannot_hold_is_cleaned(loading, session):
    odd = document("odd\udcff\0.py", nodes=0, edges=0)
    name = "na\0me\ud800"
    rows = DocumentRows(
        document=odd.document,
        nodes=[(1, 11, name, name, 0, 1, 0, 1, 1, 0, name, name, name)],
        edges=[edge(1, 1)],
    )
    loading(document("plain.py"), rows)
    with session() as conn:
        row = conn.execute(select(nodes).where(nodes.c.id == 1)).one()
        paths = set(conn.execute(select(documents.documents.c.display_path)).scalars())
    assert (row.name, row.signature, row.symbol) == ("name?",) * 3
    assert paths == {"plain.py", "odd?.py"}


def test_long_names_are_cut_to_what_an_index_takes(loading, session):
    long = "語" * 5000
    rows = document(nodes=0, edges=0)
    rows.nodes.append((1, 11, long, long, 0, 1, 0, 1, 1, 0, long, long, long))
    rows.nodes.append(node(2, "short"))
    loading(rows)
    with session() as conn:
        row = conn.execute(
            select(nodes).where(nodes.c.qualified_name == copying.searchable(long))
        ).one()
    assert row.name == copying.searchable(long)
    assert row.signature == long


def test_more_candidates_than_can_be_counted_are_as_many_as_can(loading, session):
    rows = document(nodes=0, edges=0)
    rows.edges.append((1, 2, 4, 3, 1, 70_000, 1, 1))
    loading(rows)
    with session() as conn:
        assert conn.execute(select(edges.c.candidates)).scalar_one() == copying.MAX_CANDIDATES


def test_an_id_of_more_than_64_bits_is_refused(loading, stored):
    rows = document(nodes=0, edges=0)
    rows.edges.append((1 << 63, 2, 4, 3, 1, 1, 1, 1))
    with pytest.raises(OverflowError):
        loading(rows)
    assert sum(stored()["documents"].values()) == 0


@profile(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=12
    )
)
def test_whatever_is_loaded_is_there_once(loading, session, repository, choices):
    rows = [
        document(f"{path}.py", content=f"{content}", nodes=number, edges=number)
        for path, content, number in choices
    ]
    loaded = loading(*rows, batch_rows=5)
    keys = {copying.document_key(each.document) for each in rows}
    with session() as conn:
        known = documents.known(conn, repository=repository.number, keys=keys)
        counted = conn.execute(
            select(nodes.c.document, func.count()).group_by(nodes.c.document)
        ).all()
        told = conn.execute(
            select(documents.documents.c.document, documents.documents.c.node_count).where(
                documents.documents.c.node_count > 0
            )
        ).all()
    assert set(known) == keys
    assert set(known.values()) == loaded.documents
    assert sorted(map(tuple, counted)) == sorted(map(tuple, told))


def test_removed_documents_leave_no_row(loading, session, repository, stored):
    kept, *gone = sorted(loading(*(document(f"{number}.py") for number in range(3))).documents)
    with session(role="worker") as conn:
        documents.remove(conn, repository=repository.number, documents=gone)
    after = stored()
    assert sum(after["documents"].values()) == 1
    assert {row[2] for row in after["nodes"]} == {row[2] for row in after["edges"]} == {kept}


@given(st.binary(), st.binary(), st.binary(), st.binary())
def test_parts_of_a_key_cannot_slip_into_each_other(path, more, fingerprint, resolution):
    whole = documents.key_of(path=path + more, fingerprint=fingerprint, resolution=resolution)
    moved = documents.key_of(path=path, fingerprint=more + fingerprint, resolution=resolution)
    assert (whole == moved) == (more == b"")
    assert len(whole) == 16


def test_ten_thousand_documents_are_looked_up_at_once(session, repository, loading):
    loading(document("a.py"))
    keys = [copying.document_key(document(f"{number}.py").document) for number in range(10_500)]
    keys.append(copying.document_key(document("a.py").document))
    with session() as conn:
        assert documents.known(conn, repository=repository.number, keys=iter(keys)) == {keys[-1]: 1}


def test_a_load_that_is_killed_at_any_moment_can_be_repeated(
    settings, tenant, repository, loading, stored
):
    program = """
import sys
from uuid import UUID
from graph.settings import Settings
from graph.storage import load
from tests.graph.storage.samples import document
settings = Settings(database_url=sys.argv[1])
with load.open_load(
    UUID(sys.argv[2]), repository=int(sys.argv[3]), settings=settings, batch_rows=400
) as loader:
    for number in range(600):
        loader.add(document(f"{number}.py", nodes=10, edges=10))
        if number % 50 == 0:
            print(number, flush=True)
    loader.finish()
"""
    arguments = [settings.database_url, str(tenant), str(repository.number)]
    for lines in (1, 3, 6):
        with subprocess.Popen(
            [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE
        ) as loader:
            for _ in range(lines):
                assert loader.stdout.readline()
            loader.kill()
    rows = [document(f"{number}.py", nodes=10, edges=10) for number in range(600)]
    loaded = loading(*rows)
    assert len(loaded.documents) == 600
    whole = stored()
    assert sum(whole["documents"].values()) == 600
    # Nothing twice, nothing missing: every row of every document, once.
    for table, sent in (("nodes", 6000), ("edges", 6000)):
        assert sum(whole[table].values()) == sent
    per_document = Counter(row[2] for row in whole["nodes"].elements())
    assert set(per_document.values()) == {10}
    assert set(per_document) == loaded.documents
