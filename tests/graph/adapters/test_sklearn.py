"""Graphs of scikit-learn estimators."""

from __future__ import annotations

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import tracking.graph.capture
from tracking.errors import InvalidArgumentError
from tracking.graph.adapters.sklearn import capture


def rows(graph):
    """Of each node what it is, where it belongs, and what it takes."""
    return [
        (node.kind.op, f"{node.kind.namespace}:{node.kind.label}", *node.inputs) for node in graph
    ]


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        pytest.param(Ridge(), [("input", ":X"), ("Ridge", ":", 0)], id="one"),
        pytest.param(
            Pipeline([("s", StandardScaler()), ("no", "passthrough"), ("r", Ridge())]),
            [("input", ":X"), ("StandardScaler", ":s", 0), ("Ridge", ":r", 1)],
            id="a pipeline",
        ),
        pytest.param(
            Pipeline([("in", make_pipeline(StandardScaler())), ("none", None), ("r", Ridge())]),
            [("input", ":X"), ("StandardScaler", "in:standardscaler", 0), ("Ridge", ":r", 1)],
            id="a pipeline in a pipeline",
        ),
        pytest.param(
            FeatureUnion([("a", StandardScaler()), ("b", "drop"), ("c", "passthrough")]),
            [("input", ":X"), ("StandardScaler", ":a", 0), ("FeatureUnion", ":", 1, 0)],
            id="a union",
        ),
        pytest.param(
            ColumnTransformer(
                [
                    ("num", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]),
                    ("cat", OneHotEncoder(), ["c"]),
                    ("out", "drop", [2]),
                ],
                remainder="passthrough",
            ),
            [
                ("input", ":X"),
                ("columns", ":num", 0),
                ("SimpleImputer", "num:simpleimputer", 1),
                ("StandardScaler", "num:standardscaler", 2),
                ("columns", ":cat", 0),
                ("OneHotEncoder", ":cat", 4),
                ("columns", ":remainder", 0),
                ("ColumnTransformer", ":", 3, 5, 6),
            ],
            id="columns",
        ),
        pytest.param(
            VotingClassifier([("a", LogisticRegression()), ("b", "drop")]),
            [("input", ":X"), ("LogisticRegression", ":a", 0), ("VotingClassifier", ":", 1)],
            id="a vote",
        ),
        pytest.param(
            StackingRegressor([("a", Ridge())], final_estimator=Lasso()),
            [
                ("input", ":X"),
                ("Ridge", ":a", 0),
                ("Lasso", ":final_estimator", 0),
                ("StackingRegressor", ":", 1, 2),
            ],
            id="a stack",
        ),
        pytest.param(
            GridSearchCV(make_pipeline(Ridge()), {"ridge__alpha": [1, 2]}),
            [("input", ":X"), ("Ridge", "estimator:ridge", 0), ("GridSearchCV", ":", 1)],
            id="a search",
        ),
        pytest.param(
            OneVsRestClassifier(LogisticRegression()),
            [
                ("input", ":X"),
                ("LogisticRegression", ":estimator", 0),
                ("OneVsRestClassifier", ":", 1),
            ],
            id="one in another",
        ),
        pytest.param(
            GaussianProcessRegressor(RBF() + WhiteKernel()),
            [
                ("input", ":X"),
                ("RBF", "kernel:k1", 0),
                ("WhiteKernel", "kernel:k2", 0),
                ("Sum", ":kernel", 1, 2),
                ("GaussianProcessRegressor", ":", 3),
            ],
            id="kernels",
        ),
    ],
)
def test_steps_become_nodes(estimator, expected):
    graph = capture(estimator)
    assert rows(graph) == expected
    assert list(graph.outputs) == [len(expected) - 1]
    assert graph.source == "sklearn"


@pytest.mark.parametrize(
    ("estimator", "found"),
    [
        (Ridge(), ()),
        (Ridge(alpha=1.0), ()),
        (Ridge(alpha=0.5, solver="svd"), (("alpha", 0.5), ("solver", "svd"))),
        (Ridge(alpha=1), (("alpha", 1),)),
        (Ridge(alpha=float("nan")), (("alpha", "NaN"),)),
        (SimpleImputer(missing_values=float("nan")), ()),
        (FunctionTransformer(abs), (("func", "abs"),)),
        (
            GridSearchCV(Ridge(), {"b": [1], "a": (2,)}),
            (("param_grid", "{'a': (2,), 'b': (1,)}"),),
        ),
    ],
)
def test_attributes_are_the_parameters_that_were_chosen(estimator, found):
    graph = capture(estimator)
    assert graph[len(graph) - 1].kind.attributes == found


def test_fitting_changes_nothing(look):
    model = make_pipeline(StandardScaler(), Ridge())
    before = look.columns(capture(model))
    model.fit([[1.0], [2.0]], [1.0, 2.0])
    assert look.columns(capture(model)) == before


SCRIPT = """
from sklearn.linear_model import *
from sklearn.pipeline import *
from sklearn.preprocessing import *
from tracking.graph.adapters.sklearn import capture
def f(x): return x
class Odd: pass
graph = capture(make_pipeline(
    FunctionTransformer(f, kw_args={"b": Odd(), "a": {"x", "y"}}), SGDClassifier(random_state=Odd())
))
"""


def test_a_graph_is_the_same_in_every_process(look):
    look.assert_same_in_other_processes(SCRIPT)


def test_estimators_find_their_adapter(look):
    graph = tracking.graph.capture.capture(make_pipeline(Ridge()))
    assert look.ops(graph) == ["input", "Ridge"]


@pytest.mark.parametrize(
    ("thing", "problem"), [(3, "is a int; pass an estimator"), (Ridge, "is a ABCMeta; pass")]
)
def test_what_is_no_estimator_is_refused(thing, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        capture(thing)
