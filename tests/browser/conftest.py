"""The HTML report in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tracking.model import Direction, Verdict
from tracking.regression import Check
from tracking.report.curve import band_of, downsample
from tracking.report.data import (
    Change,
    Curve,
    Death,
    Histogram,
    Image,
    MetricDetails,
    PastValue,
    ReportData,
    RunDetails,
    TestReport,
    Text,
)
from tracking.report.html_page import render
from tracking.summary import summarize

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "tracking" / "report" / "page"
AXE = PAGE / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM_ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DEADLINE_MS = 5_000


@pytest.hookimpl(tryfirst=True)  # before -m looks
def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def bundler():
    """hatch_build.py, which makes the bundle and knows whether it is current."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def _bundle_is_current(bundler):
    if not bundler.is_current(PAGE):
        pytest.fail(
            f"{PAGE / 'dist'} is not made from the sources beside it as they are;"
            " `python hatch_build.py` makes it anew",
            pytrace=False,
        )


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests of a process."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is not there; `apt-get install chromium` installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


class Window:
    """A page of the browser, and what it complained of or asked a network for."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(DEADLINE_MS)
        self.page = self.context.new_page()
        self.troubles = []
        for event, text_of in (
            ("console", lambda said: said.text if is_bad(said) else None),
            ("pageerror", str),
            ("request", lambda request: request.url if is_foreign(request.url) else None),
        ):
            self.page.on(event, lambda what, text_of=text_of: self._note(text_of(what)))
        self.page.on("dialog", self._refuse)

    def _refuse(self, dialog):
        self._note(f"a script asked: {dialog.message}")
        dialog.dismiss()

    def _note(self, text):
        if text is not None:
            self.troubles.append(text)


@pytest.fixture(scope="session")
def shared_window(browser):
    """The window of all tests that ask for nothing special: a new one takes a while."""
    return Window(browser)


@pytest.fixture
def make_window(browser):
    """Opens windows of their own; takes the options of a browser context."""
    return lambda **options: Window(browser, **options)


@pytest.fixture
def open_page(browser, shared_window, tmp_path):
    """Opens reports, or documents, from disk; whatever a page complains of or asks a network for is
    an error.

    Options of a browser context give a window of its own.
    """
    windows = []

    def open_page(data, fragment="", *, width=1440, before=None, **options):
        path = tmp_path / f"report-{len(windows)}.html"
        path.write_text(data if isinstance(data, str) else render(data), encoding="utf-8")
        window = Window(browser, **options) if options or before else shared_window
        windows.append(window)
        if before:
            window.page.add_init_script(before)
        window.page.set_viewport_size({"width": width, "height": 900})
        window.page.mouse.move(0, 0)
        window.page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        return window.page

    yield open_page
    troubles = [trouble for window in windows for trouble in window.troubles]
    shared_window.troubles.clear()
    for window in windows:
        if window is not shared_window:
            window.context.close()
    assert troubles == []


def is_bad(said):
    return said.type in ("error", "warning")


def is_foreign(url):
    return not url.startswith(("file:", "data:"))


@pytest.fixture(scope="session")
def serious_findings():
    """Asks axe what on a page keeps some readers out."""
    if not AXE.exists():
        pytest.fail(f"{AXE} is missing; `python hatch_build.py` installs it", pytrace=False)
    code = AXE.read_text(encoding="utf-8")

    def serious_findings(page):
        page.evaluate(code)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        return [
            f"{one['id']}: {node['html'][:200]} {node.get('failureSummary')}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"][:3]
        ]

    return serious_findings


# Samples


@pytest.fixture(scope="session")
def metric():
    """Makes a metric with all that belongs to it."""
    return make_metric


@pytest.fixture(scope="session")
def make_test():
    """Makes a test with its run."""
    return make_test_report


@pytest.fixture(scope="session")
def make_run():
    """Makes what an experiment holds of a test."""
    return make_run_details


@pytest.fixture(scope="session")
def check_of():
    """Makes a check of a metric."""
    return make_check


@pytest.fixture(scope="session")
def make_graph():
    """Makes a graph of so many layers."""
    return make_graph_data


@pytest.fixture(scope="session")
def transformer():
    """The graph of a transformer of two layers, captured from PyTorch."""
    return json.loads((ROOT / "tests/assets/graph_transformer.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def many_tests():
    """500 tests of 5 metrics each."""
    names = ("loss", "accuracy", "lr", "grad_norm", "time")
    metrics = [make_metric(name, n_max=24, n_history=3, seed=k) for k, name in enumerate(names)]
    checks = [make_check(metric) for metric in metrics]
    tests = [
        make_test_report(
            f"tests/test_many.py::test_{k:03}",
            checks=checks,
            run=make_run_details(k, metrics=metrics),
        )
        for k in range(500)
    ]
    return ReportData(created_at=0, experiment="e", database="e.db", tests=tests)


@pytest.fixture(scope="session")
def session_report():
    """A session as there are many: some tests red, most green, everything used somewhere."""
    return make_session()


def series(seed, n=160, *, start=2.3, floor=0.12, noise=0.06):
    random = np.random.default_rng(seed)
    steps = np.arange(n)
    return (
        floor
        + start * np.exp(-steps / (n / 6))
        + noise * random.normal(size=n) * np.exp(-steps / n)
    )


def make_metric(
    name="loss",
    *,
    values=None,
    n_accepted=4,
    direction=Direction.LOWER,
    is_worse=False,
    n_max=2_000,
    n_history=14,
    seed=0,
):
    values = series(seed, floor=0.32 if is_worse else 0.12) if values is None else np.array(values)
    steps = list(range(len(values)))
    accepted = [series(seed + 1 + k, len(values)) for k in range(n_accepted)]
    if direction is Direction.HIGHER:
        values, accepted = 1 - values / 3, [1 - one / 3 for one in accepted]
    baseline = [(k, summarize(steps, list(map(float, one)))) for k, one in enumerate(accepted)]
    random = np.random.default_rng(seed)
    summary = summarize(steps, list(map(float, values)))
    usual = baseline[0][1].tail if baseline else summary.tail or 0.0
    history = [
        PastValue(
            run_id=k + 1,
            created_at=1.7e9 + 86_400 * k,
            value=float(usual + 0.012 * random.normal()),
            verdict="improved" if k == 5 else "within",
            commit=f"{k:040x}",
            is_accepted=k % 4 == 1,
        )
        for k in range(n_history)
    ]
    history.append(
        PastValue(
            n_history + 1,
            1.7e9 + 86_400 * n_history,
            summary.tail,
            "regressed" if is_worse else "within",
            "f" * 40,
            is_accepted=False,
        )
    )
    return MetricDetails(
        name,
        direction,
        summary,
        baseline,
        downsample(steps, list(map(float, values)), n_max),
        band_of([Curve(len(one), steps, list(map(float, one))) for one in accepted], n_max),
        history,
    )


def make_check(metric, statistic="tail", verdict=Verdict.WITHIN, **changes):
    median = float(np.median([getattr(summary, statistic) for _, summary in metric.baseline]))
    current = getattr(metric.summary, statistic)
    message = ""
    if verdict not in (Verdict.WITHIN, Verdict.IDENTICAL):
        message = (
            f"{metric.name}: {statistic} went from {median:.6g} to {current:.6g}"
            f" ({(current / median - 1) * 100:+.3g} %); lower is better, allowance 0.05"
        )
    check = Check(metric.name, statistic, verdict, median, current, 0.05, message, 0.05)
    return replace(check, **changes)


def make_run_details(run_id=1, **changes):
    run = RunDetails(
        run_id=run_id,
        uuid=f"{run_id:032x}",
        created_at=1.7e9,
        status="completed",
        outcome="passed",
        phase="call",
        ended_by="finished",
        duration_s=1.24,
        config={"lr": 0.1, "optimizer": {"name": "adam", "beta": 0.9}, "batch": 32},
        environment={"python": "3.11.9", "numpy": "2.1.0", "git_commit": "f" * 40},
    )
    return replace(run, **changes)


def make_test_report(
    nodeid="tests/test_train.py::test_it", verdict=Verdict.WITHIN, action="pass", **changes
):
    report = TestReport(
        nodeid,
        verdict,
        action,
        file=nodeid.partition("::")[0],
        line=12,
        baseline="tests/__baselines__/test_train.json",
        key=nodeid.partition("::")[2],
        n_samples=4,
    )
    return replace(report, **changes)


def png(pixels):
    """Return an array of shape (height, width, 3), uint8, as a PNG file."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind, content):
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def make_image(name, step):
    y, x = np.mgrid[0:16, 0:16]
    red = 127 + 120 * np.sin((x + step) / 3)
    blue = 127 + 120 * np.cos((y - step) / 4)
    pixels = np.stack([red, (x * y) % 256, blue], axis=-1).astype(np.uint8)
    return Image(name, step, 16, 16, png(pixels))


def make_histogram(name, step):
    random = np.random.default_rng(step)
    counts, edges = np.histogram(random.normal(step / 400, 1 + step / 300, 4_000), bins=30)
    return Histogram(name, step, edges.tolist(), counts.tolist(), n_non_finite=step // 200)


def make_graph_data(n_layers=3):
    nodes, edges = [], []

    def tensor(ident, label, shape, **flags):
        nodes.append({"id": ident, "type": "tensor", "label": label, "shape": shape, **flags})
        return ident

    last = tensor("t0", "x", [32, 64], comp_grad=False, is_leaf=True)
    for k in range(n_layers):
        weight = tensor(f"w{k}", f"weight{k}", [64, 64], comp_grad=True, is_leaf=True)
        nodes.append({"id": f"o{k}", "type": "operation", "label": "matmul" if k % 2 else "relu"})
        result = tensor(f"t{k + 1}", "", [32, 64], comp_grad=True, is_leaf=False)
        edges.append({"source": last, "target": f"o{k}", "port": 0})
        edges.append({"source": weight, "target": f"o{k}", "port": 1})
        edges.append({"source": f"o{k}", "target": result})
        last = result
    return {"format": 1, "inputs_ordered": True, "nodes": nodes, "edges": edges}


def make_red_test():
    loss = make_metric(is_worse=True)
    accuracy = make_metric("val/accuracy", direction=Direction.HIGHER, seed=20)
    values = list(series(40))
    values[50:55] = [math.nan] * 5
    values[120], values[130] = math.inf, -math.inf
    norm = make_metric("grad_norm", values=values, direction=Direction.BOTH, seed=40)
    metrics = [loss, norm, accuracy]
    nodeid = "tests/models/test_transformer.py::TestTiny::test_converges[adam-1e-3]"
    regressed = make_check(loss, verdict=Verdict.REGRESSED)
    return make_test_report(
        nodeid,
        Verdict.REGRESSED,
        "fail",
        checks=[
            regressed,
            make_check(loss, "mean", Verdict.REGRESSED),
            Check("grad_norm", "n_nan", Verdict.WITHIN, 5, 5, 0, ""),
            make_check(norm),
            make_check(accuracy, "last"),
        ],
        notes=["the seed of this run is one that the baseline has"],
        accept_command=f"sgtrack accept '{nodeid}'",
        run=make_run_details(
            42,
            outcome="failed",
            metrics=metrics,
            config_changes=[
                Change("lr", 0.05, 0.1),
                replace(Change("optimizer.beta", None, 0.9)),
            ],
            environment_changes=[Change("numpy", "2.0.1", "2.1.0")],
            histograms=[make_histogram("weights", step) for step in (0, 100, 200, 300, 400)],
            images=[make_image(f"filter{k}", step) for k in range(3) for step in (0, 200)],
            texts=[Text("sample", 400, "the quick brown fox\n  jumps over\nthe lazy dog")],
            graphs=[make_graph_data()],
            left_out=["2 of 5 images: a report has room for 3 of a test"],
        ),
    )


def make_session():
    tests = [make_red_test()]
    for k, (name, verdict, action) in enumerate(
        [
            ("test_resnet.py::test_overfits_one_batch", Verdict.BOUND_FAILED, "fail"),
            ("test_data.py::test_pipeline[webdataset-4]", Verdict.NO_BASELINE, "warn"),
            ("test_optim.py::test_lion[cosine]", Verdict.IMPROVED, "show"),
            ("test_optim.py::test_adam[cosine]", Verdict.WITHIN, "pass"),
            ("test_optim.py::test_adam[linear]", Verdict.WITHIN, "pass"),
            ("test_optim.py::test_sgd[cosine]", Verdict.IDENTICAL, "pass"),
            ("test_optim.py::test_sgd[linear]", Verdict.WITHIN, "pass"),
            ("test_layers.py::TestAttention::test_gradients", Verdict.WITHIN, "pass"),
            ("test_layers.py::TestNorm::test_gradients", Verdict.IDENTICAL, "pass"),
        ]
    ):
        loss = make_metric(seed=100 * (k + 1), n_max=200)
        tests.append(
            make_test_report(
                f"tests/{name}",
                verdict,
                action,
                checks=[make_check(loss, verdict=verdict)],
                accept_command="" if action == "pass" else f"sgtrack accept tests/{name}",
                run=make_run_details(50 + k, duration_s=0.3 * k + 0.08, metrics=[loss]),
            )
        )
    return ReportData(
        created_at=1.76e9,
        experiment="pytest",
        database="experiments/pytest.db",
        session="0123456789abcdef",
        environment={"python": "3.11.9", "platform": "Linux", "git_dirty": False},
        tests=tests,
        deaths=[Death("tests/test_native.py::test_kernel", "crashed", "loss 0.31 at step 12")],
        problems=["tests/test_old.py: 1 run was recorded incompletely and not compared"],
        written={"tests/__baselines__/test_new.json": 2},
        unused={"tests/__baselines__/test_old.json": ["test_gone", "test_moved"]},
        suggestions=[("to accept what changed", "sgtrack accept tests")],
    )
