"""Reports as one HTML file, which needs nothing beside itself. Pure but for the packaged page.

The page is bundled from `page/src` when the package is built; see hatch_build.py.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from tracking.errors import MissingDependencyError
from tracking.report import json_report

if TYPE_CHECKING:
    from tracking.report.data import ReportData

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>sg-track report</title>
<style>{style}</style>
</head>
<body>
<noscript>This report is drawn by JavaScript, which is switched off here.</noscript>
<div id="app"></div>
<script type="application/json" id="report-data">{data}</script>
<script>{script}</script>
</body>
</html>
"""

# What could end the element that the document lies in, or start another; in JSON all of these
# stand in texts only, where they may be written as escapes.
_MARKUP = re.compile("[<>&\u2028\u2029]")


def render(data: ReportData) -> str:
    """Return a report as an HTML document; see `page`."""
    return page(json_report.dump(data))


def page(document: str) -> str:
    """Return JSON as an HTML document for a browser, also opened from disk without a network.

    Its content security policy lets the page load nothing and run only its own script, whatever
    names and texts the JSON holds.

    Args:
        document: what the page knows how to show, by its `format`.

    Raises:
        MissingDependencyError: the package was installed without the page.
    """
    script, style = _asset("report.js"), _asset("report.css")
    policy = (
        f"default-src 'none'; script-src '{_source(script)}'; style-src '{_source(style)}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    shown = _MARKUP.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
    return _PAGE.format(policy=policy, style=style, data=shown, script=script)


@cache
def _asset(name: str) -> str:
    path = resources.files("tracking.report") / "page" / "dist" / name
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingDependencyError(
            f"the page of the HTML report is not built: {path} is missing; install the package"
            " again, or run `python hatch_build.py` in a checkout"
        ) from error
    # The end of the element, should the bundle ever hold it in a text.
    return text.replace("</script", "<\\/script").replace("</style", "<\\/style")


def _source(text: str) -> str:
    """Return the source expression of a content security policy that allows this very text."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
