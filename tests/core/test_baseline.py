"""The file format of baselines and what an update makes of an entry."""

from __future__ import annotations

import json
import math
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import BaselineError
from tracking.graph.builder import GraphBuilder
from tracking.graph.model import Kind
from tracking.model import STATISTICS, Summary, Verdict
from tracking.regression.baseline import (
    Entry,
    Sample,
    accepted_entry,
    baseline_path,
    dump_baseline,
    extended_entry,
    find_baselines,
    load_baseline,
    matching_samples,
    parse_baseline,
    save_baseline,
    updated_entry,
)
from tracking.regression.graph_sample import GraphSample
from tracking.regression.rules import Context, compare
from tracking.regression.settings import MetricSettings
from tracking.summary import summarize

ASSETS = Path(__file__).parents[1] / "assets"
ASSET = ASSETS / "baseline_v1.json"
SUMMARY = Summary(4, 0, 0, 1.0, 2.0, 1.5, 0.5, 1.25, 2.0, 0, 3)
SAMPLE = Sample({"loss": SUMMARY}, {"lr": 0.1}, {"python": "3.11"}, seed=0)
ENTRIES = {"test_a": Entry((SAMPLE,), None)}
ENDLESS = {}
ENDLESS["self"] = ENDLESS


def graph_sample(ops, version):
    """Return a chain of operations as a baseline keeps it."""
    builder = GraphBuilder("seed", version)
    last = builder.add(Kind("input", (4, 8)))
    for op in ops:
        last = builder.add(Kind(op, label=op), [last])
    return GraphSample.of(builder.build([last]))


series = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats()), min_size=1, max_size=6)
summaries = series.map(lambda rows: summarize(*zip(*rows, strict=True)))
finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(max_size=8)  # hypothesis leaves surrogates out of text()
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=3,
)
graphs = st.sampled_from(
    [graph_sample(*one) for one in (([], ""), ([], "2"), (["", "\n"], ""), (["ü\u202e"] * 3, '"'))]
)
samples = st.builds(
    Sample,
    metrics=st.dictionaries(names, summaries, max_size=2),
    config=st.dictionaries(names, plain, max_size=2),
    environment=st.dictionaries(names, plain, max_size=2),
    seed=st.none() | st.integers(),
    graphs=st.dictionaries(names.map("graph {}".format), graphs, max_size=2),
)
entries = st.builds(
    Entry,
    samples=st.lists(samples, min_size=1, max_size=2).map(tuple),
    origin=st.none() | samples,
)
baselines = st.dictionaries(names, entries, max_size=2)


def sorted_repr(value):
    """Equality by repr: NaN equals NaN, 0.0 differs from -0.0, 1 from True; keys in any order."""
    if isinstance(value, dict):
        return sorted((key, sorted_repr(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [sorted_repr(item) for item in value]
    if isinstance(value, (Entry, Sample)):
        return sorted_repr(vars(value))
    return repr((value, value.lines) if isinstance(value, GraphSample) else value)


# Format


@given(baselines)
def test_reading_what_was_written_gives_the_same_entries_and_text(baseline):
    text = dump_baseline(baseline)
    again = parse_baseline(text)
    assert sorted_repr(again) == sorted_repr(baseline)
    assert dump_baseline(again) == text


@given(baselines)
def test_the_text_is_strict_json_of_one_encoding(baseline):
    text = dump_baseline(baseline)
    json.loads(text, parse_constant=pytest.fail)
    assert text.endswith("}\n")
    assert text.encode().decode().replace("\n", "").isprintable()


@given(baselines, st.randoms())
def test_the_text_does_not_depend_on_the_order_of_entries(baseline, random):
    keys = list(baseline)
    random.shuffle(keys)
    assert dump_baseline({key: baseline[key] for key in keys}) == dump_baseline(baseline)


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_any_version_is_written_back_byte_for_byte(version):
    asset = ASSETS / f"baseline_v{version}.json"
    assert dump_baseline(load_baseline(asset)).encode() == asset.read_bytes()


def test_a_file_of_version_2_is_read_as_what_it_says():
    trained, named, large = load_baseline(ASSETS / "baseline_v2.json").values()
    first, second = (sample.graphs["graph"] for sample in trained.samples)
    assert first is second
    assert (first.source, first.source_version, first.n_nodes) == ("torch.fx", "2.13.0", 7)
    assert [node.kind.op for node in first.graph][-1] == "matmul"
    assert trained.origin.graphs["graph"].full != first.full
    assert sorted(named.samples[0].graphs) == ["graph decoder", "inner/graph"]
    assert large.samples[0].graphs["graph"].n_nodes == 1201
    assert len(large.samples[0].graphs["graph"].graph) == 1201


def test_a_file_of_version_1_is_read_as_what_it_says():
    baseline = load_baseline(ASSET)
    adam = baseline["TestOptimisers::test_converges[adam-1e-3]"]
    assert adam.samples[0].metrics["loss"].tail == 0.2
    assert adam.samples[0].seed == 0
    assert adam.origin is adam.origin_sample
    assert adam.origin.config["lr"] == 0.01
    diverges = baseline["test_diverges"]
    assert diverges.origin_sample is diverges.samples[0]
    assert math.isnan(diverges.samples[0].metrics["all_lost"].last)
    assert diverges.samples[0].metrics["all_lost"].mean is None
    assert diverges.samples[0].metrics["ends_in_infinity"].last == -math.inf
    assert [sample.seed for sample in baseline["test_größe"].samples] == [1, 2]
    assert "test_hidden[\u202e]" in baseline


def test_each_metric_is_one_line_and_metrics_are_sorted():
    sample = replace(SAMPLE, metrics={"b": SUMMARY, "a": SUMMARY})
    lines = [line.strip() for line in dump_baseline({"t": Entry((sample,), None)}).splitlines()]
    assert [line[:10] for line in lines if '"n"' in line] == ['"a": {"n":', '"b": {"n":']


def test_an_origin_is_written_only_where_it_is_set():
    assert '"origin"' not in dump_baseline(ENTRIES)
    assert '"origin"' in dump_baseline({"t": Entry((SAMPLE,), SAMPLE)})


def test_config_is_written_as_json_knows_it():
    config = {"b": (1, 2), "a": {"z": math.nan, "y": -math.inf}}
    text = dump_baseline({"t": Entry((replace(SAMPLE, config=config),), None)})
    assert '"config": {"a": {"y": "-Infinity", "z": "NaN"}, "b": [1, 2]}' in text


@pytest.mark.parametrize(
    ("sample", "place"),
    [
        (replace(SAMPLE, config={"opt": {"f": object()}}), "config > opt > f"),
        (replace(SAMPLE, environment={"x": [1, {2}]}), "environment > x > 1"),
        (replace(SAMPLE, config={"map": {1: 2}}), "config > map"),
        (replace(SAMPLE, config=ENDLESS), "config > self > .*"),
        (replace(SAMPLE, seed=True), "seed"),
        (replace(SAMPLE, metrics={"loss": replace(SUMMARY, n=0)}), "metrics > loss"),
        (replace(SAMPLE, metrics={"loss": replace(SUMMARY, mean=math.nan)}), "metrics > loss"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, sample, place):
    path = tmp_path / "x.json"
    with pytest.raises(BaselineError, match=f"tests > t > samples > 0 > {place}: "):
        save_baseline(path, {"t": Entry((sample,), None)})
    assert not path.exists()


def test_an_entry_without_samples_is_not_written():
    with pytest.raises(BaselineError, match=r"tests > t: .* at least one sample"):
        dump_baseline({"t": Entry((), None)})


# Reading what is broken


def edited(old, new):
    text = dump_baseline(ENTRIES)
    assert text.count(old) == 1
    return text.replace(old, new)


METRIC = "tests > test_a > samples > 0 > metrics > loss"
LINES = dump_baseline(ENTRIES).splitlines(keepends=True)
CONFLICT = "".join([*LINES[:5], "<<<<<<< ours\n", "=======\n", ">>>>>>> theirs\n", *LINES[5:]])
DEEP = '{"version": 1, "tests": ' + '{"a": ' * 200_000
LISTS = f'{{"a": {"[" * 60}{"]" * 60}}}'

NEXT_STEPS = ("mend", "resolve", "upgrade", "write", "flatten")
BROKEN = {
    "empty file": ("", "line 1 column 1"),
    "cut short": ("".join(LINES[:6]), "not JSON at line 7 column 1"),
    "comma too many": (edited('"seed": 0,', '"seed": 0,,'), "not JSON at line 7 column 21"),
    "conflict markers": (CONFLICT, "line 6 is a git conflict marker; resolve the merge conflict"),
    "byte order mark": ("\ufeff" + dump_baseline(ENTRIES), "not JSON at line 1 column 1"),
    "nested too deeply": (DEEP, "nested too deeply"),
    "nested too deeply to write": (edited('{"lr": 0.1}', LISTS), "config > a > 0 > .* too deeply"),
    "a list": ("[]", "top level: an object is needed"),
    "no version": ('{"tests": {}}', 'top level: the key "version" is missing'),
    "no tests": ('{"version": 1}', 'top level: the key "tests" is missing'),
    "newer version": (
        '{"version": 3, "tests": [], "more": 0}',
        "version: format 3 is newer than 2, .*upgrade pytest-sgtrack",
    ),
    "older version": (
        edited('"version": 1', '"version": 0'),
        "version: .* 1 to 2 is needed",
    ),
    "boolean version": (edited('"version": 1', '"version": true'), "version: .* not true"),
    "float version": (edited('"version": 1', '"version": 1.0'), "version: .* not 1.0"),
    "text version": (edited('"version": 1', '"version": "1"'), 'version: .* not "1"'),
    "unknown top key": (edited('"tests"', '"x": 1, "tests"'), 'top level: the key "x" is unknown'),
    "tests a list": ('{"version": 1, "tests": []}', "tests: an object is needed"),
    "entry null": ('{"version": 1, "tests": {"t": null}}', "tests > t: an object .* not null"),
    "no samples": (
        '{"version": 1, "tests": {"t": {"samples": []}}}',
        "tests > t > samples: a list of at least one sample",
    ),
    "samples an object": (
        '{"version": 1, "tests": {"t": {"samples": {}}}}',
        "tests > t > samples: a list",
    ),
    "origin null": (
        edited("      ]\n", '      ], "origin": null\n'),
        "tests > test_a > origin: an object is needed, not null",
    ),
    "duplicate key": (
        edited('"mean": 1.5', '"mean": 1.5, "mean": 1.5'),
        f'{METRIC}: the key "mean" appears more than once',
    ),
    "duplicate key in config": (
        edited('{"lr": 0.1}', '{"a": [{"lr": 1, "lr": 2}]}'),
        'samples > 0 > config > a > 0: the key "lr" appears more than once',
    ),
    "missing statistic": (edited('"mean": 1.5, ', ""), f'{METRIC}: the key "mean" is missing'),
    "unknown statistic": (edited('"mean"', '"meen": 1, "mean"'), '"meen" is unknown'),
    "missing config": (edited('"config": {"lr": 0.1},', ""), 'the key "config" is missing'),
    "config a list": (edited('{"lr": 0.1}', "[]"), "config: an object is needed"),
    "environment null": (edited('{"python": "3.11"}', "null"), "environment: an object is needed"),
    "seed a boolean": (edited('"seed": 0', '"seed": false'), "seed: an integer .* not false"),
    "seed a float": (edited('"seed": 0', '"seed": 0.0'), "seed: an integer is needed, not 0.0"),
    "metric a list": (edited('"loss": {', '"acc": [], "loss": {'), "acc: an object is needed"),
    "bare NaN": (edited('"last": 2.0', '"last": NaN'), f'{METRIC} > last: bare NaN .*"NaN"'),
    "bare infinity": (edited('"last": 2.0', '"last": -Infinity'), "last: bare -Infinity"),
    "bare NaN in config": (edited('"lr": 0.1', '"lr": NaN'), "config > lr: bare NaN"),
    "float overflow": (edited('"last": 2.0', '"last": 1e999'), "last: 1e999 is out of range"),
    "int without end": (
        edited('"last": 2.0', f'"last": {"9" * 5000}'),
        "last: a number of 5000 digits is out of range",
    ),
    "int beyond floats": (edited('"last": 2.0', f'"last": {"9" * 400}'), "last: a number"),
    "boolean statistic": (edited('"mean": 1.5', '"mean": true'), "mean: a number .* not true"),
    "text statistic": (edited('"mean": 1.5', '"mean": "nan"'), 'mean: a number .* not "nan"'),
    "list statistic": (edited('"mean": 1.5', '"mean": [1.5]'), "mean: a number is needed"),
    "boolean count": (edited('"n": 4', '"n": true'), f"{METRIC} > n: an integer .* not true"),
    "float count": (edited('"n": 4', '"n": 4.0'), f"{METRIC} > n: an integer .* not 4.0"),
    "null count": (edited('"n_nan": 0', '"n_nan": null'), "n_nan: an integer is needed, not null"),
}


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_and_the_error_names_file_place_and_next_step(
    tmp_path, text, problem
):
    path = tmp_path / "test_x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BaselineError, match=problem) as caught:
        load_baseline(path)
    assert str(caught.value).startswith(f"baseline {path}: ")
    assert any(step in str(caught.value) for step in NEXT_STEPS)


IMPOSSIBLE = {
    "no records": {"n": 0},
    "negative n_nan": {"n_nan": -1},
    "negative n_inf": {"n_inf": -1},
    "more non-finite than records": {"n_nan": 3, "n_inf": 2},
    "min above max": {"min": 3.0},
    "mean outside": {"mean": 2.5},
    "tail outside": {"tail": 0.5},
    "negative std": {"std": -0.5},
    "last outside": {"last": 9.0},
    "last null": {"last": None},
    "last NaN without one": {"last": math.nan},
    "last infinite without one": {"last": math.inf, "n_nan": 1},
    "no mean of finite records": {"mean": None},
    "NaN mean": {"mean": math.nan, "n_nan": 1},
    "infinite max": {"max": math.inf, "n_inf": 1},
    "a mean of no finite record": {"n_nan": 4},
    "steps backwards": {"first_step": 4},
    "n beyond 64 bits": {"n": 2**63},
    "step beyond 64 bits": {"last_step": 2**63},
    "step below 64 bits": {"first_step": -(2**63) - 1},
}


@pytest.mark.parametrize("changes", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_summary_that_no_run_can_give_is_neither_read_nor_written(changes):
    summary = replace(SUMMARY, **changes)
    with pytest.raises(BaselineError, match="metrics > loss: "):
        dump_baseline({"t": Entry((replace(SAMPLE, metrics={"loss": summary}),), None)})
    text = dump_baseline(ENTRIES)
    for field, value in changes.items():
        was = json.dumps(getattr(SUMMARY, field))
        non_finite = {"nan": '"NaN"', "inf": '"Infinity"'}
        now = non_finite.get(repr(value), json.dumps(value))
        text = text.replace(f'"{field}": {was}', f'"{field}": {now}')
    with pytest.raises(BaselineError, match=f"{METRIC}: .*mend"):
        parse_baseline(text)


def test_whole_numbers_written_by_hand_are_numbers():
    text = edited('"mean": 1.5', '"mean": 2')
    mean = parse_baseline(text)["test_a"].samples[0].metrics["loss"].mean
    assert (mean, type(mean)) == (2.0, float)


def test_a_missing_file_is_an_empty_baseline(tmp_path):
    assert load_baseline(tmp_path / "none.json") == {}


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'{"version": \xff}')
    with pytest.raises(BaselineError, match=r"x\.json: byte 12 is not UTF-8; mend"):
        load_baseline(path)


def test_a_file_the_system_cannot_read_is_an_error_and_not_an_empty_baseline(tmp_path):
    with pytest.raises(BaselineError, match="cannot be read") as caught:
        load_baseline(tmp_path)
    assert isinstance(caught.value.__cause__, IsADirectoryError)


# Saving


@pytest.mark.parametrize("baseline", [{}, ENTRIES])
def test_saving_makes_the_folder_and_loading_gives_the_same(tmp_path, baseline):
    path = tmp_path / "a" / "__baselines__" / "test_x.json"
    save_baseline(path, baseline)
    assert load_baseline(path) == baseline
    assert path.read_text(encoding="utf-8") == dump_baseline(baseline)
    assert list(path.parent.iterdir()) == [path]


def test_no_write_happens_where_the_text_is_unchanged(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    save_baseline(path, ENTRIES)
    before = path.stat()
    monkeypatch.setattr(os, "replace", lambda *args: pytest.fail("written"))
    save_baseline(path, ENTRIES)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_an_existing_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "x.json"
    path.write_text("{}", encoding="utf-8")
    path.chmod(mode)
    save_baseline(path, ENTRIES)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert load_baseline(path) == ENTRIES


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    path, other = tmp_path / "x.json", tmp_path / "other"
    save_baseline(path, ENTRIES)
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_a_symbolic_link_stays_one(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    link.symlink_to(target)
    save_baseline(link, ENTRIES)
    assert link.is_symlink()
    assert load_baseline(target) == ENTRIES


def test_the_file_is_on_disk_before_it_takes_the_old_ones_place_and_the_folder_after(
    tmp_path, monkeypatch
):
    calls = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(fd):
        calls.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real_fsync(fd)

    def replace_(source, target):
        calls.append("replace")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace_)
    save_baseline(tmp_path / "x.json", ENTRIES)
    assert calls == ["file", "replace", "folder"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, call, error):
    path = tmp_path / "x.json"
    save_baseline(path, {})

    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        expected = BaselineError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            save_baseline(path, ENTRIES)
    if expected is BaselineError:
        assert "No space left on device" in str(caught.value)
        assert caught.value.__cause__ is error
    assert load_baseline(path) == {}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_an_error_of_the_baseline(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BaselineError, match="cannot be written"):
        save_baseline(tmp_path / "file" / "x.json", ENTRIES)


@pytest.mark.parametrize(
    ("test_file", "expected"),
    [
        ("test_x.py", "__baselines__/test_x.json"),
        ("a/b/test_x.py", "a/b/__baselines__/test_x.json"),
        ("/r/test.v2.py", "/r/__baselines__/test.v2.json"),
        ("docs/guide.md", "docs/__baselines__/guide.md.json"),
        ("docs/README", "docs/__baselines__/README.json"),
    ],
)
def test_a_baseline_lies_beside_its_test_file(test_file, expected):
    assert baseline_path(Path(test_file)) == Path(expected)


# Finding


def test_baselines_below_a_folder_are_found_wherever_tests_lie(tmp_path):
    for name in (
        *("__baselines__/test_b.json", "a/b/__baselines__/test_a.json"),
        *("a/__baselines__/test_x.txt", "a/__baselines__/.hidden.json", "a/test_y.json"),
        *(".git/__baselines__/x.json", "node_modules/__baselines__/x.json"),
        *("env/pyvenv.cfg", "env/lib/__baselines__/x.json"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_baselines(tmp_path)]
    assert found == ["__baselines__/test_b.json", "a/b/__baselines__/test_a.json"]


# Variants

DEVICES = ("device", "python")


def on(device, python="3.11.8", seed=0, **metrics):
    metrics = metrics or {"loss": SUMMARY}
    return Sample(metrics, {"lr": 0.1}, {"device": device, "python": python}, seed)


@pytest.mark.parametrize(
    ("device", "python", "expected", "note"),
    [
        ("cpu", "3.11.8", [0, 2], ""),
        ("cpu", "3.11.2", [0, 2], ""),
        ("cuda", "3.12.1", [1], ""),
        ("cuda", "3.11.8", [0, 2], "device cpu, this run cuda"),  # of two as good, the first
        ("cuda", "3.13.0", [1], "python 3.12, this run 3.13"),
        ("mps", "3.12.9", [1], "device cuda, this run mps"),
        ("mps", "3.13.0", [0, 2], "device cpu, this run mps, python 3.11, this run 3.13"),
        (None, "3.11.0", [0, 2], "device cpu, this run None"),
    ],
)
def test_a_run_meets_the_samples_of_the_variant_that_fits_best(device, python, expected, note):
    known = [on("cpu"), on("cuda", "3.12.4"), on("cpu", seed=1)]
    found, said = matching_samples(known, {"device": device, "python": python}, DEVICES)
    assert found == [known[i] for i in expected]
    assert said == (f"the baseline is of {note}" if note else "")


def test_without_names_that_tell_variants_apart_all_samples_are_met():
    known = [on("cpu"), on("cuda")]
    assert matching_samples(known, {"device": "mps"}, ()) == (known, "")


def test_a_name_that_neither_side_has_tells_nothing_apart():
    assert matching_samples([SAMPLE], {}, ("gpu",)) == ([SAMPLE], "")


def test_values_of_any_kind_tell_variants_apart():
    values = (["a"], {"b": [1]}, None, "1.2.3", "1.2.4")
    known = [replace(SAMPLE, environment={"gpus": value}) for value in values]
    for sample in known:
        assert matching_samples(known, sample.environment, ("gpus", "gpus")) == ([sample], "")


# Updating

FIRST = SAMPLE
SECOND = replace(SAMPLE, metrics={"loss": replace(SUMMARY, mean=1.6)})
THIRD = replace(SAMPLE, metrics={"loss": replace(SUMMARY, mean=1.7)})
ACC = Summary(4, 0, 0, 0.5, 0.9, 0.7, 0.1, 0.8, 0.9, 0, 3)


def test_the_first_accepted_sample_is_its_own_origin():
    assert updated_entry(None, [FIRST]) == Entry((FIRST,), None)
    assert updated_entry(None, [FIRST, SECOND]) == Entry((FIRST, SECOND), None)


def test_an_update_replaces_the_samples_and_keeps_the_origin():
    second = updated_entry(Entry((FIRST, THIRD), None), [SECOND])
    assert second == Entry((SECOND,), FIRST)
    assert updated_entry(second, [THIRD, SECOND]) == Entry((THIRD, SECOND), FIRST)


@pytest.mark.parametrize(
    "other",
    [
        replace(SAMPLE, config={"lr": 0.2}),
        replace(SAMPLE, config={}),
        replace(SAMPLE, seed=1),
        replace(SAMPLE, seed=None),
        replace(SAMPLE, metrics={}),
        replace(SAMPLE, metrics={"loss": replace(SUMMARY, last_step=4)}),
    ],
)
def test_a_difference_in_metrics_config_or_seed_is_an_update(other):
    assert updated_entry(Entry((SAMPLE,), None), [other]) == Entry((other,), SAMPLE)
    assert updated_entry(Entry((SAMPLE,), None), [SAMPLE, other]) == Entry((SAMPLE, other), None)


@pytest.mark.parametrize("old", [Entry((SECOND, FIRST), None), Entry((FIRST,), THIRD)])
def test_a_sample_that_differs_in_environment_alone_changes_nothing(old):
    assert updated_entry(old, [replace(FIRST, environment={"python": "3.13"})]) is old


def test_a_sample_that_is_the_origin_again_gives_the_first_entry_back():
    back = updated_entry(Entry((SECOND,), FIRST), [replace(FIRST, environment={})])
    assert back == Entry((FIRST,), None)


def test_a_sample_that_lacks_what_another_has_takes_its_place_though_it_was_known():
    other = replace(SAMPLE, seed=1, metrics={"loss": SUMMARY, "acc": ACC})
    assert updated_entry(Entry((FIRST, other), None), [FIRST]) == Entry((FIRST,), None)


def test_an_update_leaves_other_variants_where_they_are():
    old = Entry((on("cuda"), on("cpu"), on("mps"), on("cpu", seed=1)), None)
    new = on("cpu", "3.11.1", acc=ACC)
    entry = updated_entry(old, [new], DEVICES)
    assert entry == Entry((on("cuda"), new, on("mps")), None)
    assert updated_entry(old, [on("cuda", acc=ACC)], DEVICES).origin == on("cuda")


def test_a_new_variant_joins_those_there_are():
    assert updated_entry(Entry((on("cpu"),), None), [on("cuda")], DEVICES) == Entry(
        (on("cpu"), on("cuda")), None
    )


def test_the_origin_again_leaves_other_variants_in_peace():
    old = Entry((on("cuda"), on("cpu", acc=ACC)), on("cpu"))
    assert updated_entry(old, [on("cpu")], DEVICES) == Entry((on("cuda"), on("cpu")), on("cpu"))


def test_an_origin_of_another_variant_is_not_taken_for_a_sample_of_this():
    old = Entry((on("cpu", acc=ACC),), on("cuda"))
    assert updated_entry(old, [on("cpu")], DEVICES) == Entry((on("cpu"),), on("cuda"))


some = st.lists(samples, min_size=1, max_size=3)


@given(entries, some)
def test_an_update_twice_is_an_update_once_and_origins_never_move(old, new):
    once = updated_entry(old, new)
    assert updated_entry(once, new) is once
    assert dump_baseline({"t": Entry((once.origin_sample,), None)}) == dump_baseline(
        {"t": Entry((old.origin_sample,), None)}
    )


@given(entries, some)
def test_samples_read_back_from_their_file_are_the_same_samples(old, new):
    entry = updated_entry(old, new)
    read = parse_baseline(dump_baseline({"t": entry}))["t"]
    assert updated_entry(read, new) is read


EXACT = MetricSettings(None, 0.0, 0.0, STATISTICS)
variant_names = st.sampled_from([(), ("device",)])
devices = st.sampled_from(["cpu", "cuda"])
variant_samples = st.builds(
    Sample,
    metrics=st.dictionaries(st.sampled_from("abc"), summaries, max_size=3),
    config=st.just({}),
    environment=st.fixed_dictionaries({"device": devices}),
    seed=st.none() | st.integers(0, 2),
)
variant_entries = st.builds(
    Entry,
    samples=st.lists(variant_samples, min_size=1, max_size=5).map(tuple),
    origin=st.none() | variant_samples,
)


def verdict_of(entry, sample, variant_keys):
    known, _ = matching_samples(entry.samples, sample.environment, variant_keys)
    context = Context(sample.seed, origin=entry.origin_sample)
    return compare(known, sample.metrics, lambda _: EXACT, context).verdict


@given(st.none() | variant_entries, variant_samples, variant_names)
def test_a_run_that_was_accepted_is_identical(old, run, variant_keys):
    entry = updated_entry(old, [run], variant_keys)
    assert verdict_of(entry, run, variant_keys) is Verdict.IDENTICAL


# Accepting some metrics


def both(loss, acc, **changes):
    return replace(SAMPLE, metrics={"loss": loss, "acc": acc}, **changes)


WORSE = replace(SUMMARY, mean=1.9)


def test_a_metric_that_is_accepted_leaves_the_others_as_they_were():
    old = Entry((both(SUMMARY, ACC),), None)
    entry = accepted_entry(old, [both(WORSE, SUMMARY)], {"loss"})
    assert entry == Entry((both(WORSE, ACC),), both(SUMMARY, ACC))


def test_a_new_metric_joins_the_origin_and_needs_no_other():
    entry = accepted_entry(Entry((SAMPLE,), None), [both(WORSE, ACC)], {"acc"})
    assert entry == Entry((both(SUMMARY, ACC),), None)
    entry = accepted_entry(Entry((SECOND,), FIRST), [both(WORSE, ACC)], {"acc"})
    assert entry.origin == both(SUMMARY, ACC)


def test_what_a_run_of_another_seed_gave_joins_no_origin():
    entry = accepted_entry(Entry((SAMPLE,), None), [both(WORSE, ACC, seed=1)], {"acc"})
    assert entry == Entry((SAMPLE, replace(SAMPLE, seed=1, metrics={"acc": ACC})), None)


def test_a_metric_that_is_gone_is_removed_from_samples_and_origin():
    old = Entry((both(SUMMARY, ACC), both(WORSE, ACC, seed=1)), both(WORSE, ACC))
    entry = accepted_entry(old, [SAMPLE], {"acc"})
    lost = {"loss": WORSE}
    assert entry == Entry(
        (SAMPLE, replace(SAMPLE, seed=1, metrics=lost)), replace(SAMPLE, metrics=lost)
    )


def test_samples_that_have_nothing_left_go_and_those_that_had_nothing_stay():
    empty = replace(SAMPLE, seed=2, metrics={})
    old = Entry((SAMPLE, replace(SAMPLE, seed=1), empty), None)
    assert accepted_entry(old, [SECOND], {"loss"}) == Entry((SECOND, empty), SAMPLE)


def test_nothing_is_left_of_an_entry_whose_last_metric_is_removed():
    assert accepted_entry(Entry((SAMPLE,), None), [replace(SAMPLE, metrics={})], {"loss"}) is None


def test_where_all_is_accepted_the_sample_says_what_it_was_run_with():
    new = replace(SECOND, config={"lr": 0.2}, environment={"python": "3.13"})
    assert accepted_entry(Entry((SAMPLE,), None), [new], {"loss"}) == Entry((new,), SAMPLE)
    entry = accepted_entry(Entry((both(SUMMARY, ACC),), None), [new], {"loss"})
    assert entry.samples == (both(new.metrics["loss"], ACC),)


@pytest.mark.parametrize("seeds", [[0, 1, 2, 3, 4], [None] * 5])
def test_as_many_samples_as_were_accepted_are_kept(seeds):
    new = [
        replace(SAMPLE, seed=seed, metrics={"loss": replace(SUMMARY, mean=1 + i / 16)})
        for i, seed in enumerate(seeds)
    ]
    assert accepted_entry(None, new, {"loss"}) == Entry(tuple(new), None)
    entry = accepted_entry(Entry((replace(SAMPLE, seed=seeds[0]),), None), new, {"loss"})
    assert entry.samples == tuple(new)


def test_accepting_leaves_other_variants_as_they_are():
    old = Entry((on("cuda"), on("cpu")), None)
    entry = accepted_entry(old, [on("cpu", loss=WORSE, acc=ACC)], {"loss", "acc"}, DEVICES)
    assert entry == Entry((on("cuda"), on("cpu", loss=WORSE, acc=ACC)), None)


def metrics_of(entry, wanted):
    """The samples with their wanted metrics, those with none left out, and the origin's."""
    kept = [
        replace(
            one, metrics={name: one.metrics[name] for name in sorted(one.metrics) if name in wanted}
        )
        for one in (*entry.samples, entry.origin_sample)
    ]
    texts = [sorted_repr([one.seed, one.environment, dict(one.metrics)]) for one in kept]
    return [text for text, one in zip(texts[:-1], kept, strict=False) if one.metrics], texts[-1][2]


@given(variant_entries, variant_samples, st.sets(st.sampled_from("abc"), max_size=2), variant_names)
def test_accepting_some_metrics_leaves_all_others_bit_equal(old, run, metrics, variant_keys):
    entry = accepted_entry(old, [run], metrics, variant_keys)
    others = set("abc") - metrics
    if entry is None:
        assert metrics_of(old, others)[0] == []
    else:
        assert metrics_of(entry, others) == metrics_of(old, others)


@given(variant_entries, variant_samples, variant_names)
def test_accepting_all_metrics_makes_the_run_identical(old, run, variant_keys):
    entry = accepted_entry(old, [run], set("abc"), variant_keys)
    if entry is None:
        assert not run.metrics
    elif run.metrics:
        assert verdict_of(entry, run, variant_keys) is Verdict.IDENTICAL
        again = accepted_entry(entry, [run], set("abc"), variant_keys)
        assert dump_baseline({"t": again}) == dump_baseline({"t": entry})


# Adding what is missing


def test_missing_metrics_join_the_sample_of_their_seed():
    other = replace(SAMPLE, seed=1)
    origin = replace(SAMPLE, config={"lr": 1})
    new = replace(SAMPLE, seed=1, metrics={"loss": ACC, "acc": ACC})
    entry = extended_entry(Entry((SAMPLE, other), origin), new)
    assert entry.samples == (SAMPLE, replace(other, metrics={"loss": SUMMARY, "acc": ACC}))
    assert entry.origin == origin


def test_missing_metrics_of_the_origins_seed_join_the_origin():
    origin = replace(SAMPLE, config={"lr": 1})
    entry = extended_entry(Entry((SECOND,), origin), both(WORSE, ACC))
    assert entry.origin == replace(origin, metrics={"loss": SUMMARY, "acc": ACC})


def test_missing_metrics_of_another_seed_are_a_sample_of_their_own():
    entry = extended_entry(Entry((SAMPLE,), None), replace(SAMPLE, seed=7, metrics={"acc": ACC}))
    assert entry.samples == (SAMPLE, replace(SAMPLE, seed=7, metrics={"acc": ACC}))


def test_a_variant_misses_what_only_another_has():
    entry = extended_entry(Entry((on("cuda"),), None), on("cpu"), DEVICES)
    assert entry == Entry((on("cuda"), on("cpu")), None)


@given(entries, samples)
def test_adding_never_changes_what_is_there_and_adds_all_that_is_missing(old, sample):
    entry = extended_entry(old, sample)
    for before, after in zip(old.samples, entry.samples, strict=False):
        kept = {name: after.metrics[name] for name in before.metrics}
        assert sorted_repr(kept) == sorted_repr(before.metrics)
    present = {name for one in entry.samples for name in one.metrics}
    assert present >= set(sample.metrics)
    assert sorted_repr(extended_entry(entry, sample)) == sorted_repr(entry)


def test_a_test_without_an_entry_gets_its_first():
    assert extended_entry(None, SAMPLE) == Entry((SAMPLE,), None)
