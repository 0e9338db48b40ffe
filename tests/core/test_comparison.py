"""What a comparison found, kept with its run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.model import Direction, Verdict
from tracking.regression.checks import Check
from tracking.regression.comparison import Compared, dump_comparison, parse_comparison

ASSET = Path(__file__).parent.parent / "assets" / "comparison_v1.json"
KNOWN = Compared(
    checks=(
        Check("loss", "tail", Verdict.REGRESSED, 0.5, 0.75, 0.025, "loss: tail went from 0.5 to"
              " 0.75 (+50 %)", 0.025, "", Direction.LOWER),
        Check("acc", "n_nan", Verdict.NON_FINITE, 0.0, 3.0, 0.0, "acc: n_nan went from 0 to 3"),
        Check("lr", "mean", Verdict.NO_BASELINE, None, math.inf, None, "", None, "few samples"),
    ),
    action="fail",
    baseline="../tests/__baselines__/test_x.json",
    key="test_y[\u00e4-\"1\"]",
    n_samples=3,
    notes=("the baseline is of python 3.11, this run 3.12",),
)  # fmt: skip

numbers = st.none() | st.floats()
texts = st.text(st.characters(exclude_categories=["Cs"]))
checks = st.builds(
    Check,
    texts,
    st.sampled_from(["", "tail", "n"]),
    st.sampled_from(Verdict),
    numbers,
    numbers,
    numbers,
    texts,
    numbers,
    texts,
    st.none() | st.sampled_from(Direction),
)


@given(
    st.builds(
        Compared,
        st.lists(checks, max_size=3).map(tuple),
        st.sampled_from(["pass", "fail"]),
        texts,
        texts,
        st.integers(0, 100),
        st.lists(texts, max_size=2).map(tuple),
    )
)
def test_what_is_read_is_what_was_written(compared):
    text = dump_comparison(compared)
    json.loads(text, parse_constant=pytest.fail)  # strict JSON
    assert repr(parse_comparison(text)) == repr(compared)  # NaN equals NaN


def test_the_sample_of_version_1_reads_as_it_was_written():
    assert parse_comparison(ASSET.read_text(encoding="utf-8")) == KNOWN


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("[]", "no comparison"),
        ("{}", "no comparison: KeyError"),
        ('{"version": 2}', "a comparison of version 2 is not known here"),
        ('{"version": 1, "checks": [{}]}', "no comparison"),
        ('{"version": 1, "checks": [{"verdict": "fine"}]}', "'fine' is not a valid Verdict"),
    ],
)
def test_what_is_no_comparison_is_a_value_error(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse_comparison(text)
