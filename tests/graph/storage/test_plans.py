"""Which index answers which question, as the role and under the policy that ask it.

Rows in some thousands, because for less a wrong index is as good as the right one.
"""

from itertools import pairwise

import pytest
from sqlalchemy import text

from graph.storage import load, repositories
from graph.storage.engine import dispose, engine
from tests.graph.storage.samples import document

HERE = "tenant_id = :tenant and repository = 1"
MEMBER = f"document <@ (select documents + '{{}}' from snapshots where {HERE} and snapshot = 1)"

# What is asked, the index that answers, and what the index has to look for.
QUESTIONS = [
    (f"select * from nodes where {HERE} and id = 7 and {MEMBER}", "nodes_id", "id = "),
    (f"select * from nodes where {HERE} and id = any('{{7,8}}')", "nodes_id", "id = ANY"),
    (f"select * from nodes where {HERE} and name = 'n'", "nodes_name", "name = "),
    (
        f"select * from nodes where {HERE} and name >= 'na' and name < 'nb' and {MEMBER}",
        "nodes_name",
        "name >= ",
    ),
    (
        f"select * from nodes where {HERE} and qualified_name = 'a.n'",
        "nodes_qualified_name",
        "qualified_name = ",
    ),
    (
        f"select * from nodes where {HERE} and document = 1 order by line",
        "nodes_document",
        "document = ",
    ),
    (
        f"select * from edges where {HERE} and dst = 7 and kind = 4 and {MEMBER}",
        "edges_dst",
        "dst = ",
    ),
    (f"select * from edges where {HERE} and dst = any('{{7,8}}')", "edges_dst", "dst = ANY"),
    (f"select * from edges where {HERE} and src = 7 and kind = 4", "edges_src", "src = "),
    (
        f"select * from edges where {HERE} and document = 1 order by line, utf16_column",
        "edges_document",
        "document = ",
    ),
]


@pytest.fixture
def settings(settings, fresh_database_url):
    """A database of its own: what the planner knows comes from this test alone."""
    alone = settings.model_copy(update={"database_url": fresh_database_url})
    yield alone
    dispose(alone)


@pytest.fixture
def fill(session, settings):
    """Gives a tenant a repository with some thousand nodes and edges."""

    def filled(who):
        with session(who) as conn:
            made = repositories.register(conn, url="https://example.test/big.git", name="big")
        with load.open_load(who, repository=made.number, settings=settings) as loader:
            for number in range(100):
                name = f"module{number}_"
                loader.add(document(f"src/{number}.py", nodes=100, edges=200, name=name))
            loader.finish()

    return filled


@pytest.fixture
def explain(session):
    def explained(who, question):
        with session(who) as conn:
            plan = conn.execute(text(f"explain (costs off) {question}"), {"tenant": who})
            return plan.scalars().all()

    return explained


def wrong(explain, who):
    """The questions that another index answers than the one that was made for it."""
    return {
        question: plan
        for question, index, condition in QUESTIONS
        for plan in [explain(who, question)]
        if not any(
            index in line and condition in below and "tenant_id = " in below
            for line, below in pairwise(plan)
        )
        or any("Seq Scan on nodes" in line or "Seq Scan on edges" in line for line in plan)
    }


def analyze(settings):
    with engine(settings, "owner").begin() as conn:
        conn.exec_driver_sql("analyze documents, nodes, edges")


def test_each_question_is_answered_by_its_index_whatever_is_known_of_the_tables(
    fill, explain, settings, tenant, stranger
):
    """Just loaded, analysed, and for a tenant that came after everything was analysed."""
    fill(tenant)
    assert wrong(explain, tenant) == {}
    analyze(settings)
    assert wrong(explain, tenant) == {}
    fill(stranger)
    assert wrong(explain, stranger) == {}


@pytest.fixture
def filled(fill, tenant, settings):
    fill(tenant)
    analyze(settings)
    return tenant


def test_callers_are_found_without_reading_the_table(explain, filled):
    question = f"select src, document from edges where {HERE} and dst = 7 and kind = 4::smallint"
    assert any("Index Only Scan using edges_dst" in line for line in explain(filled, question))


def test_versions_of_other_snapshots_are_passed_over_inside_the_index(explain, filled):
    question = f"select id, document from nodes where {HERE} and id = 7 and {MEMBER}"
    assert any("Index Only Scan using nodes_id" in line for line in explain(filled, question))


def test_the_members_of_a_snapshot_are_found_once(explain, filled):
    plan = explain(filled, f"select * from nodes where {HERE} and name = 'n' and {MEMBER}")
    assert any("InitPlan" in line for line in plan)
    assert not any("SubPlan" in line for line in plan)


def test_like_is_what_the_policy_switches_off(explain, filled):
    """The reason why a prefix is a range: LIKE may tell a stranger's value through an error."""
    plan = explain(filled, f"select * from nodes where {HERE} and name like 'n%'")
    assert any("name ~~ " in line for line in plan)
    assert not any("name >= " in line for line in plan)
