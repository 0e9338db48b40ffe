"""The table of runs and the list beside the views."""

from __future__ import annotations


def test_the_first_experiment_is_shown_and_its_runs(open_board, board):
    for k in range(12):
        board.add(f"tests/test_it.py::test_{k}")
    page = open_board()
    page.locator(".run-link").first.wait_for()
    names = page.locator(".run-link .own").all_inner_texts()
    assert names == [f"tests/test_it.py::test_{k}" for k in range(11, -1, -1)]
    assert page.title() == "pytest · sg-track board"
    assert page.locator(".connection").inner_text() == "live"
