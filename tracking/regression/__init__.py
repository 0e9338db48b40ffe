"""Baselines and the decision whether a run got worse than its own."""

from tracking.regression.baseline import (
    Entry,
    Sample,
    baseline_path,
    dump_baseline,
    extended_entry,
    load_baseline,
    parse_baseline,
    save_baseline,
    updated_entry,
)
from tracking.regression.direction import infer_direction
from tracking.regression.rules import (
    DEFAULT_SETTINGS,
    SEVERITY,
    Check,
    Comparison,
    MetricSettings,
    compare,
    worst,
)

__all__ = [
    "DEFAULT_SETTINGS",
    "SEVERITY",
    "Check",
    "Comparison",
    "Entry",
    "MetricSettings",
    "Sample",
    "baseline_path",
    "compare",
    "dump_baseline",
    "extended_entry",
    "infer_direction",
    "load_baseline",
    "parse_baseline",
    "save_baseline",
    "updated_entry",
    "worst",
]
