from concurrent.futures import ThreadPoolExecutor

import pytest

from graph.errors import (
    QuotaExceeded,
    RepositoryAlreadyRegistered,
    RepositoryNotFound,
    TenantNotFound,
    TenantValidationError,
)
from graph.storage import counters, repositories, tenants
from graph.storage.session import system_session
from tests.seeding import allow

URL = "https://example.test/r.git"


@pytest.fixture
def register(session):
    def registered(url=URL, name="r", **values):
        with session() as conn:
            return repositories.register(conn, url=url, name=name, **values)

    return registered


def test_a_registered_repository_is_found_by_all_its_names(register, session):
    made = register(default_ref="main")
    assert (made.url, made.name, made.default_ref, made.number) == (URL, "r", "main", 1)
    with session() as conn:
        assert repositories.get(conn, repository_id=made.id) == made
        assert repositories.by_number(conn, number=made.number) == made
        assert repositories.find_by_url(conn, url=URL) == made
        assert repositories.find_by_url(conn, url="https://example.test/x.git") is None


def test_an_address_is_registered_once(register):
    register()
    with pytest.raises(RepositoryAlreadyRegistered):
        register(name="another name")


def test_a_removed_repository_is_gone_and_its_number_is_not_used_again(register, session):
    gone = register()
    with session() as conn:
        repositories.delete(conn, repository_id=gone.id)
    with session() as conn:
        for look in (
            lambda: repositories.get(conn, repository_id=gone.id),
            lambda: repositories.by_number(conn, number=gone.number),
            lambda: repositories.delete(conn, repository_id=gone.id),
            lambda: repositories.change(conn, repository_id=gone.id, name="n"),
        ):
            with pytest.raises(RepositoryNotFound):
                look()
        assert repositories.list_page(conn, limit=9) == []
    again = register()
    assert (again.number, again.url) == (gone.number + 1, gone.url)


def test_registrations_at_once_get_numbers_of_their_own(register):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: register(f"https://example.test/{n}.git"), range(20)))
    assert len({each.number for each in made}) == 20


def test_the_plan_limits_how_many_there_are(register, settings, tenant):
    allow(settings, tenant, repositories=2)
    first = register("https://example.test/1.git")
    register("https://example.test/2.git")
    with pytest.raises(QuotaExceeded):
        register("https://example.test/3.git")
    assert first.number == 1


def test_parallel_registrations_never_exceed_the_plan(register, settings, tenant):
    allow(settings, tenant, repositories=4)

    def attempt(number):
        try:
            register(f"https://example.test/{number}.git")
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 4


def test_name_and_default_ref_can_be_changed(register, session):
    made = register()
    with session() as conn:
        changed = repositories.change(conn, repository_id=made.id, name="new")
        assert (changed.name, changed.default_ref) == ("new", None)
        changed = repositories.change(conn, repository_id=made.id, default_ref="trunk")
        assert (changed.name, changed.default_ref) == ("new", "trunk")
        assert repositories.change(conn, repository_id=made.id) == changed


def test_repositories_are_listed_page_by_page(register, session):
    made = [register(f"https://example.test/{n}.git") for n in range(3)]
    with session() as conn:
        first = repositories.list_page(conn, limit=2)
        rest = repositories.list_page(conn, after=first[-1].id, limit=2)
    assert first + rest == made


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": "nul\0"},
        {"url": ""},
        {"url": "x" * 2049},
        {"url": "nul\0"},
        {"default_ref": ""},
        {"default_ref": "x" * 1025},
    ],
)
def test_impossible_values_are_refused(register, values):
    with pytest.raises(TenantValidationError):
        register(**values)


def test_numbers_come_in_a_row_and_never_twice(session):
    with session() as conn:
        assert counters.take(conn, name="documents", repository=1) == 1
        assert counters.take(conn, name="documents", repository=1, count=5) == 2
        assert counters.take(conn, name="documents", repository=1) == 7
        assert counters.take(conn, name="documents", repository=2) == 1
        assert counters.take(conn, name="snapshots", repository=1) == 1


# --- tenants ---------------------------------------------------------------------------------


def test_tenants_are_found_and_listed(settings, tenant, stranger):
    with system_session("administration", settings=settings) as conn:
        made = tenants.get(conn, tenant_id=tenant)
        assert (made.name, made.plan, made.state) == ("acme", "standard", "active")
        assert made in tenants.find_by_name(conn, name="acme")
        after = tenants.list_all(conn, after=tenant, limit=1)
        assert [each.id for each in after] == [stranger]


@pytest.mark.parametrize(
    "values",
    [{"name": ""}, {"name": "  "}, {"name": "x" * 201}, {"name": "a\0"}, {"plan": "none"}],
)
def test_impossible_tenants_are_refused(settings, values):
    with (
        system_session("administration", settings=settings) as conn,
        pytest.raises(TenantValidationError),
    ):
        tenants.create(conn, **{"name": "n", **values})


def test_a_tenant_sees_itself_and_no_other(session, tenant, stranger):
    with session() as conn:
        assert tenants.get(conn, tenant_id=tenant).id == tenant
        with pytest.raises(TenantNotFound):
            tenants.get(conn, tenant_id=stranger)
        assert [each.id for each in tenants.list_all(conn)] == [tenant]
