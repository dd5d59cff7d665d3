"""A shell for tests: `codeloom` as a person runs it, beside a running stack."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]

CART = '''"""What is bought."""


class Cart:
    """Holds items until they are paid."""

    def add(self, price: int) -> None:
        self.items.append(price)

    def total(self) -> int:
        return money(sum(self.items))


def money(cents: int) -> int:
    return cents


def add(one: int, other: int) -> int:
    return one + other
'''
CHECKOUT = """from shop.cart import Cart, money


def checkout() -> int:
    cart = Cart()
    cart.add(3)
    return money(cart.total())
"""


@dataclass(frozen=True)
class Shell:
    """Runs `codeloom` as a person would, with one state directory."""

    home: Path
    folder: Path

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "service", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**self.environment(), **environment},
        )

    def run(self, *arguments: str, code: int = 0, **environment: str) -> tuple[str, str]:
        """What the command wrote to its two streams; its exit code is checked."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=150)
        assert process.returncode == code, (out, err)
        assert "Traceback" not in err
        return out, err

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json")[0])

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CODELOOM_HOME": str(self.home),
            "CODELOOM_PORT": "0",
        }

    def address(self) -> str | None:
        """Where the API of the running stack answers."""
        described = self.home / "server.json"
        if not described.exists():
            return None
        found: str | None = json.loads(described.read_text())["address"]
        return found

    @contextmanager
    def serving(self) -> Iterator[list[str]]:
        """`codeloom up` runs for the time of the context; yields what it has printed in the end."""
        printed: list[str] = []
        server = self.start("up")
        try:
            deadline = time.monotonic() + 90
            while self.address() is None:
                assert server.poll() is None, server.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield printed
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=30)
            assert server.returncode == 0, err
            printed.append(out)
        finally:
            server.kill()
            server.communicate()
