"""`python -m docs.build`: make the site, in site/.

Fails where the generator warns, and where a page would fetch something from another host.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"  # the generator writes inside of the project only

_FETCHED = re.compile(
    r"""<(?:script|link|img|iframe|source|video|audio|embed|object|image|use)\b[^>]*?
        \s(?:src|href|srcset|data|xlink:href)\s*=\s*["']?\s*(?:https?:)?//([^/"'\s>]+)
      | (?:@import\s+|url\(\s*)["']?(?:https?:)?//([^/"'\s)]+)""",
    re.VERBOSE | re.IGNORECASE,
)


def foreign_hosts(text: str) -> set[str]:
    """Return the hosts that a page or a style sheet fetches something from."""
    return {one or other for one, other in _FETCHED.findall(text)}


def main() -> None:
    """Build the site.

    Raises:
        SystemExit: the generator warned, or a page fetches something from another host.
    """
    arguments = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(arguments, cwd=ROOT, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit("the site was not built: mend what is listed above")
    for path in sorted(path for path in SITE.rglob("*") if path.suffix in (".html", ".css")):
        if hosts := foreign_hosts(path.read_text(encoding="utf-8")):
            raise SystemExit(f"{path}: fetches from {', '.join(sorted(hosts))}; bring it here")


if __name__ == "__main__":
    main()
