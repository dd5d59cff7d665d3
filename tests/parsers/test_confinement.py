"""What a confined process tries and may not: with all walls, and with each wall alone."""

import json
import os
import subprocess
import sys

import pytest

ATTEMPTS = {
    "read a file": "open('/etc/passwd').read()",
    "read the parent's environment": "open('/proc/%d/environ' % parent, 'rb').read()",
    "list a folder": "os.listdir('/')",
    "write a file": "os.write(os.open(target, os.O_WRONLY | os.O_CREAT), b'x')",
    "make a folder": "os.mkdir(target + '.d')",
    "remove a file": "os.unlink(__import__('parsers.sandbox.confinement').__file__)",
    "fork": "os._exit(9) if os.fork() == 0 else None",
    "start a program": "os.execv('/bin/true', ['true'])",
    "start a thread": "threading.Thread(target=print).start()",
    "open a socket": "socket.socket()",
    "connect to this machine": "socket.create_connection(('127.0.0.1', port), 2)",
    "connect elsewhere": "socket.create_connection(('192.0.2.1', 80), 2)",
    "listen": "socket.create_server(('127.0.0.1', 0))",
    "send a datagram": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
    "kill the parent": "os.kill(parent, 0)",
    "trace the parent": "check(libc.ptrace(16, parent, None, None))",
    "raise a limit": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "mount": "check(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "take much memory": "bytearray(3 << 30)",
}
PROBE = """
import ctypes, json, os, resource, socket, sys, threading
import encodings.idna
sys.path[:] = json.loads(sys.argv[1])
from parsers.sandbox import confinement
only, attempts, parent, port, target = json.loads(sys.argv[2])
walls = {"limits": "_limit", "landlock": "_forbid_files", "seccomp": "_forbid_calls",
         "network_namespace": "_leave_network"}
for wall, function in walls.items():
    if only and wall != only:
        setattr(confinement, function, lambda *_: False)
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0: raise OSError(ctypes.get_errno(), "refused")
standing = confinement.confine(memory_bytes=2 << 30, cpu_seconds=60)
outcome = {}
for name, attempt in attempts.items():
    try:
        exec(attempt)
        outcome[name] = "done"
    except BaseException as refusal:
        outcome[name] = type(refusal).__name__
sys.stdout.write(json.dumps([standing, outcome]))
sys.stdout.flush()
os._exit(0)
"""
# What each wall refuses by itself. A fork bomb of the superuser is stopped by the last alone.
ALONE = {
    "limits": {"write a file", "take much memory"},
    "landlock": {
        "read a file",
        "list a folder",
        "write a file",
        "make a folder",
        "remove a file",
        "start a program",
        "read the parent's environment",
        "listen",
        "connect to this machine",
    },
    "network_namespace": {"connect to this machine", "connect elsewhere", "send a datagram"},
    "seccomp": set(ATTEMPTS) - {"take much memory"},
}


@pytest.fixture
def attempt(tmp_path_factory: pytest.TempPathFactory, unused_port: int):
    def run(only: str, names: set[str]) -> tuple[list[str], dict[str, str]]:
        target = str(tmp_path_factory.mktemp("probe") / "written")
        chosen = {name: code for name, code in ATTEMPTS.items() if name in names}
        arguments = json.dumps([only, chosen, os.getpid(), unused_port, target])
        done = subprocess.run(
            [sys.executable, "-I", "-c", PROBE, json.dumps(sys.path), arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        standing, outcome = json.loads(done.stdout)
        assert not os.path.exists(target) or os.path.getsize(target) == 0  # noqa: PTH110, PTH202
        return standing, outcome

    return run


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_a_confined_process_can_do_nothing_but_think(attempt) -> None:
    standing, outcome = attempt("", set(ATTEMPTS))
    assert {"limits", "no_new_privileges", "parent_death"} <= set(standing)
    refused = set().union(*(ALONE[wall] for wall in standing if wall in ALONE))
    assert {name for name in refused if outcome[name] == "done"} == set()


@pytest.mark.parametrize("wall", sorted(ALONE))
def test_each_wall_stands_alone(wall: str, attempt) -> None:
    standing, outcome = attempt(wall, ALONE[wall])
    if wall in standing:  # a kernel may lack it, and then `confinement` does not name it
        assert {name for name, result in outcome.items() if result == "done"} == set()
