"""What the views calculate before they draw: the pure modules of the page, by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

A_BROWSER = settings(max_examples=60, deadline=None)


def rows(*values):
    return [
        {"run_id": k, "name": f"run{k}", "hparams": config, "metrics": metrics}
        for k, (config, metrics) in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("scale", "value", "share"),
    [
        ("m.linear(0, 10)", 2.5, 0.25),
        ("m.linear(-1.7e308, 1.7e308)", 0, 0.5),
        ("m.linear(3, 3)", 3, 0.5),
        ("m.linear(0, 1)", "text", None),
        ("m.logarithmic(0.001, 0.1)", 0.01, 0.5),
        ("m.logarithmic(0.001, 0.1)", 0, None),
        ("m.categories(['adam', true, null])", True, 0.5),
        ("m.categories(['adam', true, null])", "sgd", None),
        ("m.time(0, 100)", 25, 0.25),
    ],
)
def test_a_value_has_a_place_on_its_axis_or_none(pure, scale, value, share):
    assert pure("scales", f"{scale}.at(args[0])", value) == (
        None if share is None else pytest.approx(share)
    )


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        ("m.linear(0, 1)", ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ("m.linear(2, 2)", ["2"]),
        ("m.logarithmic(0.0001, 0.1)", ["0.0001", "0.001", "0.01", "0.1"]),
        ("m.logarithmic(1e-12, 1)", ["1e\u221212", "1e\u22129", "0.000001", "0.001", "1"]),
        ("m.logarithmic(2, 5)", ["2", "3", "4", "5"]),
        ("m.categories(['b', false])", ["b", "false"]),
    ],
)
def test_an_axis_says_round_numbers(pure, scale, words):
    assert pure("scales", f"{scale}.ticks(5).map(([, words]) => words)") == words


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 3], "linear"),
        ([0.0001, 0.1], "log"),
        ([0.0001, 0, 0.1], "linear"),
        ([-0.1, 0.1], "linear"),
        (["adam", "sgd"], "categories"),
        ([True, False], "categories"),
        ([1, "auto"], "categories"),
        ([[1, 2], [2, 1]], "categories"),
        ([None, 2], "linear"),
    ],
)
def test_an_axis_is_chosen_by_what_lies_on_it(pure, values, kind):
    runs = rows(*(({"x": value}, {}) for value in values))
    found = pure(
        "hparams_data",
        "(() => { const rows = m.rowsOf(args[0], 'last');"
        " return m.axisOf(m.columnsOf(rows)[0], rows).scale.kind; })()",
        runs,
    )
    assert found == kind


def test_hyper_parameters_that_differ_come_first_and_metrics_of_their_names_last(pure):
    runs = rows(
        ({"lr": 0.1, "opt": {"name": "adam"}, "same": 1}, {"lr": {"last": 0}, "loss": {"last": 1}}),
        ({"lr": 0.2, "opt": {"name": "sgd"}, "same": 1}, {"lr": {"last": 0}}),
        ({"lr": 0.3, "opt": {"name": "sgd"}, "same": 1}, {}),
    )
    found = pure("hparams_data", "m.usualChoice(m.columnsOf(m.rowsOf(args[0], 'last')))", runs)
    assert found == {
        "keys": ["config:lr", "config:opt.name", "metric:loss", "metric:lr"],
        "metric": "metric:loss",
        "across": "config:lr",
    }


@pytest.mark.parametrize(
    ("brushes", "kept"),
    [
        ([], ["run0", "run1", "run2"]),
        ([["config:x", [0, 0.5]]], ["run0", "run1"]),
        ([["config:x", [0, 0.5]], ["metric:loss", [0.5, 1]]], ["run1"]),
        ([["config:x", [0.6, 0.7]]], []),
        # A run without a value lies on no part of an axis.
        ([["metric:loss", [0, 1]]], ["run0", "run1"]),
    ],
)
def test_rows_inside_of_all_brushes_are_kept(pure, brushes, kept):
    runs = rows(
        ({"x": 0}, {"loss": {"last": 1}}),
        ({"x": 1}, {"loss": {"last": 3}}),
        ({"x": 2}, {"loss": {"last": "NaN"}}),
    )
    expression = (
        "(() => { const rows = m.rowsOf(args[0], 'last');"
        " const axes = m.columnsOf(rows).map((column) => m.axisOf(column, rows));"
        " return m.inBrushes(rows, axes, new Map(args[1])).map(({run}) => run.name); })()"
    )
    assert pure("hparams_data", expression, runs, brushes) == kept


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("config:x", [1, 0, 2, 3]),
        ("-config:x", [2, 0, 1, 3]),
        ("name", [0, 1, 2, 3]),
        ("-name", [3, 2, 1, 0]),
    ],
)
def test_rows_are_sorted_and_those_without_a_value_come_last(pure, sort, order):
    runs = rows(({"x": 10}, {}), ({"x": 9}, {}), ({"x": "auto"}, {}), ({}, {}))
    expression = "m.sortedRows(m.rowsOf(args[0], 'last'), args[1]).map(({run}) => run.run_id)"
    assert pure("hparams_data", expression, runs, sort) == order


@pytest.mark.parametrize(
    ("point", "found"),
    [
        ((0, 2), "down"),
        ((25, 27), "down"),
        ((75, 27), "up"),
        ((100, 97), "down"),
        ((150, 60), "down"),
        ((50, 20), None),
        ((250, 100), None),
    ],
)
def test_the_line_under_the_pointer_is_found(pure, point, found):
    ys = [[0, 100, 20], [100, 0, 100]]
    expression = "m.nearestLine(['down', 'up'], [0, 100, 200], args[0], args[1])"
    assert pure("hparams_data", expression, ys, list(point)) == found


@pytest.mark.parametrize(
    ("expression", "brush"),
    [
        ("m.moved([0.2, 0.4], 0.1)", [0.3, 0.5]),
        ("m.moved([0.2, 0.4], 5)", [0.8, 1]),
        ("m.moved([0.2, 0.4], -5)", [0, 0.2]),
        ("m.widened([0.2, 0.4], 5)", [0.2, 1]),
        ("[m.snapped(-0.3), m.snapped(0.995)]", [0, 1]),
        ("[m.snapped(0.2), m.snapped(1.3)]", [0.2, 1]),
    ],
)
def test_a_brush_stays_on_its_axis(pure, expression, brush):
    assert pure("parallel_brush", expression) == pytest.approx(brush)


@A_BROWSER
@given(
    counts=st.lists(st.integers(0, 1000), min_size=1, max_size=12),
    start=st.floats(-100, 100),
    width=st.floats(0.01, 50),
)
def test_no_value_of_a_histogram_is_lost_or_doubled(pure, counts, start, width):
    edges = [start + width * k for k in range(len(counts) + 1)]
    expression = (
        "[...m.cellShares({edges: args[0], counts: args[1]}, {low: args[2], high: args[3]}, 7)]"
    )
    shares = pure("heat_data", expression, edges, counts, edges[0], edges[-1])
    assert len(shares) == 7
    assert sum(shares) == pytest.approx(1 if any(counts) else 0)


@pytest.mark.parametrize(
    ("edges", "counts", "limits", "shares"),
    [
        ([0, 1, 2], [1, 3], (0, 2), [0.25, 0.75]),
        ([0, 2], [4], (0, 4), [1, 0]),
        ([1, 1], [5], (0, 2), [0, 1]),
        ([3, 3], [5], (3, 3), [0.5, 0.5]),
        ([0, "Infinity"], [5], (0, 2), [0, 0]),
        ([0, 1], [0], (0, 1), [0, 0]),
    ],
)
def test_a_bucket_fills_the_cells_it_covers(pure, edges, counts, limits, shares):
    expression = (
        "[...m.cellShares({edges: args[0], counts: args[1]}, {low: args[2], high: args[3]}, 2)]"
    )
    assert pure("heat_data", expression, edges, counts, *limits) == shares


def test_columns_of_steps_meet_half_way(pure):
    assert pure("heat_data", "m.stepSpans([0, 10, 40])") == [[-5, 5], [5, 25], [25, 55]]
    assert pure("heat_data", "m.stepSpans([7])") == [[6.5, 7.5]]


def test_of_very_many_steps_some_are_drawn_the_last_among_them(pure):
    expression = "m.bySteps(args[0], 100).map(({step}) => step)"
    shown = pure("heat_data", expression, [{"step": step} for step in range(1001)])
    assert len(shown) <= 101
    assert shown[0] == 0
    assert shown[-1] == 1000


texts = st.lists(st.sampled_from("abc"), max_size=9).map("\n".join)


@A_BROWSER
@given(texts, texts)
def test_a_difference_of_texts_leads_from_the_one_to_the_other(pure, before, after):
    lines = pure("line_diff", "m.lineDiff(args[0], args[1])", before, after)
    for kind, text in (("added", before), ("removed", after)):
        assert "\n".join(one["text"] for one in lines if one["kind"] != kind) == text


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("a\nb\nc", "a\nb\nc", "   "),
        ("a\nb\nc", "a\nc", " - "),
        ("a\nc", "a\nb\nc", " + "),
        ("a", "b", "-+"),
    ],
)
def test_only_lines_that_differ_are_changes(pure, before, after, changes):
    lines = pure("line_diff", "m.lineDiff(args[0], args[1])", before, after)
    marks = {"same": " ", "removed": "-", "added": "+"}
    assert "".join(marks[one["kind"]] for one in lines) == changes


@pytest.mark.parametrize(
    ("step", "current", "previous"), [(-1, None, None), (0, 0, None), (7, 5, 0), (99, 9, 5)]
)
def test_at_a_step_the_last_that_was_saved_is_shown(pure, step, current, previous):
    items = [{"step": k} for k in (0, 5, 5, 9)]
    found = pure("media_data", "m.itemAt(args[0], args[1])", items, step)
    assert [one and one["step"] for one in (found["current"], found["previous"])] == [
        current,
        previous,
    ]


@pytest.mark.parametrize(
    ("channels", "given_bytes", "rgba"),
    [
        (1, [7], [7, 7, 7, 255]),
        (2, [7, 9], [7, 7, 7, 9]),
        (3, [1, 2, 3], [1, 2, 3, 255]),
        (4, [1, 2, 3, 4], [1, 2, 3, 4]),
        (5, [1, 2, 3, 4, 5], None),
        (3, [1, 2], None),
    ],
)
def test_pixels_of_any_number_of_channels_become_colours(pure, channels, given_bytes, rgba):
    expression = (
        "(() => { const found = m.rgba({width: 1, height: 1, channels: args[0]}, args[1]);"
        " return found && [...found]; })()"
    )
    assert pure("media_data", expression, channels, given_bytes) == rgba


def test_metrics_that_changed_most_stand_first_and_equal_ones_last(pure):
    def pairs(metric, a, b):
        return [{"metric": metric, "statistic": "tail", "a": a, "b": b}]

    all_pairs = [
        *pairs("same", 1, 1),
        *pairs("little", 1, 1.01),
        *pairs("much", 1, 2),
        {"metric": "new", "statistic": "tail", "b": 3},
    ]
    found = pure("compare_data", "m.byMetric(args[0])", all_pairs)
    assert [one["metric"] for one in found] == ["new", "much", "little", "same"]
    assert [one["isOnlyIn"] for one in found] == ["b", None, None, None]
    assert [one["isDifferent"] for one in found] == [True, True, True, False]


def test_a_side_that_has_nothing_is_told_from_null(pure):
    pairs = [{"name": "x", "a": None}, {"name": "y", "a": None, "b": None}, {"name": "z", "b": 1}]
    assert pure("compare_data", "m.split(args[0])", pairs) == {
        "changes": [{"name": "x", "before": None}, {"name": "z", "after": 1}],
        "same": [["y", None]],
    }


def test_runs_that_belong_together_are_found(pure):
    def run(number, **changes):
        usual = {"run_id": number, "uuid": f"u{number}", "name": "t", "session": "s"}
        return {**usual, "parent": None, "started_at": number, "confirms": None, **changes}

    runs = [
        run(6, session="later"),
        run(5, name="inner", parent="u3"),
        run(4, confirms="u3"),
        run(3),
        run(2),
        run(1, session="earlier"),
    ]
    found = pure("run_words", "m.relatives(args[0][3], args[0])", runs)
    assert [one["run_id"] for one in found["children"]] == [5]
    assert [one["run_id"] for one in found["attempts"]] == [4, 3, 2]
    assert pure("run_words", "m.relatives(args[0][1], args[0]).parent.run_id", runs) == 3
    assert pure("run_words", "m.previousOf(args[0][0], args[0]).run_id", runs) == 3
    assert pure("run_words", "m.previousOf(args[0][5], args[0])", runs) is None


@pytest.mark.parametrize(
    ("change", "grew"),
    [
        ({}, True),
        ({"status": "completed"}, False),
        ({"uuid": "other"}, False),
        ({"metrics": [{"name": "loss"}, {"name": "new"}]}, False),
        ({"images": [{}]}, False),
    ],
)
def test_only_curves_that_grew_are_drawn_on(pure, change, grew):
    def side(**changes):
        all_of = {
            "uuid": "u",
            "status": "running",
            "is_abandoned": False,
            "metrics": [{"name": "loss"}],
            "histograms": [],
            "images": [],
            "texts": [],
            "graphs": [],
            **changes,
        }
        return {"run": all_of, "test": {"run": all_of}}

    assert pure("run_words", "m.onlyGrew(args[0], args[1])", side(), side(**change)) is grew


def test_accepted_runs_make_a_band_and_runs_without_a_value_a_gap(pure):
    pasts = [
        {"run_id": k, "created_at": 100 * k * k, "value": value, "is_accepted": is_accepted}
        for k, (value, is_accepted) in enumerate(
            [(1.0, True), (None, False), (2.0, True), (4.0, False), ("NaN", False)]
        )
    ]
    expression = "(({points, line, band}) => ({points, n: line.length, band}))"
    by_run = pure("history_chart", f"{expression}(m.historyPlaces(args[0], false))", pasts)
    assert [one["x"] for one in by_run["points"]] == [0, 0.25, 0.5, 0.75, 1]
    ys = [one["y"] for one in by_run["points"]]
    assert ys[1] is None
    assert ys[4] is None
    assert by_run["n"] == 3
    assert by_run["band"] == [ys[0], ys[2]]
    by_time = pure("history_chart", f"{expression}(m.historyPlaces(args[0], true))", pasts)
    assert [one["x"] for one in by_time["points"]] == pytest.approx([k * k / 16 for k in range(5)])


def test_levels_meet_where_the_metric_moved(pure):
    pasts = [
        {"run_id": 10 * k, "created_at": k, "value": value, "is_accepted": False}
        for k, value in enumerate([1.0, 1.0, None, 3.0, 3.0])
    ]
    ends = {"last_before": {"run_id": 10}, "first_after": {"run_id": 30}}
    found = {
        "levels": [
            {"first_run": 0, "last_run": 10, "value": 1.0},
            {"first_run": 30, "last_run": 40, "value": 3.0},
        ],
        "changes": [{"effect": "worse", **ends}, {"effect": "small", **ends}],
    }
    expression = "(({levels, moves, points}) => ({levels, moves, points}))"
    places = pure("history_chart", f"{expression}(m.historyPlaces(...args))", pasts, False, found)
    assert [(one["from"], one["to"]) for one in places["levels"]] == [(0, 0.5), (0.5, 1)]
    assert [one["y"] for one in places["levels"]] == [
        places["points"][0]["y"],
        places["points"][4]["y"],
    ]
    assert [one["x"] for one in places["moves"]] == [0.5]
    alone = found | {"levels": found["levels"][:1], "changes": []}
    places = pure("history_chart", f"{expression}(m.historyPlaces(...args))", pasts, False, alone)
    assert (places["levels"], places["moves"]) == ([], [])


def test_a_picker_finds_what_holds_all_words(pure):
    choices = [{"text": "test_adam", "note": "red"}, {"text": "test_sgd", "note": "green"}]
    found = pure("picker", "m.fitting(args[0], 'RED test').map(({text}) => text)", choices)
    assert found == ["test_adam"]


def test_graphs_of_one_name_stand_side_by_side(pure):
    def graphs(*names):
        return [{"name": name, "graph": {"nodes": [name]}} for name in names]

    found = pure("graphs_data", "m.graphPairs(args)", graphs("net", "net", "a"), graphs("b", "net"))
    assert [(one["name"], one["number"]) for one in found] == [
        *(("net", 1), ("net", 2), ("a", 1), ("b", 1)),
    ]
    assert [[side is not None for side in one["sides"]] for one in found] == [
        *([True, True], [True, False], [True, False], [False, True]),
    ]


@pytest.mark.parametrize(("number", "is_marked"), [(1, True), (2, False)])
def test_only_the_graph_that_is_meant_is_marked(pure, number, is_marked):
    pair = {"name": "net", "number": number, "sides": [{"nodes": []}, {"nodes": []}]}
    marks = [{"name": "net", "number": 1, "a": {"changed": [1]}, "b": {"added": [2]}}]
    a, b = pure("graphs_data", "m.withMarks(args[0], args[1])", pair, marks)
    assert (a.get("changed"), b.get("added")) == (([1], [2]) if is_marked else (None, None))
