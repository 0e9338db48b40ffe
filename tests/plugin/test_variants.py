"""Variants of a baseline: samples of several environments in one entry."""

from __future__ import annotations

import json
import platform

import pytest

PATH = "__baselines__/test_it.json"
HERE = platform.machine()
PYTHON = platform.python_version()


def written(project, *samples):
    """Give the only test a baseline of these environments, each with a loss of its own."""
    path = project.path / PATH
    baseline = json.loads(path.read_text())
    (first,) = baseline["tests"]["test_train"]["samples"]
    loss = first["metrics"]["loss"]
    values = ("min", "max", "mean", "tail", "last")
    baseline["tests"]["test_train"]["samples"] = [
        {
            **first,
            "environment": first["environment"] | environment,
            "metrics": {"loss": loss | dict.fromkeys(values, value)},
        }
        for environment, value in samples
    ]
    path.write_text(json.dumps(baseline))


def variants(project):
    """Return the machine and the loss of each sample."""
    entry = json.loads((project.path / PATH).read_text())["tests"]["test_train"]
    return [
        (one["environment"]["machine"], one["metrics"]["loss"]["mean"]) for one in entry["samples"]
    ]


@pytest.fixture
def varied(trained):
    """A project whose only test is accepted here at 1, and on two other machines elsewhere."""
    trained.ini("sg_track_variants = machine python")
    written(trained, ({"machine": "vax"}, 5.0), ({}, 1.0), ({"machine": "cray"}, 7.0))
    return trained


def test_a_run_is_compared_with_the_samples_of_its_own_variant(varied):
    varied.track().stdout.fnmatch_lines("1 test compared: 1 identical")
    result = varied.track(LOSS="5")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("loss: tail went from 1 to 5*")
    result.stdout.no_fnmatch_line("*the baseline is of*")


def test_where_none_is_its_own_it_is_compared_with_the_best_and_told_so(trained):
    trained.ini("sg_track_variants = machine python")
    written(trained, ({"machine": "vax", "python": "2.7.1"}, 5.0), ({"machine": "cray"}, 1.0))
    result = trained.track()
    note = f"  the baseline is of machine cray, this run {HERE}"
    result.stdout.fnmatch_lines(["1 test compared: 1 identical", "identical *", note])
    red = trained.track(LOSS="2")
    red.assert_outcomes(failed=1)
    red.stdout.fnmatch_lines(["loss: tail went from 1 to 2*", note, "*to accept: sgtrack accept *"])


def test_without_variants_all_samples_are_of_one(trained):
    written(trained, ({"machine": "vax"}, 1.0))
    result = trained.track()
    result.stdout.fnmatch_lines("1 test compared: 1 identical")
    result.stdout.no_fnmatch_line("*the baseline is of*")


def test_a_patch_release_of_python_is_no_variant(trained):
    trained.ini("sg_track_variants = python")
    written(trained, ({"python": PYTHON.rpartition(".")[0] + ".99"}, 1.0))
    trained.track().stdout.no_fnmatch_line("*the baseline is of*")


OTHERS = [("vax", 5.0), ("cray", 7.0)]


def test_accepting_or_updating_one_variant_keeps_the_others(varied):
    assert varied.track(LOSS="2").ret == 1
    assert varied.sgtrack("accept")[0] == 0
    assert variants(varied) == [OTHERS[0], (HERE, 2.0), OTHERS[1]]
    assert varied.track("--sg-track-update=all", LOSS="3").ret == 0
    assert variants(varied) == [OTHERS[0], (HERE, 3.0), OTHERS[1]]
    before = varied.baselines()
    assert varied.track("--sg-track-update=all", LOSS="3").ret == 0
    assert varied.baselines() == before


@pytest.mark.parametrize("update", ["new", "all", "accept"])
def test_a_variant_nobody_has_accepted_joins_the_others(trained, update):
    trained.ini("sg_track_variants = machine")
    written(trained, ({"machine": "vax"}, 5.0), ({"machine": "cray"}, 7.0))
    if update == "accept":
        assert trained.track(LOSS="9").ret == 1
        assert trained.sgtrack("accept")[0] == 0
    else:
        # What it settles does not fail: nothing of this variant was known.
        assert trained.track(f"--sg-track-update={update}", LOSS="9").ret == 0
    assert variants(trained) == [*OTHERS, (HERE, 9.0)]
    trained.track(LOSS="9").stdout.fnmatch_lines("1 test compared: 1 identical")


def test_a_drift_is_not_measured_from_the_origin_of_another_variant(varied):
    # The origin is the sample of another machine, at 5.
    varied.track("--sg-track-update=all", LOSS="4.9")
    result = varied.track(LOSS="5.1")
    result.stdout.fnmatch_lines("1 test compared: 1 within")
    varied.track("--sg-track-update=all", LOSS="5.2").assert_outcomes(passed=1)
    varied.track(LOSS="5.4").stdout.fnmatch_lines("1 test compared: 1 within")


def test_an_unknown_name_of_a_variant_is_a_usage_error(project):
    result = project.track("--sg-track-variants=machine colour")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "'colour' is unknown; there are device, platform," in result.stderr.str()
