"""Every error this library raises on purpose, as one tree.

Catch `TrackingError` for all of them, or one class for one cause. Where Python's own habit
suggests a built-in (a bad argument is a `ValueError`, a missing thing a `LookupError`), the class
derives from it too. A driver's or the operating system's error stays available as `__cause__`.
"""

from __future__ import annotations


class TrackingError(Exception):
    """Base of all errors of this library.

    Examples:
        >>> from tracking import NoActiveRunError, TrackingError
        >>> try:
        ...     tracker.record("loss", 0.5, step=0)
        ... except TrackingError as error:
        ...     print(type(error).__name__, "-", error)
        NoActiveRunError - no active run; call start_run() first
    """


class InvalidArgumentError(TrackingError, ValueError):
    """An argument of a call cannot be used; nothing was written.

    Attributes:
        argument: name of the parameter, as the signature spells it.
        problem: what is wrong with it, and what would do.

    Examples:
        >>> from tracking import InvalidArgumentError
        >>> with tracker.run():
        ...     try:
        ...         tracker.record("loss", "low", step=0)
        ...     except InvalidArgumentError as error:
        ...         print(error.argument, "-", error.problem)
        value - expected a real number, got str 'low'
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(argument, problem)
        self.argument = argument
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.argument}: {self.problem}"


class NoActiveRunError(TrackingError, RuntimeError):
    """The call needs an active run and there is none; `Tracker.start_run` starts one."""


class NoExperimentError(TrackingError, RuntimeError):
    """The call needs an experiment and none was chosen; `Tracker.set_experiment` chooses one."""


class RunNotFoundError(TrackingError, LookupError):
    """No run has this id in this experiment.

    Attributes:
        run_id: what was looked for: a number or a uuid.
        where: the experiment's database, or its store.

    Examples:
        >>> from tracking import RunNotFoundError
        >>> try:
        ...     tracker.summary(7)
        ... except RunNotFoundError as error:
        ...     print(error.run_id)
        7
    """

    def __init__(self, run_id: object, where: object) -> None:
        super().__init__(run_id, where)
        self.run_id = run_id
        self.where = where

    def __str__(self) -> str:
        return f"no run {self.run_id} in {self.where}; get_all_runs() lists those there are"


class RunStateError(TrackingError, RuntimeError):
    """The run has ended, and how a run ended does not change."""


class StoreError(TrackingError, OSError):
    """The experiment's files could not be read or written.

    Also an `OSError`; what the system or the database said is its `__cause__`.
    """


class StoreBusyError(StoreError):
    """Another process held the experiment's lock for longer than we wait."""


class StoreUnreachableError(StoreError):
    """The server of a store does not answer, or does not let us in."""


class NotAnExperimentError(StoreError):
    """The file exists and is not an experiment of ours; it was left untouched."""


class NewerSchemaError(StoreError):
    """The database was written by a newer version of this library; it was left untouched."""


class JournalError(StoreError):
    """A journal segment could not be created, extended or read."""


class NewerFormatError(JournalError):
    """The segment was written by a newer version of this library; it is left untouched."""


class BaselineError(TrackingError):
    """A baseline file cannot be read, or what should go into it is not a baseline."""


class ReportError(TrackingError):
    """A report cannot be written, or not be read: it is damaged, or is none of ours."""


class SettingsError(TrackingError):
    """A configuration file says something that nobody understands."""


class MissingDependencyError(TrackingError, ImportError):
    """An optional dependency is needed and not installed; the message says how to get it."""


class BoardError(TrackingError):
    """The dashboard cannot be served, or not to those it was meant for."""


class BoundError(TrackingError, AssertionError):
    """A metric is not within a bound that was set for it."""


class TrackingWarning(UserWarning):
    """Something was recorded or read, but not quite as asked; the message says what.

    Examples:
        As an error, where nothing less than what was asked for will do:

        >>> import warnings
        >>> from tracking import SummaryWriter, TrackingWarning
        >>> warnings.simplefilter("error", TrackingWarning)
        >>> with tracker.run(), SummaryWriter(tracker) as writer:
        ...     writer.add_graph(object())
        Traceback (most recent call last):
            ...
        tracking.errors.TrackingWarning: add_graph: no graph is stored of a object (...)
    """
