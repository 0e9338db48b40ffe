"""The API page's names, with its parameters in its order."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

import tracking as sg
from tests.typed.page import DatabaseOfThePage, TrackerOfThePage
from tracking import errors

METHODS = [
    (cls, name, signature_of)
    for cls, page in ((sg.Tracker, TrackerOfThePage), (sg.ExperimentDBManager, DatabaseOfThePage))
    for name, signature_of in vars(page).items()
    if inspect.isfunction(signature_of) and not name.startswith("_")
]


def kind_and_name(name):
    """Order of names: constants, classes, the rest."""
    return not name.isupper(), not name.lstrip("_")[0].isupper(), name


@pytest.mark.parametrize("package", ["tracking", "tracking.graph", "tracking.regression"])
def test_what_a_package_offers_is_sorted_and_there(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__, key=kind_and_name)
    assert len(module.__all__) == len(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)


def test_the_names_of_the_page_are_offered():
    page = {"Tracker", "ExperimentDBManager", "RunInfo", "RecordInfo", "_build_graph_data"}
    assert page <= set(sg.__all__)


def test_every_error_is_offered_and_belongs_to_the_tree():
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    for name, error in classes.items():
        assert name in sg.__all__
        assert issubclass(error, sg.TrackingError | sg.TrackingWarning)


@pytest.mark.parametrize(
    ("cls", "name", "of_the_page"),
    METHODS,
    ids=[f"{cls.__name__}.{name}" for cls, name, _ in METHODS],
)
def test_methods_take_the_parameters_of_the_page_in_its_order(cls, name, of_the_page):
    page = list(inspect.signature(of_the_page).parameters.values())
    ours = list(inspect.signature(getattr(cls, name)).parameters.values())
    assert [one.name for one in ours[: len(page)]] == [one.name for one in page]
    for parameter, expected in zip(ours, page, strict=False):
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        assert parameter.default == expected.default
    for parameter in ours[len(page) :]:  # by name only, or behind those of the page
        is_optional = parameter.default is not inspect.Parameter.empty
        assert is_optional or parameter.kind is parameter.VAR_KEYWORD


def test_the_page_has_twenty_methods_of_each():
    assert [cls for cls, _, _ in METHODS] == [sg.Tracker] * 20 + [sg.ExperimentDBManager] * 20


def test_the_calls_of_the_pages_example_fit():
    inspect.signature(sg.Tracker).bind(all_exp_dir="./experiments")
    inspect.signature(sg.Tracker.start_run).bind(None, run_name="baseline", hparams={"lr": 0.01})
    inspect.signature(sg.Tracker.log).bind(None, {"train_loss": 1.0}, step=0)
    assert inspect.signature(sg.Tracker).parameters["all_exp_dir"].default == "./experiments"
    assert list(inspect.signature(sg._build_graph_data).parameters) == ["tensor"]


def test_run_is_a_context_manager_that_gives_the_run_id(tmp_path):
    tracker = sg.Tracker(tmp_path)
    tracker.set_experiment("e")
    manager = tracker.run("r", {"lr": 1})
    assert isinstance(manager, AbstractContextManager)
    assert not isinstance(manager, Iterator)
    with manager as run_id:
        assert run_id == tracker.current_run_id
    tracker.close()


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (
            sg.RunInfo,
            ["run_id", "name", "created_at", "status", "config", "num_records", "metrics"],
        ),
        (sg.RecordInfo, ["step", "value", "log_time"]),
    ],
)
def test_records_and_runs_have_the_fields_of_the_page_first(cls, fields):
    ours = dataclasses.fields(cls)
    assert [field.name for field in ours[: len(fields)]] == fields
    for field in ours[len(fields) :]:
        assert field.default is not dataclasses.MISSING


def test_summaries_have_the_statistics_of_the_page():
    page = {"min", "max", "mean", "std", "last", "n", "first_step", "last_step"}
    assert page <= {field.name for field in dataclasses.fields(sg.Summary)}


def test_the_version_is_of_this_distribution():
    assert sg.__version__.count(".") >= 2
    assert sg.__version__.split(".")[0].isdigit()


def test_every_public_name_has_its_home_and_type_checkers_see_the_same():
    lazily = {*sg.__all__} - {"__version__"}
    assert set(sg._HOMES) == lazily
    for name, home in sg._HOMES.items():
        assert getattr(sg, name) is getattr(importlib.import_module(f"tracking.{home}"), name)
    tree = ast.parse(inspect.getsource(sg))
    block, *_ = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name: node.module.removeprefix("tracking.")
        for node in block.body
        for alias in node.names
    }
    assert seen == sg._HOMES


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        sg.nonsense  # noqa: B018
