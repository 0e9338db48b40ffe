"""The page's files are sent, and nothing else of the disk."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from tests.board.conftest import TestClient
from tracking.board import static


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    for name, _ in static.FILES.values():
        (folder / name).write_text(f"this is {name} é", encoding="utf-8")
    (folder / "report.js").write_text("not of the dashboard")
    (tmp_path / "secret").write_text("secret")
    return folder


@pytest.fixture
def http(page):
    return TestClient(Starlette(routes=static.routes(page)), base_url="http://localhost")


@pytest.mark.parametrize("path", static.FILES)
def test_each_file_is_sent_with_its_type_and_only_when_it_has_changed(http, page, path):
    name, kind = static.FILES[path]
    answer = http.get(path)
    assert (answer.status_code, answer.text) == (200, f"this is {name} é")
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    tag = {"if-none-match": answer.headers["etag"]}
    again = http.get(path, headers=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (
        *(304, b""),
        tag["if-none-match"],
    )
    (page / name).write_text("new", encoding="utf-8")
    assert http.get(path, headers=tag).text == "new"
    assert http.head(path).headers["content-length"] == "3"


@pytest.mark.parametrize(
    "path",
    [
        *("/report.js", "/board.html", "/secret", "/../secret", "/..%2fsecret", "/%2e%2e/secret"),
        *("/board.js/", "/board.js%00.html", "/sources.sha256", "/BOARD.JS"),
    ],
)
def test_no_other_file_is_sent(http, path):
    answer = http.get(path, follow_redirects=False)
    assert answer.status_code != 200
    assert "secret" not in answer.text
    assert "not of" not in answer.text


@pytest.mark.parametrize("path", static.FILES)
def test_a_page_that_is_not_built_is_said_to_be_missing(http, page, path):
    (page / static.FILES[path][0]).unlink()
    answer = http.get(path)
    assert answer.status_code == 503
    assert "hatch_build.py" in answer.text
    assert static.FILES[path][0] in answer.text
    assert str(page) not in answer.text
    assert "<script" not in answer.text
