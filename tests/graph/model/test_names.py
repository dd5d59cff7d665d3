"""Names of one tenant are never those of another, whatever goes into them."""

import fnmatch
import string
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graph.model import names
from graph.model.ids import JobId, TenantId

tenants = st.uuids().map(TenantId)
jobs = st.uuids().map(JobId)
LETTERS = string.ascii_letters + string.digits + "_.-"
parts = st.lists(st.text(LETTERS, min_size=1, max_size=128), min_size=1, max_size=4)
kinds = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
digests = st.binary(min_size=32, max_size=32)
epochs = st.integers(min_value=1, max_value=2**31)

# Every kind of name that a tenant has, made of anything that may be in one.
NAMES: dict[str, Callable[[TenantId], st.SearchStrategy[str]]] = {
    "object key": lambda who: st.builds(names.object_key, st.just(who), kinds, digests),
    "object prefix": lambda who: st.builds(names.object_prefix, st.just(who), st.none() | kinds),
    "redis key": lambda who: parts.map(lambda p: names.redis_key(who, *p)),
    "redis pattern": lambda who: st.just(names.redis_pattern(who)),
    "stream": lambda who: st.builds(names.event_stream, st.just(who)),
    "lock": lambda who: parts.map(lambda p: names.lock(who, *p)),
}
SHARED = {
    "redis key": parts.map(lambda p: names.shared_key(*p)),
    "lock": parts.map(lambda p: names.shared_lock(*p)),
}
HOSTILE = (
    "",
    " ",
    "a:b",
    "a/b",
    "..\x00",
    "a*",
    "?",
    "[a-z]",
    "{x}",
    "}",
    "a\n",
    "é",
    "\\",
    "a" * 129,
)


def mistaken(one: str, other: str) -> bool:
    """Whether a name finds another: as itself, as a prefix or as a pattern of Redis."""
    return other.startswith(one) or fnmatch.fnmatchcase(other, one)


@given(data=st.data(), one=tenants, bit=st.integers(0, 127))
def test_no_name_of_a_tenant_finds_one_of_another(data, one, bit):
    # As alike as two tenants can be.
    other = TenantId(UUID(int=one.int ^ (1 << bit)))
    for kind, name_of in NAMES.items():
        own = data.draw(name_of(one), kind)
        for other_kind, other_name_of in NAMES.items():
            theirs = data.draw(other_name_of(other), other_kind)
            assert not mistaken(own, theirs)
            assert not mistaken(theirs, own)


@given(data=st.data(), who=tenants)
def test_no_name_of_the_installation_finds_one_of_a_tenant(data, who):
    for shared in SHARED.values():
        common = data.draw(shared)
        for kind, name_of in NAMES.items():
            own = data.draw(name_of(who), kind)
            assert not mistaken(own, common)
            assert not mistaken(common, own)


@given(who=tenants, given_parts=parts)
def test_the_pattern_of_a_tenant_finds_all_of_its_keys(who, given_parts):
    assert fnmatch.fnmatchcase(names.redis_key(who, *given_parts), names.redis_pattern(who))


@given(who=tenants, one=parts, other=parts)
def test_different_parts_make_different_names(who, one, other):
    assume(one != other)
    assert names.redis_key(who, *one) != names.redis_key(who, *other)
    assert names.lock(who, *one) != names.lock(who, *other)
    assert names.shared_key(*one) != names.shared_key(*other)


@given(who=tenants, kind=kinds, sha256=digests)
def test_an_object_key_lies_below_its_tenant(who, kind, sha256):
    key = names.object_key(who, kind, sha256)
    assert names.is_object_key(key)
    assert key.startswith(names.object_prefix(who, kind))
    assert names.object_prefix(who, kind).startswith(names.object_prefix(who))
    assert ".." not in key


@given(text=st.text())
def test_what_is_no_object_key_is_not_taken_for_one(text):
    assume(not text.startswith("t/"))
    assert not names.is_object_key(text)


@given(job=jobs, other=jobs, epoch=epochs, later=epochs)
def test_a_task_is_of_one_dispatch_of_one_job(job, other, epoch, later):
    assume(job != other)
    made = names.task_id(job, epoch)
    assert names.job_of_task(made) == names.job_of_task(str(job)) == job
    assert not mistaken(made, names.task_id(other, later))
    assert (names.task_id(job, later) == made) is (later == epoch)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_parts_are_refused(hostile):
    who = TenantId(UUID(int=1))
    for refused in (
        lambda: names.redis_key(who, hostile),
        lambda: names.redis_key(who, "rates", hostile),
        lambda: names.shared_key(hostile),
        lambda: names.lock(who, hostile),
        lambda: names.shared_lock(hostile),
        lambda: names.object_key(who, hostile, b"\0" * 32),
        lambda: names.object_prefix(who, hostile),
    ):
        with pytest.raises(ValueError, match=r"part of a name|kind of artifact"):
            refused()


@given(text=st.text() | st.uuids().map(str))
def test_a_text_is_no_id_even_if_it_looks_like_one(text):
    for refused in (
        lambda: names.redis_key(text, "a"),
        lambda: names.redis_pattern(text),
        lambda: names.object_prefix(text),
        lambda: names.object_key(text, "facts", b"\0" * 32),
        lambda: names.lock(text, "a"),
        lambda: names.event_stream(text),
        lambda: names.task_id(text, 1),
    ):
        with pytest.raises(ValueError, match="not an id"):
            refused()


def test_a_name_needs_a_part_and_an_object_its_whole_digest():
    who = TenantId(UUID(int=1))
    for refused in (
        lambda: names.redis_key(who),
        names.shared_key,
        lambda: names.lock(who),
        lambda: names.object_key(who, "facts", b"\0" * 31),
    ):
        with pytest.raises(ValueError, match=r"part|SHA-256"):
            refused()
