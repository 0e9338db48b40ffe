"""The list of tests: what it shows, and how it is searched, sorted and walked."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tracking.report.data import ReportData

SHOWN = "[...document.querySelectorAll('a.test-link .own')].map((one) => one.textContent)"


def shown(page):
    return page.evaluate(SHOWN)


def opened(page):
    return page.evaluate("document.querySelector('#test-title')?.lastChild.textContent ?? null")


@pytest.fixture
def page(open_page, session_report):
    """The report of a session."""
    return open_page(session_report)


def test_the_page_says_what_session_it_is_and_how_it_went(page, session_report):
    assert page.title() == "pytest · sg-track"
    header = page.locator(".page-header").inner_text()
    for text in ("2 failed", "1 warned", "1 to look at", "6 passed", "of 10 tests"):
        assert text in header
    assert "1 test died with the process" in header
    assert "tests/test_native.py::test_kernel crashed; loss 0.31 at step 12" in header
    assert session_report.problems[0] in header
    page.locator(".session summary").click()
    session = page.locator(".session").inner_text()
    for text in ("sgtrack accept tests", "test_new.json 2 entries", "test_gone, test_moved"):
        assert text in session


def test_the_worst_stands_first(page, session_report):
    names = [test.nodeid.partition("::")[2] for test in session_report.by_severity()]
    assert shown(page) == names


def test_the_filter_finds_words_of_names_verdicts_and_messages(page, session_report):
    page.keyboard.press("/")
    page.keyboard.type("optim LINEAR")
    assert sorted(shown(page)) == ["test_adam[linear]", "test_sgd[linear]"]
    assert page.locator(".list-status").inner_text() == "2 of 10"
    page.locator("input[type=search]").fill(session_report.tests[0].message)
    assert shown(page) == ["TestTiny::test_converges[adam-1e-3]"]
    page.locator("input[type=search]").fill("no_baseline")
    assert shown(page) == ["test_pipeline[webdataset-4]"]
    page.locator("input[type=search]").fill("nothing is called this")
    assert shown(page) == []
    assert page.locator(".empty").inner_text() == "No test is like that."
    page.keyboard.press("Escape")
    assert len(shown(page)) == 10


def test_verdicts_are_filters_that_add_up(page):
    chip = page.locator(".chip", has_text="identical")
    chip.click()
    assert len(shown(page)) == 2
    assert chip.get_attribute("aria-pressed") == "true"
    page.locator(".chip", has_text="improved").click()
    assert len(shown(page)) == 3
    chip.click()
    assert shown(page) == ["test_lion[cosine]"]


def by_change(test):
    (check, *_) = test.checks
    return abs(check.current / check.baseline - 1)


@pytest.mark.parametrize(
    ("column", "key", "is_descending"),
    [
        ("Test", lambda test: test.nodeid, False),
        ("Change", by_change, True),
        ("Time", lambda test: test.run.duration_s, True),
    ],
)
def test_columns_sort_both_ways(page, session_report, column, key, is_descending):
    tests = sorted(session_report.tests, key=key, reverse=is_descending)
    names = [test.nodeid.partition("::")[2] for test in tests]
    head = page.locator("th", has_text=column)
    for expected, order in ((names, is_descending), (names[::-1], not is_descending)):
        head.get_by_role("button").click()
        assert shown(page) == expected
        assert head.get_attribute("aria-sort") == ("descending" if order else "ascending")


def test_the_keyboard_reaches_every_test(page):
    names = shown(page)
    page.keyboard.press("j")
    focused = "document.activeElement.querySelector('.own')?.textContent"
    assert page.evaluate(focused) == names[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate(focused) == names[1]
    page.keyboard.press("Enter")
    assert opened(page) == names[1]
    assert page.evaluate("document.activeElement.id") == "test-title"
    page.keyboard.press("j")
    assert opened(page) == names[2]
    page.keyboard.press("Escape")
    assert opened(page) is None
    assert page.evaluate(focused) == names[2]


@pytest.mark.parametrize("width", [380, 1440])
def test_buttons_walk_from_test_to_test_and_keep_the_focus(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    names = shown(page)
    page.locator("a.test-link").first.click()
    following = page.get_by_role("button", name="Next test")
    following.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert opened(page) == names[2]
    assert following.evaluate("(button) => button === document.activeElement")
    page.get_by_role("button", name="Previous test").click()
    assert opened(page) == names[1]
    page.get_by_role("button", name="Close test").click()
    assert opened(page) is None


def test_help_lists_the_keys_and_escape_closes_it(page):
    page.keyboard.press("?")
    assert page.locator("dialog[open]").inner_text().startswith("Keys")
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.className") != "test-link"


def test_an_address_leads_to_a_test_and_the_back_button_from_it(open_page, session_report):
    nodeid = session_report.tests[3].nodeid
    page = open_page(session_report, f"test={quote(nodeid)}&q=optim&sort=test&smooth=0.5")
    assert opened(page) == "test_lion[cosine]"
    assert page.locator("#smoothing").input_value() == "0.5"
    assert shown(page)[0] == "test_adam[cosine]"
    page.locator("a.test-link", has_text="test_sgd[linear]").click()
    assert opened(page) == "test_sgd[linear]"
    assert quote("test_sgd[linear]") in page.url
    page.go_back()
    assert opened(page) == "test_lion[cosine]"


def test_an_address_of_no_test_says_so(open_page, session_report):
    page = open_page(session_report, "test=nobody")
    assert page.locator(".missing").inner_text() == "This report has no test of that name."
    assert len(shown(page)) == 10


def test_an_empty_report_says_that_nothing_was_compared(open_page):
    page = open_page(ReportData(created_at=0, experiment="e", database="e.db"))
    assert page.locator(".empty").inner_text() == "No test was compared in this session."
    assert page.locator(".chip").count() == 0
    page.keyboard.press("j")


def test_five_hundred_tests_of_five_metrics_open_fast(open_page, many_tests):
    page = open_page(many_tests)
    assert len(shown(page)) == 500
    assert page.evaluate("performance.getEntriesByName('sgtrack:list')[0].startTime") < 3_000
    page.locator("a.test-link").nth(250).click()
    assert page.locator(".metric").count() == 5
    page.locator(".metric canvas").first.wait_for()
