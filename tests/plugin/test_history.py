"""Baselines out of history: a test is compared with what the runs of a branch have given."""

from __future__ import annotations

import json
import subprocess

import pytest

TEST = """
    import os
    import random

    def test_fit(tracker):
        for step in range(5):
            tracker.record("loss", float(os.environ.get("LOSS", "1")), step)
"""
NOISY = """
    import os
    import random

    def test_fit(tracker, sg_seed):
        rng = random.Random(sg_seed)
        for step in range(5):
            tracker.record("loss", float(os.environ.get("LOSS", "1")) + rng.gauss(0, 0.01), step)
"""


class Branches:
    """A project in a git repository whose sessions go into a store."""

    def __init__(self, project, store):
        self.project = project
        self.store = store
        self.git("init", "-q", "-b", "main")
        self.commit()

    def git(self, *arguments):
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        folder = self.project.path
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)

    def commit(self):
        self.git("add", "*.py", "pytest.ini")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def session(self, *arguments, **environment):
        """Run a session that is compared with main, and goes there."""
        chosen = (f"--sg-track-store={self.store}", "--sg-track-baseline=store:main")
        return self.project.track(*chosen, *arguments, **environment)

    def verdicts(self):
        """The verdict of each run, the oldest first."""
        return [run.verdict for run in self.project.stored()]


@pytest.fixture
def branches(project, store):
    project.write(TEST)
    return Branches(project, store)


def said(result):
    return "\n".join(result.outlines)


def test_a_test_is_compared_with_the_runs_of_the_branch(branches):
    assert branches.session("--sg-track-on-missing=report").ret == 0  # the first has nothing
    assert branches.session().ret == 0
    worse = branches.session(LOSS="1.2")
    assert worse.ret == 1
    assert "baseline:  store:main, 2 runs in postgresql://owner@127.0.0.1" in said(worse)
    assert "to accept: merge it, and on main run it with --sg-track-update=all" in said(worse)
    assert branches.verdicts() == ["no_baseline", "identical", "regressed"]
    assert branches.project.baselines() == {}
    assert branches.project.pending() == {}


def test_a_red_run_never_becomes_what_others_are_compared_with(branches):
    branches.session("--sg-track-on-missing=report")
    for _ in range(3):
        assert branches.session(LOSS="1.2").ret == 1
    assert branches.session(LOSS="1").ret == 0


@pytest.mark.parametrize("action", ["warn", "report"])
def test_a_worse_run_that_was_let_pass_does_not_count_either(branches, action):
    branches.session("--sg-track-on-missing=report")
    assert branches.session(f"--sg-track-on-regression={action}", LOSS="1.2").ret == 0
    assert branches.session(LOSS="1.2").ret == 1


def test_what_an_update_accepts_starts_the_history_anew(branches):
    branches.session("--sg-track-on-missing=report")
    accepted = branches.session("--sg-track-update=all", LOSS="1.2")
    assert accepted.ret == 0
    assert "1 test accepted: these runs count as baseline of their branch" in said(accepted)
    assert branches.session(LOSS="1.2").ret == 0
    assert branches.session("--sg-track-update=all", LOSS="1.2").ret == 0
    assert branches.session(LOSS="1").ret == 0  # better
    assert branches.verdicts()[-3:] == ["identical", "identical", "improved"]


def test_an_update_that_has_nothing_to_accept_keeps_what_drift_is_measured_from(branches):
    branches.session("--sg-track-on-missing=report")
    codes = [branches.session("--sg-track-update=new", LOSS=str(1.01**n)).ret for n in range(1, 7)]
    assert codes == [0, 0, 0, 0, 1, 1]  # 1.01**5 is beyond 5 %


def test_small_steps_that_were_green_are_red_once_they_add_up(branches):
    """50 commits of 1 % each: none is merged once the sum has passed the tolerance."""
    branches.session("--sg-track-on-missing=report")
    codes = [branches.session(LOSS=str(1.01**n)).ret for n in range(1, 9)]
    assert codes == [0, 0, 0, 0, 1, 1, 1, 1]


def test_runs_of_another_branch_do_not_count(branches):
    branches.git("checkout", "-q", "-b", "feature")
    branches.session("--sg-track-on-missing=report", LOSS="3")
    branches.git("checkout", "-q", "main")
    branches.session("--sg-track-on-missing=report", LOSS="1")
    branches.git("checkout", "-q", "feature")
    assert branches.session(LOSS="3").ret == 1
    assert branches.session(LOSS="1").ret == 0


def test_a_run_with_local_changes_does_not_count(branches):
    branches.project.write(TEST.replace("5", "6"))
    branches.session("--sg-track-on-missing=report")
    branches.commit()
    assert branches.session("--sg-track-on-missing=fail").ret == 1


def test_without_the_store_nothing_is_green(branches, server):
    branches.session("--sg-track-on-missing=report")
    branches.store = branches.store.replace(f":{server.port}/", ":1/")
    result = branches.session()
    assert result.ret == 1
    assert "the history of main cannot be read: postgresql://owner@127.0.0.1:1/" in said(result)
    assert branches.verdicts()[-1] == "unreadable_baseline"


def test_before_the_first_push_there_is_no_baseline(branches):
    assert branches.session("--sg-track-on-missing=fail").ret == 1
    assert branches.verdicts() == ["no_baseline"]


def test_a_metric_that_is_gone_is_missed(branches):
    branches.session("--sg-track-on-missing=report")
    branches.project.write(TEST.replace('"loss"', '"loss2"'))
    result = branches.session("--sg-track-on-missing=report")
    assert result.ret == 1
    assert "loss: not recorded by this run" in said(result)


def test_workers_say_what_one_process_does(branches):
    pytest.importorskip("xdist")
    branches.project.write(TEST + TEST.replace("test_fit", "test_other"))
    branches.commit()
    branches.session("--sg-track-on-missing=report")
    result = branches.session(LOSS="1.2", way="n2")
    assert result.ret == 1
    assert "2 tests compared: 2 regressed" in said(result)
    assert branches.session(way="n2").ret == 0


def test_only_the_newest_runs_are_compared_with(branches):
    branches.session("--sg-track-on-missing=report")
    for loss in ("1.01", "1.02", "1.03"):
        branches.session(LOSS=loss)
    result = branches.session("--sg-track-history=2", LOSS="2")
    assert "baseline:  store:main, 2 runs" in said(result)
    assert "loss: tail went from 1.025 to 2" in said(result)


def test_seeds_of_the_history_are_samples_of_its_noise(branches):
    pytest.importorskip("scipy")
    branches.project.write(NOISY)
    branches.commit()
    for seed in range(6):
        given = (f"--sg-track-seed={seed}", "--sg-track-on-missing=report")
        assert branches.session(*given).ret == 0
    again = branches.session("--sg-track-seed=9")
    assert again.ret == 0
    worse = branches.session("--sg-track-seed=9", LOSS="1.1")
    assert worse.ret == 1
    assert "confirmed by 4 runs of fresh seeds" in said(worse)


def test_reports_name_the_branch(branches):
    branches.session("--sg-track-on-missing=report")
    branches.session("--sg-track-report=r.json", "--sg-track-report=r.html", LOSS="1.2")
    (test,) = json.loads((branches.project.path / "r.json").read_text())["tests"]
    assert (test["baseline"], test["n_samples"]) == ("store:main", 1)
    _, shown = branches.project.sgtrack("show", "last")
    assert "compared with test_fit of store:main:" in shown


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--sg-track-baseline=store:main"], "needs --sg-track-store=URL"),
        (["--sg-track-baseline=main"], "use files, or store: and a branch"),
        (["--sg-track-baseline=store:"], "use files, or store: and a branch"),
        (["--sg-track-store=sqlite:///x"], "expected a URL as postgresql://"),
        (["--sg-track-store=postgresql://u:se%zzcret@h/d"], "no URL that libpq understands"),
    ],
)
def test_what_nobody_understands_is_said_before_the_tests(project, options, complaint):
    project.write(TEST)
    result = project.track(*options)
    assert result.ret == 4
    assert complaint in "\n".join(result.errlines)
    assert "cret" not in said(result) + "\n".join(result.errlines)
