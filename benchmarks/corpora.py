"""Real source code for the benchmarks, fetched once and kept in the user's cache."""

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from parsers import registry
from parsers.detect import detect, inspect
from parsers.language import Language

MAX_FILE_BYTES = 1 << 20


class CorpusUnavailable(Exception):
    """The source code could not be fetched; the message says what was tried."""


@dataclass(frozen=True)
class Corpus:
    """A published package that is mostly in one language."""

    language: str
    package: str
    fetch: Callable[[str, Path], None]


def _pip(package: str, folder: Path) -> None:
    """A source distribution."""
    pip = [sys.executable, "-m", "pip"]
    _run([*pip, "download", "-q", "--no-binary", ":all:", "--no-deps", package], folder)
    _unpack(folder)


def _npm(package: str, folder: Path) -> None:
    """A package as it is published."""
    _run(["npm", "pack", "--silent", package], folder)
    _unpack(folder)


def _apt(package: str, folder: Path) -> None:
    """A package of sources, in the version that this system's distribution has."""
    _run(["apt-get", "download", package], folder)
    for archive in folder.glob("*.deb"):
        _run(["dpkg-deb", "-x", str(archive), "."], folder)
        archive.unlink()


CORPORA = (
    Corpus("python", "django==5.2.8", _pip),
    Corpus("typescript", "rxjs@7.8.1", _npm),
    Corpus("javascript", "eslint@9.0.0", _npm),
    Corpus("go", "golang-golang-x-tools-dev", _apt),
    Corpus("java", "JPype1==1.5.0", _pip),
)


def files(corpus: Corpus) -> list[bytes]:
    """The files that an ingestion would parse.

    Raises:
        CorpusUnavailable: no network, no such client, no such package.
    """
    language = registry.languages()[corpus.language]
    found = []
    folder = _folder(corpus)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and _claims(path.relative_to(folder), language):
            data = path.read_bytes()
            if len(data) <= MAX_FILE_BYTES and inspect(data, language) is None:
                found.append(data)
    return found


def repository(corpus: Corpus, folder: Path) -> Path:
    """A git repository in `folder` with one commit that holds the corpus.

    Raises:
        CorpusUnavailable: as `files`.
    """
    shutil.copytree(
        _folder(corpus), folder, symlinks=True, ignore=shutil.ignore_patterns(".complete")
    )
    _run(["git", "init", "--quiet"], folder)
    commit(folder, "The corpus")
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit everything in the work tree."""
    who = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    _run(["git", "add", "--all", "--force"], folder)
    _run(["git", *who, "commit", "--quiet", "--message", message], folder)


def _claims(path: Path, language: Language) -> bool:
    return detect(str(path).encode("utf-8", "surrogateescape")) is language


def _folder(corpus: Corpus) -> Path:
    folder = user_cache_path("codeloom") / "benchmarks" / corpus.package.replace("/", "_")
    complete = folder / ".complete"
    if not complete.exists():
        folder.mkdir(parents=True, exist_ok=True)
        corpus.fetch(corpus.package, folder)
        complete.touch()
    return folder


def _unpack(folder: Path) -> None:
    for archive in [*folder.glob("*.tar.gz"), *folder.glob("*.tgz")]:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        archive.unlink()


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise CorpusUnavailable(f"{command[0]} is not installed") from missing
    if done.returncode:
        raise CorpusUnavailable(f"{' '.join(command)}: {done.stderr.strip()[-300:]}")
