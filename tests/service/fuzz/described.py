"""The document as the library reads it, and what it is to find odd."""

from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig

from graph.settings import Settings
from service.app import create_app

# Statuses with which good and bad requests may be answered. Long texts fit their descriptions each,
# and together make an address that is too long.
GOOD = ["2xx", "304", "404", "409", "414", "429"]
BAD = ["400", "404", "405", "409", "412", "414", "415", "422", "431"]
CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {"expected-statuses": GOOD},
            "negative_data_rejection": {"expected-statuses": BAD},
        },
        # Keys that were revoked are still told of.
        "operations": [
            {
                "include-path": "/v1/api-keys/{api_key_id}",
                "checks": {"use_after_free": {"enabled": False}},
            }
        ],
    }
)

OPERATED = "/v1/admin/"


def read(*, operated: bool | None = None) -> Any:
    """The operations of operators, all others, or all."""
    document = create_app(Settings(codeloom_secret="collection")).openapi()
    document["paths"] = {
        path: operations
        for path, operations in document["paths"].items()
        if operated is None or path.startswith(OPERATED) == operated
    }
    return schemathesis.openapi.from_dict(document, config=CONFIG)


api = read()
