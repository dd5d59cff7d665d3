"""A tenant, its repository, and real processes of ours to run its jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.settings import Settings
from tests.workers import githost
from tests.workers.gitrepo import Repo
from tests.workers.stand import Stand


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


@pytest.fixture
def own_settings(fresh_database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings on a database of this test alone: a dispatcher takes every job it can see."""
    return Settings(
        database_url=fresh_database_url,
        redis_url=redis_url,
        artifacts_url=f"file://{tmp_path / 'artifacts'}",
        codeloom_home=tmp_path / "home",
        allow_local_repositories=True,
        parse_processes=1,
        lease_seconds=4,
        heartbeat_seconds=1,
        dispatch_lease_seconds=4,
    )


@pytest.fixture
def stand(own_settings: Settings, repo: Repo) -> Iterator[Stand]:
    with Stand(own_settings, repo) as running:
        yield running


@pytest.fixture
def slow_host(tmp_path: Path) -> Iterator[githost.Host]:
    """A host of git over TLS, whose certificate is `host.pem`; how slow it is, a test says."""
    certificate = githost.make_certificate(tmp_path)
    (tmp_path / "root").mkdir()
    with githost.serving(tmp_path / "root", certificate) as host:
        yield host
