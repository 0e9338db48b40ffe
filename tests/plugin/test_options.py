"""Options: a flag and an ini key each, one help text, one header line."""

from __future__ import annotations

import re

import pytest

from pytest_sgtrack import options

CHOICES = [option for option in options._OPTIONS if option.choices]


def test_every_option_is_a_flag_and_an_ini_key_with_its_help(project):
    result = project.pytest("--help")
    unbroken = re.sub(r"(?<=\w-)\n\s+", "", result.stdout.str())
    shown = re.sub(r"\s+", " ", unbroken)
    flags = set(re.findall(r"(--sg-track[\w-]*)", shown))
    keys = set(re.findall(r"(?<!-)\b(sg_track\w*) \((?:string|bool|linelist)\)", shown))
    assert flags == {option.flag for option in options._OPTIONS}
    asked_once = {"samples", "prune"}  # never for every session
    assert keys == {option.ini for option in options._OPTIONS if option.name not in asked_once}
    for option in options._OPTIONS:
        assert shown.count(option.help) == 2 - (option.name in asked_once)


@pytest.mark.parametrize("option", CHOICES, ids=lambda option: option.ini)
def test_an_unknown_choice_in_the_ini_file_is_a_usage_error_that_names_it(pytester, option):
    pytester.makeini(f"[pytest]\n{option.ini} = never")
    with pytest.raises(pytest.UsageError, match=rf"tox\.ini: {option.ini} = 'never'") as caught:
        pytester.parseconfigure()
    assert all(choice in str(caught.value) for choice in option.choices)


def test_usage_errors_come_from_the_command_line_as_they_do_from_the_ini_file(project):
    for argument in ("--sg-track-on-missing=never", "--sg-track-update"):
        result = project.track(argument, "test_it.py")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert argument.partition("=")[0] in result.stderr.str()
    result = project.ini("sg_track_on_missing = never").pytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR


URL = "postgresql://owner@127.0.0.1:1/store"


@pytest.mark.parametrize(
    ("flags", "ini", "message"),
    [
        (
            ["--sg-track-baseline=store:main"],
            "",
            "--sg-track-baseline=store:main needs --sg-track-store=URL",
        ),
        (
            ["--sg-track-baseline=store:main", f"--sg-track-store={URL}", "--sg-track-samples=3"],
            "",
            "--sg-track-samples makes baseline files; a history gets samples from sessions",
        ),
        ([], "sg_track_history = 0", "--sg-track-history=0: at least 1 is needed"),
        ([], "sg_track_history = many", "sg_track_history = 'many': a number is needed"),
    ],
)
def test_settings_that_do_not_go_together_are_a_usage_error_that_says_why(
    project, flags, ini, message
):
    pytest.importorskip("psycopg")
    result = project.ini(ini).track(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_the_ini_file_turns_everything_on_that_flags_do_and_flags_win(trained):
    trained.ini(
        "sg_track = true",
        "sg_track_dir = by/ini",
        "sg_track_experiment = mine",
        "sg_track_on_regression = warn",
        "sg_track_on_missing = report",
        "sg_track_strict = true",
    )
    result = trained.pytest(LOSS="2")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        "sg-track: on (sg_track = true), recording into by/ini/mine.db, regressions warn,"
        " missing baselines report, strict"
    )
    assert trained.runs(folder="by/ini", experiment="mine")["test_it.py::test_train"]

    result = trained.track(
        "--sg-track-dir=other",
        "--sg-track-experiment=theirs",
        "--sg-track-on-regression=fail",
        "--sg-track-on-missing=fail",
        LOSS="2",
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        "sg-track: on (--sg-track), recording into other/theirs.db, regressions fail,"
        " missing baselines fail, strict"
    )
    assert trained.runs(folder="other", experiment="theirs")["test_it.py::test_train"]


def test_the_ini_file_can_ask_for_an_update(trained):
    result = trained.ini("sg_track = true", "sg_track_update = all").pytest(LOSS="2")
    result.stdout.fnmatch_lines(["sg-track: on *, updating baselines: all", "wrote *"])
    assert trained.entries() == {"test_train": {"loss"}}
    assert trained.ini("sg_track_update = all").pytest().ret == 0  # off, so nothing to update


def test_the_header_says_that_this_is_ci(project):
    result = project.track("--collect-only", CI="true")
    result.stdout.fnmatch_lines("sg-track: on (--sg-track), *, missing baselines fail (CI)")


@pytest.mark.parametrize("way", ["no-xdist", "n2"], indirect=True)
def test_folders_are_those_of_rootdir_wherever_pytest_is_started(trained, way):
    (trained.path / "elsewhere").mkdir()
    result = trained.track("../test_it.py", folder="elsewhere", way=way, LOSS="2")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "sg-track: on (--sg-track), recording into experiments/pytest.db, *",
            "*baseline:  ../__baselines__/test_it.json",
            "*to accept: sgtrack accept --dir=../experiments test_it.py::test_train",
            "regressed ../test_it.py::test_train - loss: *",
        ]
    )
    assert not list((trained.path / "elsewhere").iterdir())
    assert trained.runs()["test_it.py::test_train"].verdict == "regressed"
