"""The dashboard of a store, in a real browser, in front of a real server."""

from __future__ import annotations

import shutil
import threading

import pytest

from tests.postgres.filling import bring
from tests.postgres.reading.conftest import world
from tests.postgres.server import PASSWORD, Server
from tracking import Tracker

pytest.importorskip("uvicorn", reason="the extra board is not installed")
from tracking.board.server import Server as BoardServer
from tracking.board.server import Settings
from tracking.board.store import Store
from tracking.postgres.address import Address

__all__ = ["world"]


@pytest.fixture
def mortal(world, tmp_path):
    """A server that may be killed, the URL of its store, and the folder that its runs came from."""
    server = Server(synchronous_commit="on")
    folder = shutil.copytree(world.root / "experiments", tmp_path / "experiments")
    url = server.database()
    bring(folder / "pytest.db", url, at_once=1)
    yield server, url, folder
    server.stop()


@pytest.fixture
def address(mortal):
    """Where the dashboard of the store is."""
    _, url, folder = mortal
    board = BoardServer(Settings(Store(Address(url), folder), port=0))
    thread = threading.Thread(target=board.serve)
    thread.start()
    yield board.addresses()[0]
    board.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_a_store_is_looked_at_and_goes_on_after_its_server_was_away(
    mortal, address, make_window, until
):
    server, url, folder = mortal
    window = make_window()
    page = window.page
    page.goto(address)
    page.locator(".run-link").first.wait_for()
    numbers = page.locator("tbody .run-number")
    assert numbers.all_inner_texts() == [str(number) for number in range(11, 0, -1)]
    assert page.title() == "pytest · sg-track board"
    assert page.get_by_text("read only").is_visible()

    page.locator(".run-link").last.click()
    page.get_by_role("heading", name="loss").first.wait_for()
    page.locator(".plot, canvas, svg").first.wait_for()
    page.get_by_role("link", name="Graphs").first.click()
    page.locator(".graph-of-run").first.wait_for()
    page.get_by_role("link", name="Media").first.click()
    page.get_by_text("line 2").first.wait_for()
    page.get_by_role("link", name="History").first.click()
    page.goto(f"{address}#view=runs")

    tracker = Tracker(folder)
    tracker.set_experiment("pytest")
    with tracker.run("came later"):
        tracker.record("loss", 1.0, 0)
    tracker.close()
    bring(folder / "pytest.db", url)
    page.locator(".run-link", has_text="came later").wait_for()

    server.kill()
    page.get_by_text("cannot be read at the moment").wait_for()
    server.start()
    page.get_by_text("cannot be read at the moment").wait_for(state="detached")
    assert page.locator(".trouble").count() == 0
    assert PASSWORD not in page.content()
    window.context.close()


def test_a_dashboard_that_is_opened_while_the_server_is_away_waits_for_it(
    mortal, address, make_window
):
    server, _, _ = mortal
    server.kill()
    window = make_window()
    page = window.page
    page.goto(address)
    page.get_by_text("the server of the store does not answer").first.wait_for()
    server.start()
    page.locator(".run-link").first.wait_for(timeout=15_000)
    assert page.locator(".trouble").count() == 0
    window.context.close()
