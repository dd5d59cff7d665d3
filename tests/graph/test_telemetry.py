import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
import structlog

from graph import telemetry

PROGRAM = """
import logging, sys
import structlog
from graph import telemetry
telemetry.configure("worker", level=sys.argv[1], form=sys.argv[2])
structlog.contextvars.bind_contextvars(tenant="t1")
log = structlog.get_logger("workers.pipeline")
log.debug("quiet")
log.info("ingest.published", nodes=3)
logging.getLogger("some.library").info("chatter")
logging.getLogger("some.library").warning("trouble")
try:
    password = "hunter2"
    1 / 0
except ZeroDivisionError:
    log.exception("ingest.failed")
"""


def run(level, form):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, form], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_every_line_is_an_event_with_who_it_is_about():
    lines = [json.loads(line) for line in run("info", "json").splitlines()]
    assert [line["event"] for line in lines] == ["ingest.published", "trouble", "ingest.failed"]
    first, _, failed = lines
    assert (first["nodes"], first["tenant"], first["process"]) == (3, "t1", "worker")
    assert first["level"] == "info"
    assert first["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in failed["exception"]


@pytest.mark.parametrize(("level", "seen"), [("debug", True), ("error", False)])
def test_the_level_decides_what_is_told(level, seen):
    told = run(level, "console")
    assert ("ingest.published" in told) is seen
    assert ("quiet" in told) is seen
    assert "ingest.failed" in told
    assert "chatter" not in told


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_names_places_and_no_values(form):
    told = run("info", form)
    assert "ZeroDivisionError" in told
    assert told.count("hunter2") == 0, told


@pytest.fixture
def unbound():
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def bound():
    return structlog.contextvars.get_contextvars()


def test_what_begins_carries_nothing_of_what_went_before(unbound):
    telemetry.begin(tenant_id=UUID(int=1), job_id="a", epoch=2)
    telemetry.begin(request_id="r")
    assert bound() == {"request_id": "r"}
    telemetry.identify(tenant_id=UUID(int=2))
    assert bound() == {"request_id": "r", "tenant_id": str(UUID(int=2))}


def test_a_block_is_about_somebody_and_then_about_nobody(unbound):
    with telemetry.about(tenant_id=UUID(int=1)):
        assert bound() == {"tenant_id": str(UUID(int=1))}
    assert bound() == {}


def test_another_thread_works_for_whoever_sent_it(unbound):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(bound).result()
        telemetry.begin(tenant_id=UUID(int=1))
        assert pool.submit(telemetry.carried(bound)).result() == {"tenant_id": str(UUID(int=1))}
        # And what it does leaves nothing behind, neither here nor there.
        pool.submit(telemetry.carried(lambda: telemetry.begin(tenant_id=UUID(int=2)))).result()
        assert pool.submit(bound).result() == {}
    assert bound() == {"tenant_id": str(UUID(int=1))}


LEAKS = """
import logging, sys
import structlog
from graph import telemetry
telemetry.configure("worker", form=sys.argv[1])
log = structlog.get_logger("workers.git")
address = "https://octocat:sentinel-1@github.com/acme/shop.git"
log.info("git.failed", output=f"fatal: unable to access '{address}'")
log.info("headers", sent={"Authorization": "Bearer sentinel-2"}, list=[("x-api-key", "sentinel-3")])
log.info("nested", text='{"authorization": "Basic sentinel-4=="}')
log.info("token", value="ghp_sentinel5", other=["glpat-sentinel-6"], cl_live_sentinel7=1)
logging.getLogger("some.library").warning("GET %s with %s", address, "github_pat_sentinel_8")
try:
    raise ValueError(address) from KeyError("cl_oper_sentinel9")
except ValueError:
    log.exception("failed")
    logging.getLogger("some.library").exception("failed")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_looks_like_a_secret_is_in_no_line(form):
    done = subprocess.run(
        [sys.executable, "-c", LEAKS, form], capture_output=True, text=True, check=True
    )
    assert "sentinel" not in done.stderr
    assert done.stderr.count("https://[hidden]@github.com/acme/shop.git") == 4
    assert done.stderr.count("KeyError") == 2
    if form == "json":
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert lines[1]["sent"] == {"Authorization": "Bearer [hidden]"}
        assert lines[2]["text"] == '{"authorization": "Basic [hidden]"}'
        assert lines[3]["value"] == "ghp_[hidden]"


AGAIN = """
import structlog
from graph import telemetry
log = structlog.get_logger("workers.pipeline")
telemetry.configure("cli", level="error", form="json")
log.info("too.quiet")
telemetry.configure("worker", level="info", form="json")
log.info("ingest.published")
"""


def test_what_is_said_last_holds_also_for_loggers_that_were_used_before():
    done = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True)
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["ingest.published"]
