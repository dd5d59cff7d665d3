"""What all examples speak of: one tenant, its key, its repository, a job and what that found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TENANT = "01a1fbd2-0c11-7d40-8f57-2a90c1d3e4f5"
KEY = "01a1fbd2-3b7e-7c02-9d16-6f0b58a2c7d1"
REPOSITORY = "01a1fbe9-7e5f-7230-b305-cb318fa2e2c1"
URL = "https://github.com/acme/shop"
JOB = "01a1fbea-10d4-7a68-a4e2-51b9f3c07d86"
SNAPSHOT = "01a1fbea-9c27-7f15-8b3a-d40e62c1f97b"
COMMIT = "4f1d0c7a92be3865d17e0b94c3a2f58861d7e093"

MONTH_BEGAN_AT = "2026-01-01T00:00:00Z"
JOINED_AT = "2026-01-05T14:30:00Z"
REGISTERED_AT = "2026-01-31T09:00:00Z"
ASKED_AT = "2026-01-31T09:00:05Z"
STARTED_AT = "2026-01-31T09:00:06Z"
FINISHED_AT = "2026-01-31T09:00:17Z"
MONTH_ENDS_AT = "2026-02-01T00:00:00Z"
KEY_EXPIRES_AT = "2026-05-01T09:00:00Z"

LIMITS = {"repositories": 100, "running_jobs": 4, "requests_per_minute": 6000}
LAST_PAGE = {"next_cursor": None, "truncated": False}


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples of one operation, by what each shows."""

    bodies: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
