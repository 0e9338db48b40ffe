"""What the callbacks of all frameworks share: from what is reported to what can be recorded."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tracking import arguments
from tracking.callbacks.frameworks import callback_class
from tracking.errors import InvalidArgumentError, TrackingWarning

if TYPE_CHECKING:
    from tracking.tracker import Tracker


class Recording:
    """Records what a framework reports into the active run of a tracker.

    Args:
        tracker: what it records with.
        framework: name of the framework, for warnings.
        log_params: whether hyper-parameters go into the config of the run.
    """

    def __init__(self, tracker: Tracker, framework: str, *, log_params: bool) -> None:
        self._tracker = tracker
        self._framework = framework
        self._skipped: set[str] = set()
        self.log_params = log_params

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        """Record the numbers among `metrics`; warn once of every other one."""
        numbers, others = {}, {}
        for name, value in metrics.items():
            try:
                numbers[name] = as_number(value)
            except InvalidArgumentError as error:
                others[name] = error.problem
        if numbers:
            self._tracker.log(numbers, step)
        unknown = {name: problem for name, problem in others.items() if name not in self._skipped}
        self._skipped |= unknown.keys()
        if unknown:
            named = ", ".join(f"{name} ({problem})" for name, problem in unknown.items())
            warnings.warn(
                f"{self._framework} reported what is not a number; not recorded: {named}",
                TrackingWarning,
                stacklevel=3,
            )

    def config(self, params: Mapping[str, Any]) -> None:
        """Add hyper-parameters to the config of the run."""
        self._tracker.config(**as_params(params))

    def __deepcopy__(self, memo: dict[int, Any]) -> Recording:
        return self  # a copy of a callback records into the same run


class FrameworkCallback:
    """Base of our callbacks; the framework's own base class comes beside it.

    A copy records with the same tracker: frameworks copy callbacks together with settings.

    Args:
        tracker: records into its active run.
        log_params: add hyper-parameters to the config of the run.
    """

    framework: ClassVar[str]

    def __init__(self, tracker: Tracker, *, log_params: bool = False) -> None:
        super().__init__()
        self._recording = Recording(tracker, self.framework, log_params=log_params)

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (self.framework, self.__dict__)


def _revived(framework: str, state: dict[str, Any]) -> FrameworkCallback:
    cls = callback_class(framework)
    callback = cls.__new__(cls)
    callback.__dict__.update(state)
    return callback


def as_number(value: Any) -> float:
    """Return a number, or the one element of an array or tensor of any shape, as a float.

    Raises:
        InvalidArgumentError: it is none.

    >>> as_number(True), as_number(0.5)
    (1.0, 0.5)
    """
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and math.prod(shape) == 1 and hasattr(value, "reshape"):
        value = value.reshape(())
    is_bool = isinstance(value, bool) or "bool" in str(getattr(value, "dtype", ""))
    if is_bool and not getattr(value, "shape", ()):
        return float(value)
    return arguments.checked_value(value)


def as_params(params: Mapping[Any, Any]) -> dict[str, Any]:
    """Return hyper-parameters as a config takes them.

    What it cannot take is named: a function by its name, any other object by its class.

    >>> as_params({"lr": 0.1, "activation": math.tanh, "betas": (0.9, object())})
    {'lr': 0.1, 'activation': 'tanh', 'betas': [0.9, 'object']}
    """
    return {str(name): _as_param(value) for name, value in params.items()}


def _as_param(value: Any) -> Any:
    if isinstance(value, Mapping):
        return as_params(value)
    if isinstance(value, list | tuple):
        return [_as_param(member) for member in value]
    try:
        return arguments.checked_mapping("params", {"": value})[""]
    except InvalidArgumentError:
        name = getattr(value, "__qualname__", None)
        return name if isinstance(name, str) else type(value).__qualname__
