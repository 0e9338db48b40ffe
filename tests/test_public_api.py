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
from tracking import errors

REQUIRED = object()

# method -> parameters of the page with their defaults. Ours may take more, after these and by name.
TRACKER = {
    "delete_run": {"run_id": REQUIRED},
    "end_run": {"status": "completed"},
    "get_all_exp_paths": {},
    "get_all_runs": {},
    "get_comp_graph": {"graph_id": REQUIRED},
    "get_comp_graphs": {"run_id": REQUIRED},
    "get_metrics": {"run_id": REQUIRED},
    "get_records": {"run_id": REQUIRED, "metric_name": REQUIRED},
    "get_results": {"run_id": REQUIRED},
    "get_run": {"run_id": REQUIRED},
    "histogram": {"name": REQUIRED, "tensor": REQUIRED, "step": REQUIRED, "bins": 30},
    "image": {"name": REQUIRED, "image_data": REQUIRED, "step": REQUIRED},
    "record": {"metric_name": REQUIRED, "value": REQUIRED, "step": REQUIRED},
    "run": {"name": None, "config": None},
    "save_comp_graph": {"tensor": REQUIRED, "run_id": None},
    "set_all_exp_dir": {"directory": REQUIRED},
    "set_experiment": {"exp_name": REQUIRED},
    "start_run": {"name": None, "config": None},
    "summary": {"run_id": None},
    "text": {"name": REQUIRED, "content": REQUIRED, "step": REQUIRED},
}
DB = {
    "check_connection": {},
    "create_run": {"name": None, "config": None},
    "delete_run": {"run_id": REQUIRED},
    "get_all_runs": {},
    "get_comp_graph": {"graph_id": REQUIRED},
    "get_comp_graphs": {"run_id": REQUIRED},
    "get_histograms": {"run_id": REQUIRED},
    "get_images": {"run_id": REQUIRED},
    "get_metric_summary": {"run_id": REQUIRED},
    "get_metrics": {"run_id": REQUIRED},
    "get_records": {"run_id": REQUIRED, "metric_name": REQUIRED},
    "get_run": {"run_id": REQUIRED},
    "get_texts": {"run_id": REQUIRED},
    "init_exp_db": {},
    "record": {
        "run_id": REQUIRED,
        "metric_name": REQUIRED,
        "step": REQUIRED,
        "value": REQUIRED,
    },
    "save_comp_graph": {"run_id": REQUIRED, "graph_data": REQUIRED},
    "save_histogram": {
        "run_id": REQUIRED,
        "name": REQUIRED,
        "step": REQUIRED,
        "bucket_edges": REQUIRED,
        "bucket_counts": REQUIRED,
    },
    "save_image": {
        "run_id": REQUIRED,
        "name": REQUIRED,
        "step": REQUIRED,
        "width": REQUIRED,
        "height": REQUIRED,
        "channels": REQUIRED,
        "image_data": REQUIRED,
    },
    "save_text": {"run_id": REQUIRED, "name": REQUIRED, "step": REQUIRED, "content": REQUIRED},
    "update_run_status": {"run_id": REQUIRED, "status": REQUIRED},
}
METHODS = [
    *((sg.Tracker, name, parameters) for name, parameters in TRACKER.items()),
    *((sg.ExperimentDBManager, name, parameters) for name, parameters in DB.items()),
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


@pytest.mark.parametrize("name", sorted(set(sg.__all__) - {"__version__"}))
def test_what_is_offered_is_documented(name):
    assert inspect.getdoc(getattr(sg, name))


@pytest.mark.parametrize(
    ("cls", "name", "parameters"),
    METHODS,
    ids=[f"{cls.__name__}.{name}" for cls, name, _ in METHODS],
)
def test_methods_take_the_parameters_of_the_page_in_its_order(cls, name, parameters):
    signature = inspect.signature(getattr(cls, name))
    ours = list(signature.parameters.values())[1:]
    assert [parameter.name for parameter in ours[: len(parameters)]] == list(parameters)
    for parameter, default in zip(ours, parameters.values(), strict=False):
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        expected = inspect.Parameter.empty if default is REQUIRED else default
        assert parameter.default == expected
    for parameter in ours[len(parameters) :]:
        is_optional = parameter.default is not inspect.Parameter.empty
        assert is_optional or parameter.kind is parameter.VAR_KEYWORD


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
