"""The pages hang together: every link leads somewhere, every page stands in the navigation."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from docs.build import foreign_hosts

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), ROOT / "examples" / "README.md", *PAGES]
FENCE = re.compile(r"^( *)(```+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\)")
ROOMS = ("board", "merging", "postgres", "regression")  # whose files are named by name alone
EXTERNAL = re.compile(r"[a-z][a-z+.-]*:")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def links(text: str) -> list[str]:
    """Return where links and pictures of a Markdown text lead, but for other hosts."""
    without_code = CODE.sub("", FENCE.sub("", text))
    return [link for link in LINK.findall(without_code) if not EXTERNAL.match(link)]


def anchors(text: str) -> set[str]:
    """Return the anchors of headings, as the site makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", FENCE.sub("", text), re.MULTILINE):
        slug = re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
        found.add(
            next(name for n in range(99) if (name := f"{slug}_{n}" if n else slug) not in found)
        )
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](b.md#c) ![d](e.png)", ["b.md#c", "e.png"]),
        ('[a](b.md "c")', ["b.md"]),
        ("`[a](b)` and ``[`a`](b)``", []),
        ("```md\n[a](b)\n```\n[c](d)\n", ["d"]),
        ("[a](https://b.org) [c](mailto:d@e)", []),
    ],
)
def test_links_are_those_a_reader_can_follow(text, found):
    assert links(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# One `two`: three\n", {"one-two-three"}),
        ("## `a_b`\n", {"a_b"}),
        ("## Twice\n\n## Twice\n", {"twice", "twice_1"}),
        ("```sh\n# no heading\n```\n", set()),
    ],
)
def test_anchors_are_made_of_headings(text, found):
    assert anchors(text) == found


def problem_of(document: Path, link: str) -> str | None:
    """Return what is wrong with a link of a document, None where nothing is."""
    target, _, anchor = link.partition("#")
    path = (document.parent / target).resolve() if target else document
    if not path.exists():
        return "there is no such file"
    if document.is_relative_to(DOCS) and not path.is_relative_to(DOCS):
        return "the site has what lies under docs/ alone"
    # The anchors of the API are made of docstrings: building the site checks them.
    is_made = path.is_relative_to(DOCS / "reference" / "api")
    if anchor and not is_made and anchor not in anchors(path.read_text(encoding="utf-8")):
        return "there is no such heading"
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document):
    found = {link: problem_of(document, link) for link in links(document.read_text("utf-8"))}
    assert {link: problem for link, problem in found.items() if problem} == {}


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("gate.md", None),
        ("gate.md#nowhere", "there is no such heading"),
        ("nowhere.md", "there is no such file"),
        ("nowhere.png", "there is no such file"),
        ("../LICENSE", "the site has what lies under docs/ alone"),
        ("#nowhere", "there is no such heading"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link, problem):
    assert problem_of(DOCS / "index.md", link) == problem


def listed(entries: list) -> list[str]:
    """Return the pages of a navigation."""
    pages: list[str] = []
    for entry in entries:
        for below in entry.values() if isinstance(entry, dict) else [entry]:
            pages += [below] if isinstance(below, str) else listed(below)
    return pages


def test_every_page_stands_in_the_navigation_once():
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(listed(site["nav"])) == [page.relative_to(DOCS).as_posix() for page in PAGES]
    parts = [name for entry in site["nav"] for name in entry]
    assert parts == ["Start", "Tutorial", "How-to guides", "Reference", "Explanation"]


def test_a_picture_has_words_for_those_who_do_not_see_it():
    pictures = [
        (name_of(page), words)
        for page in DOCUMENTS
        for words in re.findall(r"!\[([^\]]*)\]\(", FENCE.sub("", page.read_text("utf-8")))
    ]
    assert [page for page, words in pictures if len(words.split()) < 5] == []


@pytest.mark.parametrize(
    ("html", "hosts"),
    [
        ('<a href="https://a.org">x</a> <img src="b.png"> <script src="../c.js"></script>', set()),
        ('<script src="https://a.org/b.js">', {"a.org"}),
        ("<link rel=stylesheet href='//a.org/b.css'>", {"a.org"}),
        ('<img alt="" src="http://a.org/b.png">', {"a.org"}),
        ('<a href="x"><img srcset="https://a.org/b.png 2x"></a>', {"a.org"}),
        ('<link rel="canonical" href="https://a.org/">', {"a.org"}),
        ("<style>@import url(https://a.org/b.css)</style>", {"a.org"}),
    ],
)
def test_a_page_that_asks_another_host_is_found(html, hosts):
    assert foreign_hosts(html) == hosts


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_who_looks_for_a_file_that_is_named_finds_it(document):
    named = re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", (ROOT / document).read_text(encoding="utf-8"))
    rooms = ("", "tracking", *(f"tracking/{room}" for room in ROOMS))
    assert len(named) > 20
    assert [
        name for name in named if not any((ROOT / room / name).exists() for room in rooms)
    ] == []


def test_the_picture_of_the_architecture_names_modules_that_are_there():
    svg = (DOCS / "pictures" / "way.svg").read_text(encoding="utf-8")
    named = re.findall(r"<text class=\"m\"[^>]*>([^<]*)<", svg)
    modules = [
        f"tracking{part}" if part.startswith(".") else part
        for names in named
        for part in names.split(", ")
    ]
    assert len(modules) >= 10
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_pictures_are_small():
    sizes = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert {name: size for name, size in sizes.items() if size > 200_000} == {}
    assert sum(sizes.values()) < 1_000_000
