"""Locks and wake-ups through the database, also when it goes away."""

import subprocess
import sys

import psycopg
import pytest

from graph.errors import StorageError
from graph.storage.locks import SessionLock, is_held
from graph.storage.session import tenant_session
from graph.storage.signals import Listener, tell


def end_sessions(database_url, backend):
    with psycopg.connect(database_url) as other:
        other.execute("select pg_terminate_backend(%s)", [backend])


def test_one_session_holds_a_lock(settings):
    with SessionLock(settings, "a") as first, SessionLock(settings, "a") as second:
        assert not is_held(settings, "a")
        assert first.acquire()
        assert not second.acquire()
        assert (first.held(), second.held()) == (True, False)
        assert is_held(settings, "a")
        assert not is_held(settings, "b")
    assert not is_held(settings, "a")


def test_other_names_are_other_locks(settings):
    with SessionLock(settings, "a") as first, SessionLock(settings, "b") as second:
        assert first.acquire()
        assert second.acquire()


def test_a_closed_lock_is_free_and_closing_twice_is_fine(settings):
    first = SessionLock(settings, "a")
    assert first.acquire()
    first.close()
    first.close()
    with SessionLock(settings, "a") as second:
        assert second.acquire()


def test_a_lock_is_lost_with_its_session_and_says_so(settings, database_url):
    with SessionLock(settings, "a") as lock:
        lock.acquire()
        end_sessions(database_url, lock._connection.info.backend_pid)
        with pytest.raises(StorageError):
            lock.held()
        assert not is_held(settings, "a")


def test_a_killed_process_frees_its_lock(settings):
    program = (
        "import sys, time; from graph.settings import Settings\n"
        "from graph.storage.locks import SessionLock\n"
        "lock = SessionLock(Settings(database_url=sys.argv[1]), 'a'); lock.acquire()\n"
        "print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, settings.database_url], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with SessionLock(settings, "a") as lock:
            assert not lock.acquire()
        holder.kill()
    with SessionLock(settings, "a") as lock:
        for _ in range(200):
            if lock.acquire():
                break
        assert lock.held()


def test_a_call_is_heard_once_it_is_committed(settings, tenant):
    with Listener(settings, "test_channel") as listener:
        with tenant_session(tenant, settings=settings) as conn:
            tell(conn, "test_channel")
            tell(conn, "other_channel")
            assert not listener.wait(0.05)
        assert listener.wait(5)
        assert not listener.wait(0.05)


def test_a_listener_whose_session_ended_says_so(settings, database_url):
    with Listener(settings) as listener:
        end_sessions(database_url, listener._connection.info.backend_pid)
        with pytest.raises(StorageError):
            listener.wait(5)
