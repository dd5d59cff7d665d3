"""The documentation page, from files that a wheel brought: it works without the internet."""

from functools import cache
from importlib import resources

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Codeloom API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

# A file of its own, so that the page needs no inline script and its policy can forbid them.
_START = """window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""

# Swagger UI sets styles inline and draws its icons as data; everything else stays closed.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)

_MEDIA_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


@router.get("/")
def to_documentation() -> Response:
    """The root leads to the documentation."""
    return RedirectResponse("/docs")


@router.get("/docs")
def documentation() -> Response:
    """The page on which every operation can be tried."""
    return Response(
        _PAGE,
        media_type="text/html",
        headers={"content-security-policy": _POLICY},
    )


@router.get("/docs/start.js")
def documentation_start() -> Response:
    """What tells the page where the API document is."""
    return Response(_START, media_type="text/javascript")


def _serve(name: str) -> None:
    @router.get(f"/docs/{name}", name=name)
    def file() -> Response:
        headers = {"cache-control": "public, max-age=86400"}
        return Response(_file(name), media_type=_MEDIA_TYPES[name], headers=headers)


@cache
def _file(name: str) -> bytes:
    return resources.files("fastapi_swagger.resources").joinpath(name).read_bytes()


for _name in _MEDIA_TYPES:
    _serve(_name)
