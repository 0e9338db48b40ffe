"""What is pending in shards is pending where they were merged."""

from __future__ import annotations

import itertools

import pytest

from tracking.errors import BaselineError, StoreError
from tracking.merging import merge
from tracking.merging.pending import Stock, merged
from tracking.merging.store import MergingDBManager
from tracking.model import Summary
from tracking.regression import Kind, Pending, PendingTest, Sample, load_pending, save_pending
from tracking.summary import summarize

PLACE = ("__baselines__/test_a.json", "test_x")


def pending_test(value, name="test_a.py::test_x"):
    summary = summarize([0], [value])
    assert isinstance(summary, Summary)
    return PendingTest(name, {"loss": Kind.WORSE}, (Sample({"loss": summary}, {}, {}, None),))


OLD, NEW = pending_test(1.0), pending_test(2.0)
TEST = OLD.test


def stock(test, started, name="some.pending.json", root="..", keys=()):
    tests = {} if test is None else {PLACE: test}
    newest = {} if started is None else {TEST: started}
    return Stock(name, Pending(root, tests, keys), newest)


EMPTY = stock(None, None)


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        (EMPTY, [stock(OLD, 1)], OLD),
        (EMPTY, [stock(OLD, 1), stock(NEW, 2)], NEW),
        (EMPTY, [stock(NEW, 2), stock(OLD, 1)], NEW),
        (stock(NEW, 2), [stock(OLD, 1)], NEW),
        (stock(OLD, 1), [stock(NEW, 2)], NEW),
        (stock(OLD, 1), [EMPTY], OLD),
        # A newer run that was as accepted settles it, as it does in one experiment.
        (stock(OLD, 1), [stock(None, 2)], None),
        (EMPTY, [stock(OLD, 1), stock(None, 2)], None),
        # Accepted where they were merged before: it doesn't come back.
        (stock(None, 1), [stock(OLD, 1)], None),
        (EMPTY, [stock(OLD, None)], OLD),
    ],
)
def test_the_newest_run_of_a_test_says_what_is_pending_of_it(own, others, expected):
    assert merged(own, others, None).tests.get(PLACE) is expected


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_shards_makes_no_difference(order):
    shards = [stock(OLD, 1), stock(NEW, 3, keys=("gpu",)), stock(None, 2)]
    found = merged(EMPTY, [shards[number] for number in order], None)
    assert found == Pending("..", {PLACE: NEW}, ("gpu",))


def test_folders_that_shards_do_not_agree_on_have_to_be_said():
    shards = [stock(OLD, 1, "a.json"), stock(NEW, 2, "b.json", root="../..")]
    with pytest.raises(
        BaselineError, match=r"a\.json names baselines from '\.\.', b\.json .*--root"
    ):
        merged(EMPTY, shards, None)
    assert merged(EMPTY, shards, "x").root == "x"


def test_names_that_tell_variants_apart_are_those_of_all():
    shards = [stock(OLD, 1, keys=("gpu", "os")), stock(NEW, 2, keys=("cpu",))]
    assert merged(EMPTY, shards, None).variant_keys == ("cpu", "gpu", "os")


@pytest.fixture
def shards(tmp_path, record):
    """Two shards, of which each has its own pending test."""
    for name in ("a", "b"):
        record(tmp_path / name, f"{name}.py::test_x")
        tests = {(f"{name}.json", "test_x"): pending_test(1.0, f"{name}.py::test_x")}
        save_pending(tmp_path / name / "pytest.pending.json", Pending("..", tests))
    return [tmp_path / name / "pytest.db" for name in ("a", "b")]


def test_pending_files_are_merged_with_their_databases(tmp_path, shards):
    (found,) = merge(shards, tmp_path / "out" / "pytest.db")
    pending = load_pending(tmp_path / "out" / "pytest.pending.json")
    assert [test.test for test in pending.tests.values()] == ["a.py::test_x", "b.py::test_x"]
    assert found.n_pending == 2


def test_what_was_accepted_does_not_come_back_with_the_same_shards(tmp_path, shards):
    out = tmp_path / "out" / "pytest.db"
    merge(shards, out)
    file = tmp_path / "out" / "pytest.pending.json"
    save_pending(file, Pending("..", {}))
    merge(shards, out)
    assert not file.exists()


def test_the_project_is_named_from_the_merged_file(tmp_path, shards):
    merge(shards, tmp_path / "deep" / "out" / "pytest.db", root=tmp_path)
    assert load_pending(tmp_path / "deep" / "out" / "pytest.pending.json").root == "../.."


@pytest.mark.parametrize("is_there", [True, False])
def test_a_failure_leaves_what_is_pending_as_it_was(tmp_path, shards, monkeypatch, is_there):
    out = tmp_path / "out" / "pytest.db"
    if is_there:
        merge(shards[:1], out)
    file = tmp_path / "out" / "pytest.pending.json"
    before = file.read_bytes() if is_there else None

    def save_and_fail(path, pending):
        save_pending(path, pending)
        if len(pending.tests) == 2:
            raise BaselineError("the disk is full")

    monkeypatch.setattr("tracking.merging.save_pending", save_and_fail)
    with pytest.raises(BaselineError, match="full"):
        merge(shards, out)
    assert (file.read_bytes() if file.exists() else None) == before
    monkeypatch.undo()
    (found,) = merge(shards, out)
    assert found.n_pending == 2


def test_a_failure_after_the_commit_leaves_it_with_the_runs_it_came_with(
    tmp_path, shards, monkeypatch
):
    out = tmp_path / "out" / "pytest.db"
    merge(shards[:1], out)
    take = MergingDBManager.take

    def take_and_fail(*arguments, **named):
        take(*arguments, **named)
        raise StoreError("look after the disk")

    monkeypatch.setattr(MergingDBManager, "take", take_and_fail)
    with pytest.raises(StoreError, match="disk"):
        merge(shards, out)
    assert len(load_pending(tmp_path / "out" / "pytest.pending.json").tests) == 2


def test_a_pending_file_that_cannot_be_read_is_named_before_anything_is_written(tmp_path, shards):
    (tmp_path / "b" / "pytest.pending.json").write_text("{")
    with pytest.raises(BaselineError, match=r"b/pytest\.pending\.json"):
        merge(shards, tmp_path / "out" / "pytest.db")
    assert list((tmp_path / "out").iterdir()) == []
