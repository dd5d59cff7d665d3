"""Repositories, and the jobs that ingest them."""

from service.examples.story import (
    ASKED_AT,
    FINISHED_AT,
    JOB,
    LAST_PAGE,
    REGISTERED_AT,
    REPOSITORY,
    SNAPSHOT,
    STARTED_AT,
    URL,
    Examples,
)

_REPOSITORY = {
    "id": REPOSITORY,
    "name": "acme/shop",
    "url": URL,
    "default_ref": None,
    "created_at": REGISTERED_AT,
}
_WAITING = {
    "id": JOB,
    "kind": "ingest",
    "state": "queued",
    "repository_id": REPOSITORY,
    "parent_job_id": None,
    "ref": "main",
    "commit": None,
    "force": False,
    "progress": {
        "stage": None,
        "percent": 0,
        "files_done": 0,
        "files_total": 0,
        "nodes": 0,
        "edges": 0,
    },
    "attempt": 0,
    "max_attempts": 5,
    "task_id": None,
    "error": None,
    "snapshot_id": None,
    "superseded_by": None,
    "report": None,
    "created_at": ASKED_AT,
    "run_at": ASKED_AT,
    "started_at": None,
    "finished_at": None,
}
_ENDED = _WAITING | {
    "state": "succeeded",
    "progress": {
        "stage": "publish",
        "percent": 100,
        "files_done": 214,
        "files_total": 214,
        "nodes": 3810,
        "edges": 9472,
    },
    "attempt": 1,
    "task_id": f"{JOB}.1",
    "snapshot_id": SNAPSHOT,
    "report": {"files": {"total": 214, "parsed": 201, "skipped": {"binary": 13}}, "lines": 31877},
    "started_at": STARTED_AT,
    "finished_at": FINISHED_AT,
}

EXAMPLES = {
    "register_repository": Examples(
        bodies={"a public repository": {"url": URL, "name": "acme/shop"}},
        answers={"registered": _REPOSITORY},
    ),
    "list_repositories": Examples(answers={"the only one": {"items": [_REPOSITORY], **LAST_PAGE}}),
    "change_repository": Examples(bodies={"another branch": {"default_ref": "develop"}}),
    "request_ingestion": Examples(
        bodies={"the head of a branch": {"ref": "main"}, "anew": {"ref": "main", "force": True}},
        answers={"it waits": _WAITING},
    ),
    "request_job": Examples(
        bodies={
            "an ingestion": {
                "kind": "ingest",
                "parameters": {"repository_id": REPOSITORY, "ref": "main"},
            }
        }
    ),
    "get_job": Examples(answers={"it waits": _WAITING, "it has ended": _ENDED}),
}
