"""The report as a document, before any browser reads it."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.report import json_report
from tracking.report.data import ReportData
from tracking.report.html_page import render


def report(**fields):
    return ReportData(**{"created_at": 0.0, "experiment": "e", "database": "e.db", **fields})


def data_in(html):
    return re.search(r'<script type="application/json" id="report-data">(.*?)</script>', html)[1]


@given(st.text())
def test_any_text_arrives_as_it_was_and_ends_no_element(text):
    data = report(experiment=text, problems=[text])
    embedded = data_in(render(data))
    assert not set(embedded) & set("<>&\u2028\u2029")
    assert json_report.load(embedded) == json_report.load(json_report.dump(data))


@pytest.mark.parametrize("text", ["</script><script>alert(1)</script>", "<!--<script>", "\ud800"])
def test_markup_in_names_is_no_markup(text):
    html = render(report(experiment=text, problems=[text]))
    html.encode()
    assert json.loads(data_in(html))["problems"] == [text]
    assert len(re.findall("<script", html.partition('id="report-data"')[0])) == 1


def test_only_the_pages_own_script_and_style_are_allowed():
    html = render(report())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert "unsafe" not in policy
    for directive, tag in (("script-src", "script"), ("style-src", "style")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{digest}'"


def test_a_document_is_whole_and_loads_nothing():
    html = render(report())
    assert html.startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")
    head = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="([^"]*)"', head) == ["data:,"]
