"""What a parser process gives up before it sees a stranger's bytes.

A grammar is C code that reads hostile input. So by the time it does, its process cannot open a
file, reach a network, start a program or outlive its parent. Each wall stands alone, and a kernel
that lacks one leaves the others; `confine` says which stand. The system calls come last, and after
them nothing can be imported: whatever a file may need has been loaded before.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_OPEN_FILES = 64

# landlock_create_ruleset and landlock_restrict_self have one number on every architecture.
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_VERSION = 1
# Rights to files that each version of Landlock knows, as bits from 0; the last also rules devices.
_LANDLOCK_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_LANDLOCK_NETWORK_SINCE, _LANDLOCK_NETWORK_RIGHTS = 4, 0b11  # bind and connect of TCP
_LANDLOCK_SCOPE_SINCE, _LANDLOCK_SCOPES = 6, 0b11  # abstract sockets and signals of others

# The calls that CPython, its allocator and zstd make once everything is loaded. Any other answers
# EPERM; among them all that open, connect, fork or execute.
_ALLOWED = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0,
            "write": 1,
            "close": 3,
            "fstat": 5,
            "poll": 7,
            "lseek": 8,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "getpid": 39,
            "exit": 60,
            "getrusage": 98,
            "sigaltstack": 131,
            "gettid": 186,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "exit_group": 231,
            "getrandom": 318,
            "rseq": 334,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "close": 57,
            "lseek": 62,
            "read": 63,
            "write": 64,
            "ppoll": 73,
            "fstat": 80,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "clock_gettime": 113,
            "sched_yield": 124,
            "restart_syscall": 128,
            "sigaltstack": 132,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "getrusage": 165,
            "getpid": 172,
            "gettid": 178,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "mmap": 222,
            "mprotect": 226,
            "madvise": 233,
            "getrandom": 278,
            "rseq": 293,
        },
    ),
}
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # instructions of the classic packet filter
_FILTER_ALLOW, _FILTER_REFUSE = 0x7FFF0000, 0x00050000 | 1  # let it run; answer EPERM
_AT_NUMBER, _AT_ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_SECCOMP_MODE_FILTER = 2

_libc = ctypes.CDLL(None, use_errno=True)


def confine(*, memory_bytes: int, cpu_seconds: int) -> list[str]:
    """Give up everything but two pipes and memory; the names of the walls that stand."""
    walls: dict[str, Callable[[], bool]] = {
        "network_namespace": _leave_network,
        "parent_death": _die_with_parent,
        "no_new_privileges": lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "limits": lambda: _limit(memory_bytes, cpu_seconds),
        "landlock": _forbid_files,
        "seccomp": _forbid_calls,
    }
    return [name for name, build in walls.items() if build()]


def _leave_network() -> bool:
    """A network of one's own has no interface that is up."""
    return bool(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def _die_with_parent() -> bool:
    """After the namespaces: a change of privileges forgets the signal."""
    return _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit(memory_bytes: int, cpu_seconds: int) -> bool:
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for name, wanted in limits.items():
        allowed = within_hard_limit(name, wanted)
        resource.setrlimit(name, (allowed, allowed))
    return True


def within_hard_limit(name: int, wanted: int) -> int:
    """A limit as it can be had: nothing raises the one that the system gave."""
    hard = resource.getrlimit(name)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _forbid_files() -> bool:
    """A Landlock ruleset that governs every right and grants none."""
    version = _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        return False
    bits = _LANDLOCK_FILE_RIGHTS[min(version, max(_LANDLOCK_FILE_RIGHTS))]
    fields = [(1 << bits) - 1]
    if version >= _LANDLOCK_NETWORK_SINCE:
        fields.append(_LANDLOCK_NETWORK_RIGHTS)
    if version >= _LANDLOCK_SCOPE_SINCE:
        fields.append(_LANDLOCK_SCOPES)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        return bool(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _forbid_calls() -> bool:
    """A filter of system calls: those of the list, on this architecture, and no other."""
    if platform.machine() not in _ALLOWED:
        return False
    architecture, allowed = _ALLOWED[platform.machine()]
    numbers = sorted(allowed.values())
    program = [
        (_LOAD, 0, 0, _AT_ARCHITECTURE),
        (_JUMP_IF_EQUAL, 0, len(numbers) + 1, architecture),
        (_LOAD, 0, 0, _AT_NUMBER),
        *((_JUMP_IF_EQUAL, len(numbers) - at, 0, call) for at, call in enumerate(numbers)),
        (_RETURN, 0, 0, _FILTER_REFUSE),
        (_RETURN, 0, 0, _FILTER_ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    filters = struct.pack("@HP", len(program), ctypes.addressof(code))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters)


def _prctl(option: int, first: int, second: bytes | int = 0) -> bool:
    pointer = second if isinstance(second, bytes) else ctypes.c_ulong(second)
    zero = ctypes.c_ulong(0)
    return bool(_libc.prctl(option, ctypes.c_ulong(first), pointer, zero, zero) == 0)
