"""What a JUnit report has of a test."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.model import Verdict
from tracking.regression import Check
from tracking.report.junit import properties


def test_each_check_has_both_values_and_what_was_found(red):
    truncated = Check("loss", "n", Verdict.TRUNCATED, 3, 2, 0, "loss: n went from 3 to 2")
    assert properties(Verdict.REGRESSED, (*red().checks, truncated)) == [
        ("sg_track.verdict", "regressed"),
        ("sg_track.loss.tail", "0.75"),
        ("sg_track.loss.tail.baseline", "0.5"),
        ("sg_track.loss.tail.verdict", "regressed"),
        ("sg_track.loss.n", "2"),
        ("sg_track.loss.n.baseline", "3"),
        ("sg_track.loss.n.verdict", "truncated"),
    ]


@pytest.mark.parametrize(
    ("baseline", "current", "shown"),
    [
        (1 / 3, 2e-310, {"": "2e-310", ".baseline": "0.3333333333333333"}),
        (math.nan, -math.inf, {"": "-Infinity", ".baseline": "NaN"}),
        (None, 0.5, {"": "0.5"}),
        (0.5, None, {".baseline": "0.5"}),
    ],
)
def test_numbers_have_all_their_digits_and_what_is_not_there_is_left_out(baseline, current, shown):
    check = Check("loss", "tail", Verdict.WITHIN, baseline, current, None, "")
    found = dict(properties(Verdict.REGRESSED, (check,)))
    expected = {f"sg_track.loss.tail{end}": value for end, value in shown.items()}
    assert found == expected | {
        "sg_track.verdict": "regressed",
        "sg_track.loss.tail.verdict": "within",
    }


def test_what_has_no_metric_is_said_by_the_verdict_of_the_test():
    check = Check("", "", Verdict.INCOMPLETE, None, None, None, "disk full")
    assert properties(Verdict.INCOMPLETE, (check,)) == [("sg_track.verdict", "incomplete")]
    assert properties(None, ()) == []


@given(st.text(st.characters()))
def test_every_property_can_be_written_as_xml_and_read_back(metric):
    check = Check(metric, "tail", Verdict.REGRESSED, 1.0, 2.0, 0.1, "")
    found = properties(Verdict.REGRESSED, (check,))
    root = ET.Element("properties")
    for name, value in found:
        ET.SubElement(root, "property", name=name, value=value)
    again = [(one.get("name"), one.get("value")) for one in ET.fromstring(ET.tostring(root))]
    assert again == found


def test_only_what_xml_forbids_is_left_out():
    check = Check(
        "a\x00\x1b\ud800\ufffe|</x>ü\t\U0001f600", "tail", Verdict.WITHIN, *[None] * 3, ""
    )
    (_, (name, _)) = properties(Verdict.REGRESSED, (check,))
    assert name == "sg_track.a|</x>ü\t\U0001f600.tail.verdict"
