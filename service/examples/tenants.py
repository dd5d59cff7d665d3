"""A tenant, its keys and credentials, what it uses and what was done in it."""

from service.examples.story import (
    ASKED_AT,
    JOB,
    JOINED_AT,
    KEY,
    KEY_EXPIRES_AT,
    MONTH_BEGAN_AT,
    MONTH_ENDS_AT,
    REGISTERED_AT,
    REPOSITORY,
    TENANT,
    Examples,
)

_TENANT = {
    "id": TENANT,
    "name": "acme",
    "plan": "standard",
    "created_at": JOINED_AT,
    "key_id": KEY,
    "scopes": ["admin", "ingest", "read"],
}
_USAGE = {
    "period": {"begins_at": MONTH_BEGAN_AT, "ends_at": MONTH_ENDS_AT},
    "resources": [
        {
            "resource": "job_minutes",
            "meaning": "Time in which jobs ran.",
            "unit": "minutes",
            "period": "month",
            "limit": 6000,
            "used": 37,
            "reserved": 0,
            "resets_at": MONTH_ENDS_AT,
        }
    ],
}
_MADE_KEY = {
    "id": "01a1fbf0-5a3c-7e91-b2d4-90c7e1f8a6b3",
    "name": "ci",
    "last_characters": "x7Qd",
    "scopes": ["ingest"],
    "repositories": None,
    "created_by": KEY,
    "created_at": REGISTERED_AT,
    "expires_at": KEY_EXPIRES_AT,
    "revoked_at": None,
    "last_used_at": None,
    "replaced_by": None,
    "secret": "cl_live_...x7Qd",
}
_AUDIT_EVENT = {
    "id": "01a1fbea-10d9-7b33-9f08-c2d57e61a4b0",
    "at": ASKED_AT,
    "actor": {"kind": "key", "id": KEY},
    "action": "request_ingestion",
    "target": {"kind": "job", "id": JOB},
    "outcome": "succeeded",
    "code": None,
    "request_id": "01a1fbea10d67c4f9a3be82f7d15c064",
}

EXAMPLES = {
    "get_tenant": Examples(answers={"a key that may do everything": _TENANT}),
    "get_usage": Examples(answers={"one resource of several": _USAGE}),
    "create_api_key": Examples(
        bodies={
            "for continuous integration": {
                "name": "ci",
                "scopes": ["ingest"],
                "expires_in": 7776000,
            },
            "for one repository": {
                "name": "review bot",
                "scopes": ["read"],
                "repositories": [REPOSITORY],
            },
        },
        answers={"the only time that its secret is shown": _MADE_KEY},
    ),
    "rotate_api_key": Examples(bodies={"an hour to change over": {"overlap_seconds": 3600}}),
    "list_audit_events": Examples(
        answers={
            "the newest": {"items": [_AUDIT_EVENT], "next_cursor": "AYd3...", "truncated": False}
        }
    ),
    "create_credential": Examples(
        bodies={
            "a token": {
                "name": "deploy token",
                "kind": "token",
                "host": "github.com",
                "secret": "the token, as the host gave it out",
            },
            "a user with a password": {
                "name": "mirror",
                "kind": "basic",
                "host": "git.example.org:8443",
                "username": "reader",
                "secret": "the password",
            },
        }
    ),
    "change_credential": Examples(bodies={"a new token": {"secret": "the token that is new"}}),
}
