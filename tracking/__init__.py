"""Experiment tracking on SQLite: runs, metrics, histograms, images, texts, computation graphs.

import tracking as sg

tracker = sg.Tracker()
tracker.set_experiment("mnist")
with tracker.run("baseline", {"lr": 0.01}):
    tracker.record("loss", 0.5, step=0)
"""

from tracking._version import __version__
from tracking.environment import collect_environment
from tracking.errors import (
    BaselineError,
    InvalidArgumentError,
    JournalError,
    NewerSchemaError,
    NoActiveRunError,
    NoExperimentError,
    NotAnExperimentError,
    RunNotFoundError,
    RunStateError,
    StoreBusyError,
    StoreError,
    TrackingError,
    TrackingWarning,
)
from tracking.experiment_db import ExperimentDBManager
from tracking.graph import _build_graph_data
from tracking.journal import Note
from tracking.model import Direction, RecordInfo, RunInfo, Status, Summary, Verdict
from tracking.recovery import Recovery, dead_segments, recover
from tracking.tracker import Tracker

__all__ = [
    "BaselineError",
    "Direction",
    "ExperimentDBManager",
    "InvalidArgumentError",
    "JournalError",
    "NewerSchemaError",
    "NoActiveRunError",
    "NoExperimentError",
    "NotAnExperimentError",
    "Note",
    "RecordInfo",
    "Recovery",
    "RunInfo",
    "RunNotFoundError",
    "RunStateError",
    "Status",
    "StoreBusyError",
    "StoreError",
    "Summary",
    "Tracker",
    "TrackingError",
    "TrackingWarning",
    "Verdict",
    "__version__",
    "_build_graph_data",
    "collect_environment",
    "dead_segments",
    "recover",
]
