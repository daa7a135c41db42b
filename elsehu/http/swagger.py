"""Swagger UI at `/docs`: its files come from a package and are served by us, under a policy without inline code."""

import mimetypes
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from swagger_ui_bundle import swagger_ui_path

from elsehu.contracts.errors import NotFound

SERVED = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
"""The only files of the package that are served: names from outside are compared, never opened."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Scripts and styles come only from our own files; Swagger UI draws some of its icons from data URIs."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Elsehu API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

START = """SwaggerUIBundle({
  url: "%s",
  dom_id: "#docs",
  deepLinking: true,
  filter: true,
  validatorUrl: null,
  persistAuthorization: false,
});
"""


def swagger_routes(document: str) -> list[Route]:
    """Return the routes that show the OpenAPI document at the path `document`."""
    start = START % document

    async def page(_: Request) -> Response:
        return _answer(PAGE.encode(), "text/html")

    async def file(request: Request) -> Response:
        name = request.path_params["file"]
        if name == "start.js":
            return _answer(start.encode(), "text/javascript")
        if name not in SERVED:
            raise NotFound("not_found", "There is no such file; the documentation is at /docs.")
        return _answer(_read(name), mimetypes.guess_type(name)[0] or "application/octet-stream")

    return [Route("/docs", page), Route("/docs/{file}", file)]


@lru_cache(len(SERVED))
def _read(name: str) -> bytes:
    return Path(str(swagger_ui_path), name).read_bytes()


def _answer(body: bytes, media_type: str) -> Response:
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "public, max-age=3600"}
    return Response(body, media_type=media_type, headers=headers)
