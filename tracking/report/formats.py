"""The formats of reports that become files, by the suffix of the file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tracking.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import PurePath

    from tracking.report.data import ReportData

# Imported when a report is asked for: most sessions write none.
_RENDERERS = {
    ".html": ("html_page", "render"),
    ".json": ("json_report", "dump"),
    ".md": ("markdown", "render"),
}


def check_format(path: PurePath) -> None:
    """Check that the suffix of a file names a format.

    Raises:
        InvalidArgumentError: it does not.
    """
    if path.suffix.lower() not in _RENDERERS:
        known = ", ".join(_RENDERERS)
        raise InvalidArgumentError(
            "report", f"{path} names no format; its suffix is one of {known}"
        )


def render(data: ReportData, path: PurePath) -> str:
    """Return a report in the format that the suffix of a file names.

    Raises:
        InvalidArgumentError: there is no such format.
        MissingDependencyError: the format needs what is not there.
    """
    check_format(path)
    module, function = _RENDERERS[path.suffix.lower()]
    text: str = getattr(import_module(f"tracking.report.{module}"), function)(data)
    return text
