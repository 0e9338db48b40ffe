"""Baselines and the decision whether a run got worse than its own."""

from tracking.regression.baseline import (
    STORE,
    Entry,
    accepted_entry,
    baseline_path,
    dump_baseline,
    extended_entry,
    find_baselines,
    load_baseline,
    matching_samples,
    parse_baseline,
    save_baseline,
    seen_from,
    updated_entry,
)
from tracking.regression.checks import NOT_IN_BASELINE, SEVERITY, Check, Comparison, worst
from tracking.regression.comparison import (
    Compared,
    check_as_plain,
    check_from_plain,
    dump_comparison,
    parse_comparison,
)
from tracking.regression.direction import infer_direction
from tracking.regression.graph_rules import GRAPH_MODES, compare_graphs, nearest
from tracking.regression.graph_sample import GraphSample, graph_name
from tracking.regression.history import (
    Acceptance,
    HistoryEntry,
    acceptance_of,
    history_entry,
    origins_of,
    sample_as_text,
)
from tracking.regression.pending import (
    Kind,
    Pending,
    PendingTest,
    accept_command,
    kinds_of,
    load_pending,
    needs_decision,
    pending_path,
    save_pending,
)
from tracking.regression.rules import Context, compare
from tracking.regression.sample import Sample
from tracking.regression.sampling import MIN_SAMPLES, N_FRESH
from tracking.regression.settings import (
    DEFAULT_SETTINGS,
    SETTING_NAMES,
    MetricSettings,
    Patterns,
    checked_settings,
    read_patterns,
    said_of,
)
from tracking.regression.student import has_scipy
from tracking.regression.tolerance import Proposal, propose_tolerance

__all__ = [
    "DEFAULT_SETTINGS",
    "GRAPH_MODES",
    "MIN_SAMPLES",
    "NOT_IN_BASELINE",
    "N_FRESH",
    "SETTING_NAMES",
    "SEVERITY",
    "STORE",
    "Acceptance",
    "Check",
    "Compared",
    "Comparison",
    "Context",
    "Entry",
    "GraphSample",
    "HistoryEntry",
    "Kind",
    "MetricSettings",
    "Patterns",
    "Pending",
    "PendingTest",
    "Proposal",
    "Sample",
    "accept_command",
    "acceptance_of",
    "accepted_entry",
    "baseline_path",
    "check_as_plain",
    "check_from_plain",
    "checked_settings",
    "compare",
    "compare_graphs",
    "dump_baseline",
    "dump_comparison",
    "extended_entry",
    "find_baselines",
    "graph_name",
    "has_scipy",
    "history_entry",
    "infer_direction",
    "kinds_of",
    "load_baseline",
    "load_pending",
    "matching_samples",
    "nearest",
    "needs_decision",
    "origins_of",
    "parse_baseline",
    "parse_comparison",
    "pending_path",
    "propose_tolerance",
    "read_patterns",
    "said_of",
    "sample_as_text",
    "save_baseline",
    "save_pending",
    "seen_from",
    "updated_entry",
    "worst",
]
