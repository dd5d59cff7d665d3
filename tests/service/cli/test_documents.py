"""The commands that the documents show do what the documents say."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.cli.shell import ROOT, Shell
from tests.workers.gitrepo import Repo


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell in a repository of this very source, beside a running stack."""
    folder = tmp_path_factory.mktemp("work") / "codeloom"
    for room in ("graph", "service"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("*.pyc"))
    (folder / "logo.png").write_bytes(b"\\x89PNG")
    Repo(folder).commit()
    shell = Shell(tmp_path_factory.mktemp("home"), folder)
    with shell.serving():
        shell.run("ingest", ".")
        yield shell


def blocks(document: Path) -> str:
    """Everything that a document shows for a reader to run."""
    found = re.findall(r"^```sh\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return "\n".join(found)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("README.md", "graph/queries/page.py"),
        ("docs/api.md", "graph/queries/page.py"),
        ("docs/operators.md", "finish_erasure"),
    ],
)
def test_the_commands_of_a_document_work(name: str, shown: str, shell: Shell) -> None:
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", blocks(ROOT / name)],
        cwd=shell.folder,
        env={
            **shell.environment(),
            "API": str(shell.address()),
            "KEY": (shell.home / "key").read_text().strip(),
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Errors are problems with a code; curl alone does not fail on them.
    assert '"request_id"' not in done.stdout
    assert shown in done.stdout
