"""`make run`: everything set up, a repository ingested, answers told, a clean end."""

import signal
import time
from pathlib import Path

from tests.service.cli.shell import CART, CHECKOUT, Shell
from tests.workers.gitrepo import Repo


def test_a_demonstration_ends_with_code_0_and_leaves_nothing_behind(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    repo.commit({"shop/cart.py": CART, "shop/checkout.py": CHECKOUT, "shop/__init__.py": ""})
    shell = Shell(tmp_path / "home", repo.path)
    out, _ = shell.run("demo", "--once")
    for heading in ("Most used functions", "Callers of ", "Outline of shop/", "Documentation"):
        assert heading in out
    assert not (shell.home / "server.json").exists()
    # What it ingested is kept, and a command alone brings the stack up for itself.
    found, _ = shell.run("query", "callers", "Cart.add")
    assert "checkout" in found


def test_a_demonstration_of_nothing_ends_with_code_1(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "empty")
    shell = Shell(tmp_path / "home", repo.path)
    _, err = shell.run("demo", "--once", code=1)
    assert "repository_empty" in err
    assert "Commit something first." in err
    # Nothing is started for what is not there.
    home = Shell(tmp_path / "other", repo.path)
    _, err = home.run("demo", str(tmp_path / "missing"), code=1)
    assert "There is nothing at" in err
    assert not home.home.exists()


def test_ctrl_c_before_the_answers_is_not_success(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    repo.commit({"shop/cart.py": CART})
    shell = Shell(tmp_path / "home", repo.path)
    process = shell.start("demo")
    while process.poll() is None and not (shell.home / "server.json").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
