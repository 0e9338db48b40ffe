"""The files of the page: these and no others."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

FILES = {
    "/": ("board.html", "text/html"),
    "/board.js": ("board.js", "text/javascript"),
    "/board.css": ("board.css", "text/css"),
}
"""Name and type of the file at each address."""

_MISSING = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>sgtrack board</title></head>
<body>
<h1>The page of the dashboard is not built</h1>
<p>{name} is missing. Install the package again, or run <code>python hatch_build.py</code> in a
checkout. The interface for programs works: <a href="/api/databases">/api/databases</a>.</p>
</body>
</html>
"""


def routes(folder: Traversable | None = None) -> list[Route]:
    """Return routes to the files.

    Args:
        folder: where they lie; those of this package by default.
    """
    place = folder or resources.files("tracking.report") / "page" / "dist"

    def send(request: Request) -> Response:
        name, kind = FILES[request.url.path]
        try:
            content = (place / name).read_bytes()
        except FileNotFoundError:
            return Response(_MISSING.format(name=name), 503, media_type="text/html")
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return Response(content, headers={"etag": tag}, media_type=kind)

    return [Route(path, send, methods=["GET"]) for path in FILES]
