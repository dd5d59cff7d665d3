"""Repositories behind https, on a real host: what is fetched, and each way it can fail."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.errors import (
    AuthenticationRequired,
    CheckoutTimedOut,
    CheckoutTooLarge,
    CodeloomError,
    CommitNotFound,
    HostRefused,
    HostUnreachable,
    JobCancelled,
    NotARepository,
    RefNotFound,
    RepositoryEmpty,
    RepositoryNotFound,
)
from tests.workers import githost
from tests.workers.gitrepo import Repo
from workers.git import fetch, remotes, targets
from workers.git.blobs import BlobReader
from workers.git.command import GitLimits, Network, ShouldStop, never
from workers.git.errors import HostNotTrusted, RepositoryMoved
from workers.git.tree import TreeLimits, list_entries
from workers.outcomes import RETRIES, Retry

LIMITS = GitLimits(wall_seconds=30, file_bytes=1 << 28)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return githost.make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def host(tmp_path: Path, certificate: Path) -> Iterator[githost.Host]:
    root = tmp_path / "root"
    root.mkdir()
    with githost.serving(root, certificate) as running:
        yield running


@pytest.fixture
def repo(host: githost.Host) -> Repo:
    return Repo(host.root / "repo")


class Client:
    """Asks the host as a worker would."""

    def __init__(self, host: githost.Host, certificate: Path, tmp_path: Path) -> None:
        self.host = host
        self.network = Network(ca_file=certificate)
        self.home = tmp_path / "client-home"
        self.home.mkdir()
        self.scratch = tmp_path / "scratch"

    def remote(self, path: str = "/repo/.git") -> remotes.HttpsRemote:
        remote = remotes.parse(self.host.url + path, allow_local=False)
        assert isinstance(remote, remotes.HttpsRemote)
        return remote

    def resolve(
        self,
        wanted: str | None = None,
        path: str = "/repo/.git",
        *,
        network: Network | None = None,
        limits: GitLimits = LIMITS,
        should_stop: ShouldStop = never,
    ) -> targets.Target:
        return targets.resolve_remote(
            self.remote(path),
            wanted,
            network=network or self.network,
            limits=limits,
            home=self.home,
            should_stop=should_stop,
        )

    def fetch(
        self, commit: str, *, limits: GitLimits = LIMITS, max_blob_bytes: int = 1 << 20
    ) -> fetch.Checkout:
        return fetch.fetch_remote(
            self.remote(),
            commit,
            scratch=self.scratch,
            network=self.network,
            limits=limits,
            max_blob_bytes=max_blob_bytes,
        )


@pytest.fixture
def client(host: githost.Host, certificate: Path, tmp_path: Path) -> Client:
    return Client(host, certificate, tmp_path)


class TestFetching:
    def test_branches_tags_full_names_and_ids_are_found(self, repo: Repo, client: Client) -> None:
        first = repo.commit({"a.py": "a = 1\n"})
        repo.git("tag", "--annotate", "--message=one", "v1")
        repo.git("update-ref", "refs/pull/7/head", first)
        second = repo.commit({"a.py": "a = 2\n"})
        assert client.resolve() == targets.Target(second, "refs/heads/main", is_default=True)
        assert client.resolve("main") == targets.Target(second, "refs/heads/main", is_default=True)
        assert client.resolve("v1") == targets.Target(first, "refs/tags/v1")
        assert client.resolve("refs/pull/7/head") == targets.Target(first, "refs/pull/7/head")
        assert client.resolve(first) == targets.Target(first, None)

    def test_what_is_not_there_is_said(self, repo: Repo, client: Client) -> None:
        with pytest.raises(RepositoryEmpty):
            client.resolve()
        with pytest.raises(RepositoryEmpty):
            client.resolve("main")
        commit = repo.commit()
        with pytest.raises(RefNotFound):
            client.resolve("nowhere")
        with pytest.raises(RefNotFound, match="by its whole id"):
            client.resolve(commit[:8])
        with pytest.raises(CommitNotFound):
            client.fetch("1" * 40)

    def test_one_commit_is_fetched_without_its_history(self, repo: Repo, client: Client) -> None:
        first = repo.commit({"a.py": "a = 1\n"})
        commit = repo.commit({"a.py": "a = 2\n", "d/b.py": "b = 1\n"})
        opened = client.fetch(commit)
        entries = list(list_entries(opened, TreeLimits()))
        with BlobReader(opened, max_bytes=100) as blobs:
            contents = list(blobs.read_many(entry.sha for entry in entries))
            assert list(blobs.sizes([first])) == [None]
        assert dict(zip((entry.path for entry in entries), contents, strict=True)) == {
            b"a.py": b"a = 2\n",
            b"d/b.py": b"b = 1\n",
        }

    def test_a_commit_that_is_no_longer_the_head_of_a_branch_is_fetched(
        self, repo: Repo, client: Client
    ) -> None:
        first = repo.commit({"a.py": "a = 1\n"})
        repo.commit({"a.py": "a = 2\n"})
        assert client.fetch(first).commit == first

    def test_what_is_too_large_stays_with_the_host_and_is_never_asked_for_again(
        self, repo: Repo, client: Client
    ) -> None:
        noise = random.Random(1).randbytes(300_000)
        commit = repo.commit({"large.bin": noise, "a.py": "a = 1\n"})
        opened = client.fetch(commit, max_blob_bytes=1000)
        asked = len(client.host.requests)
        entries = {entry.path: entry.sha for entry in list_entries(opened, TreeLimits())}
        with BlobReader(opened, max_bytes=1000) as blobs:
            assert list(blobs.sizes(entries.values())) == [6, None]
            assert blobs.read(entries[b"large.bin"]) is None
        assert len(client.host.requests) == asked
        on_disk = sum(path.stat().st_size for path in client.scratch.rglob("*") if path.is_file())
        assert on_disk < 20_000
        config = (opened.git_dir / "config").read_text()
        assert "promisor" not in config
        assert client.host.url not in config

    def test_a_sha256_repository_is_fetched(self, host: githost.Host, client: Client) -> None:
        repo = Repo(host.root / "repo", object_format="sha256")
        commit = repo.commit({"a.py": "a = 1\n"})
        assert client.resolve().commit == commit
        assert [entry.path for entry in list_entries(client.fetch(commit), TreeLimits())] == [
            b"a.py"
        ]

    def test_nothing_of_the_users_settings_takes_part(
        self, repo: Repo, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        canary = tmp_path / "canary"
        user = tmp_path / "user"
        user.mkdir()
        (user / ".gitconfig").write_text(
            '[url "file:///"]\n\tinsteadOf = https://\n'
            f'[credential]\n\thelper = "!touch {canary}"\n'
        )
        for name, value in {
            "HOME": str(user),
            "https_proxy": "http://127.0.0.1:1",
            "ALL_PROXY": "http://127.0.0.1:1",
            "GIT_SSL_NO_VERIFY": "1",
            "GIT_DIR": str(user),
            "GIT_TRACE": str(canary),
            "GIT_PROXY_COMMAND": f"touch {canary}",
        }.items():
            monkeypatch.setenv(name, value)
        commit = repo.commit()
        assert client.resolve().commit == commit
        with pytest.raises(HostNotTrusted):
            client.resolve(network=Network())
        assert not canary.exists()


class TestFailing:
    @pytest.mark.parametrize(
        ("path", "error", "transient"),
        [
            ("/401/repo.git", AuthenticationRequired, False),
            ("/403/repo.git", AuthenticationRequired, False),
            ("/404/repo.git", RepositoryNotFound, False),
            ("/missing.git", RepositoryNotFound, False),
            ("/429/repo.git", HostRefused, True),
            ("/500/repo.git", HostRefused, True),
            ("/503/repo.git", HostRefused, True),
            ("/page/repo.git", NotARepository, False),
        ],
    )
    def test_what_a_host_answers_becomes_a_typed_error(
        self, client: Client, path: str, error: type[CodeloomError], transient: bool
    ) -> None:
        with pytest.raises(error) as failed:
            client.resolve(path=path)
        assert failed.value.transient is transient
        assert "fatal" not in failed.value.message

    @pytest.mark.parametrize(
        ("said", "least", "most"),
        [
            ("7", 7, 7),
            ("Thu, 21 Nov 2126 08:00:00 GMT", 86400, 1e12),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ],
    )
    def test_a_host_that_has_no_time_says_for_how_long(
        self, host: githost.Host, client: Client, said: str, least: float, most: float
    ) -> None:
        host.retry_after = said
        with pytest.raises(HostRefused) as refused:
            client.resolve(path="/429/repo.git")
        assert refused.value.retry_after_seconds is not None
        assert least <= refused.value.retry_after_seconds <= most

    @pytest.mark.parametrize("said", ["", "soon", "-5", "9" * 65 + "x"])
    def test_a_host_that_says_nothing_sensible_says_nothing(
        self, host: githost.Host, client: Client, said: str
    ) -> None:
        host.retry_after = said
        with pytest.raises(HostRefused) as refused:
            client.resolve(path="/503/repo.git")
        assert refused.value.retry_after_seconds is None

    def test_the_dumb_protocol_is_refused(self, repo: Repo, client: Client) -> None:
        commit = repo.commit({"a.py": "a = 1\n"})
        repo.git("update-server-info")
        with pytest.raises(NotARepository):
            fetch.fetch_remote(
                client.remote("/dumb/repo/.git"),
                commit,
                scratch=client.scratch,
                network=client.network,
                limits=LIMITS,
                max_blob_bytes=100,
            )

    def test_a_redirect_reaches_nobody(
        self, repo: Repo, client: Client, certificate: Path, tmp_path: Path
    ) -> None:
        repo.commit()
        with githost.serving(client.host.root, certificate) as other:
            for target in (
                f"{other.url}/repo/.git/info/refs?service=git-upload-pack",
                "file:///etc",
            ):
                client.host.redirect_to = target
                with pytest.raises(RepositoryMoved):
                    client.resolve(path="/redirect/repo.git")
            assert other.requests == []

    def test_a_host_that_is_not_there(self, client: Client) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        for url in (f"https://127.0.0.1:{port}/a.git", "https://host.invalid/a.git"):
            remote = remotes.parse(url, allow_local=False)
            assert isinstance(remote, remotes.HttpsRemote)
            with pytest.raises(HostUnreachable) as failed:
                targets.resolve_remote(
                    remote, None, network=client.network, limits=LIMITS, home=client.home
                )
            assert failed.value.transient

    @pytest.mark.parametrize("cut_bytes", [1, 30, 200, 600, 3000, 5000])
    def test_a_host_that_hangs_up_is_asked_again_later(
        self, repo: Repo, client: Client, cut_bytes: int
    ) -> None:
        commit = repo.commit({"noise.bin": random.Random(1).randbytes(5000), "a.py": "a = 1\n"})
        client.host.cut_bytes = cut_bytes
        if cut_bytes < 100:
            with pytest.raises(HostUnreachable):
                client.resolve()
        with pytest.raises(HostUnreachable):
            client.fetch(commit)
        client.host.cut_bytes = 0
        client.scratch = client.scratch.with_name("again")
        assert client.fetch(commit).commit == client.resolve().commit

    def test_a_host_that_trickles_is_left_at_the_deadline(self, client: Client) -> None:
        started = time.monotonic()
        with pytest.raises(CheckoutTimedOut):
            client.resolve(path="/slow/a.git", limits=GitLimits(1.0, 1 << 20))
        assert time.monotonic() - started < 3
        assert _children_of(os.getpid(), "git") == {}

    def test_a_cancelled_job_leaves_the_host_at_once(self, client: Client) -> None:
        cancelled = threading.Event()
        threading.Timer(0.5, cancelled.set).start()
        started = time.monotonic()
        with pytest.raises(JobCancelled):
            client.resolve(path="/slow/a.git", should_stop=cancelled.is_set)
        assert time.monotonic() - started < 3
        assert _children_of(os.getpid(), "git") == {}

    @pytest.mark.parametrize("files", [30, 150])
    def test_a_pack_above_the_cap_is_not_kept(self, repo: Repo, client: Client, files: int) -> None:
        noise = random.Random(1)
        size = 3_000_000 // files
        commit = repo.commit({f"{number}.bin": noise.randbytes(size) for number in range(files)})
        with pytest.raises(CheckoutTooLarge):
            client.fetch(commit, limits=GitLimits(30, file_bytes=1_000_000))
        on_disk = sum(path.stat().st_size for path in client.scratch.rglob("*") if path.is_file())
        assert on_disk < 1_010_000


def test_git_dies_with_its_worker_and_knows_nothing_of_it(client: Client, tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", _ASKS_A_SLOW_HOST, client.host.url, str(client.network.ca_file)],
        cwd=Path(__file__).parent.parent.parent,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DATABASE_URL": "a secret"},
    )
    deadline = time.monotonic() + 20
    while not (gits := _children_of(worker.pid, "git")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ((git, command),) = gits.items()
    assert "ls-remote" in command
    environment = Path(f"/proc/{git}/environ").read_bytes()
    assert b"secret" not in environment
    assert f"HOME={tmp_path}/h".encode() in environment
    worker.kill()
    worker.wait()
    while Path(f"/proc/{git}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


_ASKS_A_SLOW_HOST = """
import sys
from pathlib import Path
from workers.git import remotes, targets
from workers.git.command import GitLimits, Network
home = Path.home() / "h"
home.mkdir()
targets.resolve_remote(
    remotes.parse(sys.argv[1] + "/slow/a.git", allow_local=False), None,
    network=Network(ca_file=Path(sys.argv[2])), limits=GitLimits(60, 1 << 20), home=home,
)
"""


def _children_of(pid: int, name: str) -> dict[int, str]:
    """Processes below another that run `name`, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and Path(os.fsdecode(command[0])).name == name:
            found[int(entry.name)] = b" ".join(command).decode()
    return found


def fetching() -> dict[str, int]:
    """The processes of this test by which something is fetched now, by what they do."""
    found: dict[str, int] = {}
    for pid, words in below(os.getpid()):
        # The host's own git is told nothing by its arguments.
        if b"credential.helper=" in words and b"fetch" in words:
            found["git"] = pid
        if words[0].endswith(b"git-remote-https"):
            found["the helper that speaks https"] = pid
        if b"index-pack" in words or b"unpack-objects" in words:
            found["the one that takes the pack in"] = pid
    return found


def below(pid: int) -> list[tuple[int, list[bytes]]]:
    """The processes below this one, with their arguments."""
    found = []
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(each) for one in threads for each in (one / "children").read_text().split()]
        for child in children:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            found += [(child, words), *below(child)]
    except OSError:
        return found  # it has ended meanwhile
    return found


@pytest.mark.parametrize(
    "which", ["git", "the helper that speaks https", "the one that takes the pack in"]
)
def test_a_git_that_is_killed_while_it_fetches_is_worth_another_try(
    host: githost.Host, client: Client, which: str
) -> None:
    repo = Repo(host.root / "repo")
    commit = repo.commit({"noise.bin": random.Random(1).randbytes(300_000), "a.py": "a = 1\n"})
    host.part_bytes, host.pause_seconds = 4000, 0.2

    def kill() -> None:
        deadline = time.monotonic() + 30
        while (pid := fetching().get(which)) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    killing = threading.Thread(target=kill)
    killing.start()
    with pytest.raises(CodeloomError) as raised:
        client.fetch(commit)
    killing.join(30)
    assert RETRIES[raised.value.code] is Retry.TRANSIENT, raised.value
    assert fetching() == {}
    host.pause_seconds = 0.0
    # Another attempt has another folder, as every one has.
    client.scratch = client.scratch.with_name("again")
    assert list(list_entries(client.fetch(commit), TreeLimits()))
