"""The frameworks there are callbacks for, and how a callback comes to its framework's base class.

A framework is imported when a callback for it is asked for, and no sooner. So our classes derive
from `FrameworkCallback` only; the class of a callback is made here, of ours and the framework's.
"""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.arguments import described
from tracking.errors import InvalidArgumentError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracking.callbacks.recording import FrameworkCallback
    from tracking.tracker import Tracker


class _Framework(NamedTuple):
    """How to get at a framework.

    Attributes:
        install: what `pip install` is told.
        packages: modules it goes by, the first that is there is taken.
        base: name in that module of the class its callbacks have to be of, if there is one.
    """

    install: str
    packages: tuple[str, ...]
    base: str | None = None


_FRAMEWORKS = {
    "keras": _Framework("keras", ("keras",), "callbacks.Callback"),
    "lightgbm": _Framework("lightgbm", ("lightgbm",)),
    "lightning": _Framework("lightning", ("lightning.pytorch", "pytorch_lightning"), "Callback"),
    "sklearn": _Framework("scikit-learn", ("sklearn",)),
    "transformers": _Framework("transformers", ("transformers",), "TrainerCallback"),
    "xgboost": _Framework("xgboost", ("xgboost",), "callback.TrainingCallback"),
}


def make_callback(tracker: Tracker, framework: str, options: Mapping[str, Any]) -> Any:
    """Make a callback of a framework that records into the active run of a tracker.

    Args:
        tracker: what it records with.
        framework: one of keras, lightgbm, lightning, sklearn, transformers and xgboost.
        options: arguments of the callback by name; see `tracking/callbacks/<framework>.py`.

    Raises:
        InvalidArgumentError: no such framework, or its callback has no such option.
        MissingDependencyError: the framework is not installed.
    """
    if not isinstance(framework, str) or framework not in _FRAMEWORKS:
        known = ", ".join(_FRAMEWORKS)
        raise InvalidArgumentError(
            "framework", f"{described(framework)} is unknown; use one of {known}"
        )
    ours = _our_class(framework)
    known_options = list(inspect.signature(ours).parameters)[1:]
    for name in options:
        if name not in known_options:
            raise InvalidArgumentError(
                name, f"is no option for {framework}; there are {', '.join(known_options)}"
            )
    return callback_class(framework)(tracker, **options)


def callback_class(framework: str) -> type[FrameworkCallback]:
    """Return the class of a framework's callbacks, which the framework takes for one of its own.

    Raises:
        MissingDependencyError: the framework is not installed.
    """
    return _joined(framework, _imported(framework))


def _our_class(framework: str) -> type[FrameworkCallback]:
    ours: type[FrameworkCallback] = import_module(f"tracking.callbacks.{framework}").Callback
    return ours


@cache
def _joined(framework: str, package: str) -> type[FrameworkCallback]:
    ours, base = _our_class(framework), _FRAMEWORKS[framework].base
    if base is None:
        return ours
    bases = (ours, attrgetter(base)(import_module(package)))
    return type(ours.__name__, bases, {"__doc__": ours.__doc__, "__module__": ours.__module__})


def _imported(framework: str) -> str:
    """Import a framework and return the name of the module that stands for it.

    What the user has imported goes before what is merely installed.
    """
    install, packages, _ = _FRAMEWORKS[framework]
    for package in sorted(packages, key=lambda name: sys.modules.get(name) is None):
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            # Anything else that is missing is the framework's own trouble, and it names it.
            if error.name is None or f"{package}.".startswith(f"{error.name}."):
                continue
            raise
        return package
    raise MissingDependencyError(
        f"a callback for {framework} needs {' or '.join(packages)}, which is not installed;"
        f" pip install {install}"
    )
