"""`sgtrack export`: every record, in each format, and never half a file."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
import threading
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import ExperimentDBManager, RunInfo, cli, experiment_db
from tracking.cli.formats import COLUMNS, Exported, csv_text, json_text, jsonl_text
from tracking.model import RecordInfo

SERIES = {"loss": [0.5, math.nan, -math.inf], "=SUM(A1)": [1.0]}


@pytest.fixture
def two(record):
    record("first", SERIES, config={"lr": 0.1}, environment={"python": "3.11"})
    record('-second, with "quotes"', {"loss": [2.0]})


def test_csv_has_a_line_for_each_record_and_no_formulas(two, sgtrack):
    code, out, err = sgtrack("export")
    assert (code, err) == (cli.OK, "")
    header, *rows = csv.reader(io.StringIO(out))
    assert tuple(header) == COLUMNS
    assert [row[:5] for row in rows] == [
        ["1", "first", "loss", "0", "0.5"],
        ["1", "first", "loss", "1", "NaN"],
        ["1", "first", "loss", "2", "-Infinity"],
        ["1", "first", "'=SUM(A1)", "0", "1.0"],
        ["2", '\'-second, with "quotes"', "loss", "0", "2.0"],
    ]
    assert all(float(row[5]) > 1.7e9 for row in rows)


def test_jsonl_has_a_document_for_each_record(two, sgtrack):
    lines = sgtrack("export", "--format=jsonl")[1].splitlines()
    documents = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [tuple(one) for one in documents] == [COLUMNS] * 5
    assert [one["value"] for one in documents] == [0.5, "NaN", "-Infinity", 1.0, 2.0]
    assert documents[3]["metric"] == "=SUM(A1)"


def test_json_has_all_of_the_runs(two, sgtrack):
    out = sgtrack("export", "--format=json")[1]
    document = json.loads(out, parse_constant=pytest.fail)
    first, second = document.pop("runs")
    assert document == {"format": "sgtrack-export", "version": 1, "experiment": "pytest"}
    assert first["config"] == {"lr": 0.1}
    assert first["environment"] == {"python": "3.11"}
    assert first["summaries"]["loss"]["n_nan"] == 1
    assert [row[:2] for row in first["records"]["loss"]] == [[0, 0.5], [1, "NaN"], [2, "-Infinity"]]
    assert list(second["records"]) == ["loss"]


def test_parquet_has_numbers_as_numbers(two, sgtrack):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert sgtrack("export", "-o", "all.parquet") == (cli.OK, "", "")
    table = parquet.read_table("all.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert table["run_id"].to_pylist() == [1, 1, 1, 1, 2]
    values = table["value"].to_pylist()
    assert math.isnan(values[1])
    assert [values[0], *values[2:]] == [0.5, -math.inf, 1.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["-o", "x.json"], "{"),
        (["-o", "x.JSONL"], '{"run_id"'),
        (["-o", "x.csv"], "run_id,"),
        (["-o", "x.txt"], "run_id,"),
        (["-o", "x.json", "--format=csv"], "run_id,"),
    ],
)
def test_the_suffix_chooses_the_format_unless_it_is_given(two, sgtrack, arguments, first):
    assert sgtrack("export", *arguments) == (cli.OK, "", "")
    assert Path(arguments[1]).read_text().startswith(first)


@pytest.mark.parametrize(
    ("arguments", "run_ids"),
    [(["first"], [1]), (["last"], [2]), (["2", "1", "first"], [1, 2]), ([], [1, 2])],
)
def test_runs_are_exported_once_and_the_oldest_first(two, sgtrack, arguments, run_ids):
    document = json.loads(sgtrack("export", "--format=json", *arguments)[1])
    assert [run["run_id"] for run in document["runs"]] == run_ids


finite = st.floats(allow_nan=False, allow_infinity=False)
parts = st.lists(
    st.lists(
        st.builds(RecordInfo, st.integers(-(2**63), 2**63 - 1), st.floats(), finite), min_size=1
    ),
    max_size=3,
)
named = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), parts)


@given(st.lists(named, max_size=3), st.text(st.characters(exclude_categories=["Cs"])))
def test_every_format_gives_back_what_went_in(runs, name):
    def exported():
        for run_id, by_metric in enumerate(runs):
            run = RunInfo(run_id, name, "", "completed", {})
            records = [(metric, part) for metric, of in by_metric.items() for part in of]
            yield Exported(run, dict, iter(records))

    expected = [
        (run_id, name, metric, one.step, repr(one.value), one.log_time)
        for run_id, by_metric in enumerate(runs)
        for metric, of in by_metric.items()
        for one in chain(*of)
    ]

    def row(run_id, run, metric, step, value, time):
        return int(run_id), run, metric, int(step), repr(float(value)), float(time)

    lines = "".join(jsonl_text("e", exported())).split("\n")[:-1]
    assert [row(*json.loads(line).values()) for line in lines] == expected
    document = json.loads("".join(json_text("e", exported())))
    assert [
        row(run["run_id"], run["name"], metric, *one)
        for run in document["runs"]
        for metric, records in run["records"].items()
        for one in records
    ] == expected
    table = list(csv.reader(io.StringIO("".join(csv_text("e", exported())), newline="")))[1:]
    plain = [
        (*cells[:1], *(c.removeprefix("'") for c in cells[1:3]), *cells[3:]) for cells in table
    ]
    assert [row(*cells) for cells in plain] == [
        (i, run.removeprefix("'"), metric.removeprefix("'"), *rest)
        for i, run, metric, *rest in expected
    ]
    assert not [c for cells in table for c in cells[1:3] if c.startswith(("=", "+", "-", "@"))]


# Files


def test_an_old_file_is_replaced_whole_or_stays(two, sgtrack, monkeypatch):
    output = Path("x.csv")
    output.write_text("old")

    def broken(db, run_id):
        yield "loss", [RecordInfo(0, 1.0, 0.0)]
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ExperimentDBManager, "iter_records", broken)
        code, _, err = sgtrack("export", "-o", output)
    assert (code, err) == (
        cli.TROUBLE,
        "sgtrack: x.csv cannot be written: No space left on device\n",
    )
    assert output.read_text() == "old"
    assert sgtrack("export", "-o", output)[0] == cli.OK
    assert output.read_text().startswith("run_id")
    assert sorted(path.name for path in Path().iterdir()) == ["experiments", "x.csv"]


def test_a_symbolic_link_stays_one_and_a_pipe_is_written_to(two, sgtrack):
    Path("link.csv").symlink_to("target.csv")
    assert sgtrack("export", "-o", "link.csv")[0] == cli.OK
    assert Path("link.csv").is_symlink()
    assert Path("target.csv").read_text().startswith("run_id")

    os.mkfifo("pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))
    reader.start()
    assert sgtrack("export", "-o", "pipe")[0] == cli.OK
    reader.join()
    assert read[0] == Path("target.csv").read_text()
    assert Path("pipe").is_fifo()


def test_a_folder_that_is_not_there_is_trouble(two, sgtrack):
    code, _, err = sgtrack("export", "-o", "none/x.csv")
    assert (code, err) == (
        cli.TROUBLE,
        "sgtrack: none/x.csv cannot be written: No such file or directory\n",
    )


def test_parquet_needs_a_file_and_pyarrow(two, sgtrack, monkeypatch):
    code, out, err = sgtrack("export", "--format=parquet")
    assert (code, out, err) == (
        cli.USAGE,
        "",
        "sgtrack: parquet is no text; -o names the file to write\n",
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = sgtrack("export", "-o", "x.parquet")
    assert (code, err) == (
        cli.TROUBLE,
        "sgtrack: parquet needs pyarrow, which is not installed: pip install pyarrow\n",
    )
    assert not Path("x.parquet").exists()


# Long runs


def test_a_long_series_is_read_in_parts_and_in_order(record, sgtrack, monkeypatch):
    record(series={"loss": [float(i) for i in range(2500)]})
    whole = sgtrack("export")[1]
    monkeypatch.setattr(experiment_db, "_STREAMED_FROM", 1)
    assert sgtrack("export")[1] == whole


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_a_million_records_need_less_than_300_megabytes(record, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    record(series={"loss": [float(i) for i in range(1_000_000)]})
    command = [sys.executable, "-m", "tracking", "export", "-o", f"x.{kind}"]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == cli.OK
    kilobytes = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 300_000
