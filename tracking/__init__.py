"""Experiment tracking on SQLite: runs, metrics, histograms, images, texts, computation graphs.

Example::

    import tracking as sg

    tracker = sg.Tracker()
    tracker.set_experiment("mnist")
    with tracker.run("baseline", {"lr": 0.01}):
        tracker.record("loss", 0.5, step=0)

A module is imported when the first of its names is used (PEP 562): `import tracking` itself is to
cost next to nothing.
"""

from importlib import import_module

from tracking._version import __version__

TYPE_CHECKING = False  # typing alone would take longer to import than all that is imported here
if TYPE_CHECKING:
    from tracking.bounds import Bound
    from tracking.environment import collect_environment, current_device
    from tracking.errors import (
        BaselineError,
        BoardError,
        BoundError,
        InvalidArgumentError,
        JournalError,
        MissingDependencyError,
        NewerFormatError,
        NewerSchemaError,
        NoActiveRunError,
        NoExperimentError,
        NotAnExperimentError,
        ReportError,
        RunNotFoundError,
        RunStateError,
        SettingsError,
        StoreBusyError,
        StoreError,
        StoreUnreachableError,
        TrackingError,
        TrackingWarning,
    )
    from tracking.experiment_db import ExperimentDBManager
    from tracking.graph import _build_graph_data
    from tracking.journal import Note
    from tracking.model import Direction, RecordInfo, RunInfo, Status, Summary, Verdict
    from tracking.pushing import push
    from tracking.recovery import Recovery, dead_segments, recover
    from tracking.reporting import gather_runs, stored_report, write_report
    from tracking.summary_writer import SummaryWriter
    from tracking.tracker import Tracker

__all__ = [
    "BaselineError",
    "BoardError",
    "Bound",
    "BoundError",
    "Direction",
    "ExperimentDBManager",
    "InvalidArgumentError",
    "JournalError",
    "MissingDependencyError",
    "NewerFormatError",
    "NewerSchemaError",
    "NoActiveRunError",
    "NoExperimentError",
    "NotAnExperimentError",
    "Note",
    "RecordInfo",
    "Recovery",
    "ReportError",
    "RunInfo",
    "RunNotFoundError",
    "RunStateError",
    "SettingsError",
    "Status",
    "StoreBusyError",
    "StoreError",
    "StoreUnreachableError",
    "Summary",
    "SummaryWriter",
    "Tracker",
    "TrackingError",
    "TrackingWarning",
    "Verdict",
    "__version__",
    "_build_graph_data",
    "collect_environment",
    "current_device",
    "dead_segments",
    "gather_runs",
    "push",
    "recover",
    "stored_report",
    "write_report",
]

_HOMES = {
    "BaselineError": "errors",
    "Bound": "bounds",
    "BoardError": "errors",
    "BoundError": "errors",
    "Direction": "model",
    "ExperimentDBManager": "experiment_db",
    "InvalidArgumentError": "errors",
    "JournalError": "errors",
    "MissingDependencyError": "errors",
    "NewerFormatError": "errors",
    "NewerSchemaError": "errors",
    "NoActiveRunError": "errors",
    "NoExperimentError": "errors",
    "NotAnExperimentError": "errors",
    "Note": "journal",
    "RecordInfo": "model",
    "Recovery": "recovery",
    "ReportError": "errors",
    "RunInfo": "model",
    "RunNotFoundError": "errors",
    "RunStateError": "errors",
    "SettingsError": "errors",
    "Status": "model",
    "StoreBusyError": "errors",
    "StoreError": "errors",
    "StoreUnreachableError": "errors",
    "Summary": "model",
    "SummaryWriter": "summary_writer",
    "Tracker": "tracker",
    "TrackingError": "errors",
    "TrackingWarning": "errors",
    "Verdict": "model",
    "_build_graph_data": "graph",
    "collect_environment": "environment",
    "current_device": "environment",
    "dead_segments": "recovery",
    "gather_runs": "reporting",
    "push": "pushing",
    "recover": "recovery",
    "stored_report": "reporting",
    "write_report": "reporting",
}


if not TYPE_CHECKING:  # to type checkers a name that is not there is an error

    def __getattr__(name: str) -> object:
        """Import a public name from its module, once."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
