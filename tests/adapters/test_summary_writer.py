"""SummaryWriter records what the real ones write."""

from __future__ import annotations

import base64
import inspect
import io
import math
import struct
import warnings
from collections import defaultdict
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import InvalidArgumentError, NoActiveRunError, SummaryWriter, TrackingWarning

frameworks = pytest.mark.frameworks

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)  # height, width, channels


@pytest.fixture
def writer(tracker):
    return SummaryWriter(tracker)


@pytest.fixture
def stored(tracker):
    """Give what a run has of a kind as (name, step, row), by step."""

    def stored(kind):
        found = getattr(tracker.db_manager, f"get_{kind}")(tracker.current_run_id)
        return [(name, row["step"], row) for name, rows in found.items() for row in rows]

    return stored


@pytest.fixture
def images(stored):
    """Give the images of a run as arrays."""

    def images():
        return [
            np.frombuffer(base64.b64decode(row["data_b64"]), np.uint8).reshape(
                row["height"], row["width"], -1
            )
            for _, _, row in stored("images")
        ]

    return images


# Scalars


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (1, 1.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.array([[2.5]]), 2.5),
        (-math.inf, -math.inf),
    ],
    ids=repr,
)
def test_a_scalar_is_a_metric_of_its_tag(value, recorded, writer, tracker):
    writer.add_scalar("train/loss", value, 3)
    assert tracker.series("train/loss") == [(3, recorded)]


def test_nan_is_recorded(writer, tracker):
    writer.add_scalar("loss", math.nan)
    assert tracker.summary()["loss"]["n_nan"] == 1


def test_several_scalars_are_metrics_below_their_tag(writer, tracker):
    writer.add_scalars("loss", {"train": 1.0, "valid": 2.0}, 5)
    assert tracker.series("loss/train") == [(5, 1.0)]
    assert tracker.series("loss/valid") == [(5, 2.0)]


@pytest.mark.parametrize(
    ("global_step", "step"),
    [(2, 2), (2.9, 2), (np.int64(7), 7), (np.float32(3), 3), (np.array(4), 4), ("5", 5), (-1, -1)],
    ids=repr,
)
def test_a_step_becomes_an_int(global_step, step, writer, tracker):
    writer.add_scalar("x", 1.0, global_step)
    assert tracker.series("x") == [(step, 1.0)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(-5, 5)), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_without_a_step_entries_go_on_from_the_last_of_their_tag(tracker, calls):
    with tracker.run():
        writer, expected = SummaryWriter(tracker), defaultdict(list)
        for tag, step in calls:
            last = expected[tag][-1] if expected[tag] else -1
            expected[tag].append(last + 1 if step is None else step)
            writer.add_scalar(tag, 0.0, step)
        for tag, steps in expected.items():
            assert [step for step, _ in tracker.series(tag)] == sorted(steps)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda w: w.add_scalar("x", "0.5"), "scalar_value"),
        (lambda w: w.add_scalar("x", np.ones(2)), "scalar_value"),
        (lambda w: w.add_scalar("", 1.0), "tag"),
        (lambda w: w.add_scalar("x", 1.0, "one"), "global_step"),
        (lambda w: w.add_scalar("x", 1.0, math.nan), "global_step"),
        (lambda w: w.add_scalar("x", 1.0, 2**63), "global_step"),
        (lambda w: w.add_histogram("x", "text"), "values"),
        (lambda w: w.add_histogram("x", [1.0], bins="nonsense"), "bins"),
        (lambda w: w.add_histogram("x", [1.0], bins=0), "bins"),
        (lambda w: w.add_image("x", PIXELS, dataformats="HWX"), "dataformats"),
        (lambda w: w.add_image("x", PIXELS, dataformats="HW"), "img_tensor"),
        (lambda w: w.add_image("x", np.ones((5, 2, 2))), "img_tensor"),
        (lambda w: w.add_images("x", [PIXELS, PIXELS[:1]], dataformats="NHWC"), "img_tensor"),
        (lambda w: w.add_text("x", 5), "text_string"),
        (lambda w: w.add_text("", "five"), "tag"),
        (lambda w: w.add_hparams({"\udc80": 1}, {}), "hparam_dict"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_does_not_count(call, argument, writer, tracker):
    with pytest.raises(InvalidArgumentError) as caught:
        call(writer)
    assert caught.value.argument == argument
    writer.add_scalar("x", 1.0)
    assert tracker.series("x") == [(0, 1.0)]


def test_without_an_active_run_nothing_can_be_added(tracker):
    tracker.end_run()
    with pytest.raises(NoActiveRunError):
        SummaryWriter(tracker).add_scalar("x", 1.0)


# Everything else


@pytest.mark.parametrize(
    ("how", "n_buckets"),
    [
        ({}, 30),
        ({"bins": 7}, 7),
        ({"bins": np.int64(7)}, 7),
        ({"bins": "sturges"}, 7),  # log2(50) + 1, rounded up
        ({"bins": [0.0, 10.0, 50.0]}, 2),
        ({"bins": np.linspace(0, 50, 6)}, 5),
        ({"max_bins": 4}, 4),
        ({"bins": 3, "max_bins": 4}, 3),
    ],
    ids=str,
)
def test_a_histogram_has_the_buckets_asked_for(how, n_buckets, writer, stored):
    writer.add_histogram("w", np.arange(50.0), 2, **how)
    ((name, step, row),) = stored("histograms")
    assert (name, step) == ("w", 2)
    assert len(row["bucket_counts"]) == n_buckets
    assert sum(row["bucket_counts"]) == 50


def test_a_rule_for_buckets_leaves_out_what_is_not_finite(writer, stored):
    writer.add_histogram("w", [1.0, 2.0, math.nan, math.inf], bins="auto")
    ((_, _, row),) = stored("histograms")
    assert sum(row["bucket_counts"]) == 2


@pytest.mark.parametrize("dataformats", ["CHW", "HWC", "WHC", "cwh"])
def test_the_axes_of_an_image_may_come_in_any_order(dataformats, writer, images, stored):
    order = ["HWC".index(letter) for letter in dataformats.upper()]
    writer.add_image("i", PIXELS.transpose(order), 4, dataformats=dataformats)
    assert (images()[0] == PIXELS).all()
    assert stored("images")[0][:2] == ("i", 4)


def test_an_image_without_channels_is_gray(writer, images):
    writer.add_image("i", PIXELS[:, :, 0] / 255, dataformats="HW")
    assert (images()[0] == PIXELS[:, :, :1]).all()


@pytest.mark.parametrize(("n_images", "shape"), [(1, (2, 3)), (8, (2, 24)), (11, (4, 24))])
def test_several_images_are_laid_out_in_rows_of_eight(n_images, shape, writer, images):
    batch = np.stack([PIXELS + number for number in range(n_images)])
    writer.add_images("i", batch, dataformats="NHWC")
    writer.add_images("i", list(batch.transpose(0, 3, 1, 2)))
    grid, from_list = images()
    assert grid.shape == (*shape, 3)
    assert (grid == from_list).all()
    assert (grid[:2, :3] == PIXELS).all()
    row, column = divmod(n_images - 1, 8)
    last = grid[2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
    assert (last == PIXELS + n_images - 1).all()


def test_texts_are_counted_by_tag(writer, stored):
    for text in ("a", "b"):
        writer.add_text("t", text)
    writer.add_text("other", "c", 9)
    assert sorted((name, step, row["content"]) for name, step, row in stored("texts")) == [
        ("other", 9, "c"),
        ("t", 0, "a"),
        ("t", 1, "b"),
    ]


def test_hyper_parameters_go_into_the_config_and_their_metrics_into_the_run(writer, tracker):
    writer.add_hparams({"lr": 0.1, "act": math.tanh}, {"hparam/loss": 0.5}, name="today")
    assert tracker.params() == {"lr": 0.1, "act": "tanh"}
    assert tracker.series("hparam/loss") == [(0, 0.5)]
    assert len(tracker.get_all_runs()) == 1


@pytest.mark.parametrize(
    "arguments", [(None, None, 7), (None, "name", 7), ("name", 7)], ids=["torch", "run", "X"]
)
def test_the_step_of_hyper_parameters_is_where_either_of_the_real_ones_has_it(
    arguments, writer, tracker
):
    writer.add_hparams({}, {"loss": 0.5}, *arguments)
    assert tracker.series("loss") == [(7, 0.5)]


def seed_style(**attributes):
    return SimpleNamespace(
        **{"label": "x", "shape": (1,), "comp_grad": True, "is_leaf": True, "oper": None}
        | {"prev": ()}
        | attributes
    )


def test_a_graph_that_can_be_captured_is_stored(writer, tracker):
    writer.add_graph(seed_style(oper="+", is_leaf=False, prev=[seed_style(), seed_style()]))
    (graph,) = tracker.get_comp_graphs(tracker.current_run_id)
    assert len(graph["graph"]["nodes"]) == 4


def test_a_graph_that_cannot_be_captured_is_warned_of_once(writer, tracker):
    with pytest.warns(TrackingWarning, match=r"^add_graph: no graph is stored of a list") as caught:
        writer.add_graph([], "input")
    assert len(caught) == 1
    writer.add_graph([], "input")  # a second warning would be an error here
    assert tracker.get_comp_graphs(tracker.current_run_id) == []


@pytest.mark.parametrize("name", ["add_video", "add_pr_curve", "log_dir", "nonsense"])
def test_what_is_not_supported_says_what_is(name, writer):
    assert not hasattr(writer, name)
    with pytest.raises(AttributeError, match=rf"no {name}; it has add_scalar, .*close") as caught:
        getattr(writer, name)
    assert (caught.value.name, caught.value.obj) == (name, writer)
    assert "_step" not in str(caught.value)


def test_a_closed_writer_goes_on_as_the_real_ones_do(writer, tracker):
    with writer as entered:
        assert entered is writer
    writer.close()
    writer.flush()
    writer.add_scalar("x", 1.0)
    assert tracker.series("x") == [(0, 1.0)]


# Under pytest

TRAINING = """
    import os

    def train(writer):
        for step in range(5):
            writer.add_scalar("train/loss", float(os.environ.get("LOSS", "1")), step)
        writer.close()

    def test_train(sg_summary_writer{more}):
        train(sg_summary_writer)
"""


@pytest.fixture
def pytest_in(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)

    def run(*arguments, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return pytester.runpytest_subprocess("-Werror", "-p", "sgtrack", *arguments)

    return run


def test_what_the_fixtures_writer_is_given_is_gated(pytester, pytest_in):
    pytester.makepyfile(TRAINING.format(more=""))
    pytest_in("--sg-track", "--sg-track-update=new").assert_outcomes(passed=1)
    pytest_in("--sg-track").assert_outcomes(passed=1)
    worse = pytest_in("--sg-track", LOSS="2")
    worse.assert_outcomes(failed=1)
    worse.stdout.fnmatch_lines("*train/loss*regressed*")


def test_the_fixture_works_with_tracking_off_and_records_into_the_tests_own_run(
    pytester, pytest_in
):
    text = TRAINING.format(more=", tracker")
    pytester.makepyfile(text + '        assert tracker.summary()["train/loss"]["n"] == 5\n')
    pytest_in().assert_outcomes(passed=1)
    pytest_in("--sg-track").assert_outcomes(passed=1)


# Against the real ones


@pytest.fixture(params=["tensorboardX", "torch.utils.tensorboard"])
def real(request):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return import_module(request.param)


def written(folder):
    """Return what event files have, by tag and folder: frames of length, CRC, event, CRC."""
    from tensorboardX.proto.event_pb2 import Event

    series = defaultdict(list)
    for file in sorted(folder.rglob("events.out.*")):
        content, position = file.read_bytes(), 0
        while position < len(content):
            (length,) = struct.unpack_from("<Q", content, position)
            event = Event.FromString(content[position + 12 : position + 12 + length])
            position += length + 16
            for value in event.summary.value:
                below = file.parent.relative_to(folder).name
                series[value.tag, below].append((event.step, value))
    return series


def train(writer):
    """Train a line as existing code does, writing on the way."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    weight, offset = 0.0, 1.0
    for step in range(20):
        error = weight * x + offset - 3 * x
        weight -= 0.1 * (error * x).mean()
        offset -= 0.1 * error.mean()
        writer.add_scalar("train/loss", (error**2).mean(), step)
        writer.add_scalar("train/mae", np.abs(error).mean(keepdims=True), global_step=step)
        writer.add_scalars("weights", {"weight": weight, "offset": np.float32(offset)}, step)
        if step % 5 == 0:
            writer.add_scalar("eval/ok", bool(weight > 1), float(step), walltime=1.0)
            writer.add_image("error", np.abs(error[:12]).reshape(3, 2, 2) / 5, step)
    writer.add_scalar("nan", math.nan, 20)
    writer.flush()
    writer.close()


@frameworks
@pytest.mark.filterwarnings("default")
def test_the_same_training_records_the_scalars_and_images_that_the_real_one_writes(
    real, writer, tracker, images, tmp_path
):
    from PIL import Image

    folder = tmp_path / "runs"
    train(real.SummaryWriter(str(folder)))
    train(writer)
    pictures, metrics = [], set()
    for (tag, below), entries in written(folder).items():
        if tag == "error":
            pictures = [
                np.asarray(Image.open(io.BytesIO(value.image.encoded_image_string)))
                for _, value in entries
            ]
            continue
        # Theirs keep the key of several scalars in the name of a folder.
        metric = f"{tag}/{below.removeprefix(f'{tag}_')}" if tag == "weights" else tag
        metrics.add(metric)
        expected = [(step, value.simple_value) for step, value in entries]
        ours = [(step, np.float32(value).item()) for step, value in tracker.series(metric)]
        np.testing.assert_array_equal(ours, expected, err_msg=metric)
    assert tracker.metrics() == metrics
    assert len(metrics) == 6
    assert len(pictures) == 4
    np.testing.assert_array_equal(images(), pictures)


@frameworks
def test_every_argument_of_the_real_ones_fits_in_its_place(real):
    theirs = real.SummaryWriter
    ours = [name for name in vars(SummaryWriter) if not name.startswith("_")]
    for name in ours:
        taken = list(inspect.signature(getattr(SummaryWriter, name)).parameters.values())
        for place, given_to in enumerate(inspect.signature(getattr(theirs, name)).parameters):
            if given_to == "kwargs" or (name, given_to, place) == ("add_hparams", "global_step", 4):
                continue
            by_name = [parameter for parameter in taken if parameter.name == given_to]
            assert by_name, (name, given_to)
            if by_name[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
                assert taken.index(by_name[0]) == place, (name, given_to)


@frameworks
@pytest.mark.filterwarnings("default")
def test_figures_of_matplotlib_are_images(writer, images):
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figures = [plt.figure(figsize=(2, 1), dpi=50, facecolor=color) for color in ("red", "lime")]
    writer.add_figure("one", figures[0], close=False)
    assert len(plt.get_fignums()) == 2
    writer.add_figure("both", figures)
    one, both = images()
    assert one.shape == (50, 100, 3)
    assert (one[0, 0] == [255, 0, 0]).all()
    assert both.shape == (50, 200, 3)
    assert (both[0, 150] == [0, 255, 0]).all()
    assert plt.get_fignums() == []


@frameworks
def test_tensors_and_modules_of_torch_are_taken(writer, tracker, images, stored):
    import torch

    layer = torch.nn.Linear(3, 2).bfloat16()
    writer.add_scalar("loss", layer(torch.ones(1, 3).bfloat16()).mean(), torch.tensor(7))
    writer.add_scalar("ok", torch.tensor([True]))
    writer.add_histogram("weight", layer.float().weight)
    writer.add_image("i", torch.ones(1, 2, 2, requires_grad=True))
    writer.add_graph(layer, torch.ones(1, 3))
    with pytest.warns(TrackingWarning, match="no graph is stored of a Linear"):
        writer.add_graph(layer)  # without an input
    assert [step for step, _ in tracker.series("loss")] == [7]
    assert tracker.series("ok") == [(0, 1.0)]
    assert sum(stored("histograms")[0][2]["bucket_counts"]) == 6
    assert (images()[0] == 255).all()


@frameworks
def test_the_examples_of_the_document_work(run_example):
    run_example("TensorBoard")
