"""Cursors open for the list they were made for, and for nothing else."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.queries.page import Binding, CursorInvalid, Cursors, Page

TENANT = uuid4().bytes
LIST = Binding(TENANT, "/v1/things", {"query kind": ["a"]})
CURSORS = Cursors(b"secret")

parts = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=40),
    # What PostgreSQL can store: no halves of surrogate pairs.
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


@given(key=st.lists(parts, min_size=1, max_size=5).map(tuple), snapshot=st.binary(max_size=16))
def test_a_cursor_says_what_was_sealed(key: tuple[Any, ...], snapshot: bytes) -> None:
    position = CURSORS.open(LIST, CURSORS.seal(LIST, key, snapshot))
    assert (position.key, position.snapshot) == (key, snapshot)


def test_a_cursor_that_was_changed_anywhere_does_not_open() -> None:
    sealed = CURSORS.seal(LIST, ("name", 7))
    for place, character in enumerate(sealed):
        changed = "A" if character != "A" else "B"
        with pytest.raises(CursorInvalid):
            CURSORS.open(LIST, sealed[:place] + changed + sealed[place + 1 :])


@given(st.text(max_size=200))
def test_what_was_never_a_cursor_does_not_open(text: str) -> None:
    with pytest.raises(CursorInvalid):
        CURSORS.open(LIST, text)


@pytest.mark.parametrize("added", ["=", "==", "A", "AAAA", " ", "\n"])
def test_a_cursor_has_one_spelling(added: str) -> None:
    with pytest.raises(CursorInvalid):
        CURSORS.open(LIST, CURSORS.seal(LIST, (1,)) + added)


@pytest.mark.parametrize(
    "other",
    [
        Binding(uuid4().bytes, LIST.route, LIST.filters),
        Binding(TENANT, "/v1/others", LIST.filters),
        Binding(TENANT, LIST.route, {"query kind": ["b"]}),
        Binding(TENANT, LIST.route, {"query kind": ["a"], "query path": ["x"]}),
        Binding(TENANT, LIST.route, {}),
    ],
)
def test_a_cursor_belongs_to_its_tenant_route_and_filters(other: Binding) -> None:
    with pytest.raises(CursorInvalid):
        CURSORS.open(other, CURSORS.seal(LIST, (1,)))


def test_the_order_of_filters_does_not_matter() -> None:
    one = Binding(TENANT, "/v1/things", {"a": 1, "b": 2})
    other = Binding(TENANT, "/v1/things", {"b": 2, "a": 1})
    assert CURSORS.open(other, CURSORS.seal(one, (1,))).key == (1,)


def test_another_secret_does_not_open_it() -> None:
    with pytest.raises(CursorInvalid):
        Cursors(b"other").open(LIST, CURSORS.seal(LIST, (1,)))


def test_two_cursors_of_one_place_differ_and_tell_nothing() -> None:
    sealed = {CURSORS.seal(LIST, ("a secret name",)) for _ in range(10)}
    assert len(sealed) == 10
    assert not any("secret" in cursor for cursor in sealed)


@pytest.mark.parametrize(("count", "next_key"), [(0, None), (3, None), (4, ("c",))])
def test_a_page_goes_on_only_if_there_is_more(count: int, next_key: object) -> None:
    page = Page.cut(list("abcd")[:count], 3, lambda row: (row,))
    assert (len(page.rows), page.next_key) == (min(count, 3), next_key)
