"""The pages under docs/reference, made of the code they describe.

`python -m docs.generate` writes them; tests/test_docs_reference.py fails where one is out of date.
The text is the same in every supported Python.
"""

from __future__ import annotations

from pathlib import Path

from docs.generate import api, commands, files, fixtures, options, tables, variables

FOLDER = Path(__file__).parents[1] / "reference"
COMMAND = "python -m docs.generate"

_NOTE = f"<!-- Written by `{COMMAND}`: change what it reads, not this file. -->\n\n"


def pages() -> dict[str, str]:
    """Return every page by its path below docs/reference."""
    written = {
        "options.md": options.page(),
        "fixtures.md": fixtures.page(),
        "commands.md": commands.page(),
        "variables.md": variables.page(),
        **{f"api/{name}.md": text for name, text in api.pages().items()},
        "formats/index.md": files.versions_page(),
        "formats/database.md": tables.database_page(),
        "formats/store.md": tables.store_page(),
        "formats/files.md": files.files_page(),
        "formats/report.md": files.report_page(),
    }
    return {path: f"{_NOTE}{text.rstrip()}\n" for path, text in written.items()}
