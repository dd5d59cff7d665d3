"""Scratch folders: removed at the end, removed after a kill, never while somebody works in them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workers import scratch

_HOLDS = """
import sys, time
from pathlib import Path
from workers import scratch
with scratch.folder(Path(sys.argv[1]), "job.1") as folder:
    (folder / "pack").write_text("x")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_gone_after_its_block_whatever_happened(tmp_path: Path) -> None:
    def fail() -> None:
        with scratch.folder(tmp_path / "scratch", "job.1") as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_text("x")
            (folder / "deep" / "file").chmod(0o400)
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        fail()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert scratch.sweep(tmp_path) == 0
        assert (tmp_path / "job.1" / "pack").exists()
        process.send_signal(signal.SIGKILL)
    assert scratch.sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_left_is_empty_when_its_name_comes_again(tmp_path: Path) -> None:
    (tmp_path / "job.1").mkdir()
    (tmp_path / "job.1" / "old").write_text("x")
    with scratch.folder(tmp_path, "job.1") as folder:
        assert list(folder.iterdir()) == []


def test_sweeping_a_folder_that_does_not_exist_is_no_work(tmp_path: Path) -> None:
    assert scratch.sweep(tmp_path / "nowhere") == 0
