from pathlib import Path

import pytest
from pydantic import ValidationError

from graph.settings import Settings


def test_the_environment_names_each_setting_in_capitals(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@h/d")
    monkeypatch.setenv("ALLOW_LOCAL_REPOSITORIES", "true")
    monkeypatch.setenv("CODELOOM_PORT", "9000")
    monkeypatch.setenv("LEASE_SECONDS", "90")
    settings = Settings()
    assert settings.database_url == "postgresql://u@h/d"
    assert settings.allow_local_repositories
    assert (settings.codeloom_port, settings.lease_seconds) == (9000, 90)


def test_data_lies_where_this_user_keeps_it(monkeypatch, tmp_path):
    monkeypatch.delenv("CODELOOM_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().codeloom_home == tmp_path / "codeloom"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/someone")
    assert Settings().codeloom_home == Path("/home/someone/.local/share/codeloom")


def test_scratch_and_artifacts_follow_the_home_unless_they_are_set(tmp_path):
    settings = Settings(codeloom_home=tmp_path / "a b")
    assert settings.scratch == tmp_path / "a b" / "scratch"
    assert settings.artifacts == (tmp_path / "a b" / "artifacts").as_uri()
    moved = Settings(codeloom_scratch=tmp_path / "s", artifacts_url="file:///x")
    assert (moved.scratch, moved.artifacts) == (tmp_path / "s", "file:///x")


def test_beats_have_to_fit_into_the_lease():
    with pytest.raises(ValidationError, match="heartbeat_seconds"):
        Settings(lease_seconds=10, heartbeat_seconds=6)


def test_a_job_meets_its_soft_limit_before_its_hard_one():
    with pytest.raises(ValidationError, match="job_soft_limit_seconds"):
        Settings(job_soft_limit_seconds=60, job_hard_limit_seconds=60)


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Settings().codeloom_port = 1


@pytest.mark.parametrize("field", [name for name in Settings.model_fields if name.endswith("_url")])
def test_no_address_is_printed(field):
    assert "hunter2" not in repr(Settings(**{field: "scheme://user:hunter2@host/path"}))
