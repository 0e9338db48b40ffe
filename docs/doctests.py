"""Has the API pages show the doctests of docstrings as code; Markdown takes `>>>` for a quotation.

An extension of Griffe, which reads the docstrings for mkdocstrings; zensical.toml names it.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_DOCTEST = re.compile(r"^( *)>>> .*\n?(?:\1\S.*\n?)*", re.MULTILINE)


def fenced(docstring: str) -> str:
    r"""Return a docstring with its doctests in fences.

    >>> fenced("One.\n\n>>> 1\n1\n\nTwo.") == "One.\n\n```pycon\n>>> 1\n1\n```\n\nTwo."
    True
    """
    return _DOCTEST.sub(
        lambda found: f"{found[1]}```pycon\n{found[0].rstrip()}\n{found[1]}```\n", docstring
    )


class Doctests(griffe.Extension):
    """Fences the doctests of everything that is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change an object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
