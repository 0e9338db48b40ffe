"""A run that another program recorded, on its way into an experiment. Pure."""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid5

from tracking.arguments import MAX_NAME_LENGTH, checked_experiment_name, checked_name
from tracking.errors import InvalidArgumentError
from tracking.importers.rows import TABLES, finite_time
from tracking.records import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracking.events import RunEnd
    from tracking.importers.rows import Medium

_NAMESPACE = UUID("9f1c6a0e-5d0b-4d0e-8d55-6d1f0a3b7c42")
_LATEST_TIME = 253_370_764_800.0  # the beginning of the year 9999: dates can show no later one


class _Series(NamedTuple):
    places: array[int]  # of each record among all of the part
    steps: array[int]
    values: array[float]
    wall_times: array[float]


class Part:
    """What one file of a source says of a run.

    A file that is still written grows at its end, so that what was taken of it is known by a count.

    Args:
        name: tells it from other parts of the run.

    Attributes:
        media: rows by table, in the order of recording.
        left_out: how many there were of what cannot be taken, and of each why.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.n_records: int = 0
        self.media: dict[str, list[Medium]] = {}
        self.left_out: Counter[str] = Counter()
        self._series: dict[str, _Series] = {}

    def record(self, name: str, step: int, value: float, wall_time: float) -> None:
        """Add a record of a metric, any float; one that cannot be stored is left out."""
        series = self._series.get(name)
        try:
            if series is None:
                kept = checked_name("name", name)
                series = self._series[kept] = _Series(
                    array("q"), array("q"), array("d"), array("d")
                )
            series.steps.append(step)
        except (InvalidArgumentError, OverflowError) as error:
            self.left_out[f"records: {error}"] += 1
            return
        series.places.append(self.n_records)
        series.values.append(value)
        series.wall_times.append(finite_time(wall_time))
        self.n_records += 1

    def add(self, build: Callable[..., Medium], *values: object) -> None:
        """Add what a `checked` makes of values; what cannot be stored is left out."""
        try:
            medium = build(*values)
        except InvalidArgumentError as error:
            self.left_out[f"{build.__qualname__.partition('.')[0].lower()}s: {error}"] += 1
        else:
            self.media.setdefault(TABLES[type(medium)], []).append(medium)

    def batches(self, run_uuid: str, start: int) -> Iterator[Batch]:
        """Yield the records from the `start`th on, metric by metric."""
        for name, (places, steps, values, wall_times) in self._series.items():
            cut = bisect_left(places, start)
            if cut < len(places):
                yield Batch(run_uuid, name, steps[cut:], values[cut:], wall_times[cut:])

    def counts(self) -> dict[str, int]:
        """Return how many records, and rows of each table, there are."""
        return {"records": self.n_records} | {
            table: len(media) for table, media in self.media.items()
        }


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run that another program recorded.

    Attributes:
        uuid: made of the identity it has in its source, so that it is the same each time.
        name: as its source calls it.
        experiment: name of the experiment it belongs to by itself.
        created_at: when it started, Unix seconds.
        end: how it ended; None while it is running.
        parts: what its source says of it.
        config: hyper-parameters.
        environment: what else is known of it.
        parent: uuid of the run it was started inside of.
        remarks: what there is to say about how it was read.
    """

    uuid: str
    name: str
    experiment: str
    created_at: float
    end: RunEnd | None
    parts: Sequence[Part]
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    parent: str | None = None
    remarks: Sequence[str] = ()

    def left_out(self) -> Counter[str]:
        """Return how many there were of what cannot be taken, and of each why."""
        return sum((part.left_out for part in self.parts), Counter())


class Remark(NamedTuple):
    """Something to say about a source beside its runs."""

    text: str


def uuid_of(*identity: object) -> str:
    """Return 32 hexadecimal digits that are the same for the same identity, and for no other.

    >>> uuid_of("mlflow", 1) == uuid_of("mlflow", 1) != uuid_of("mlflow", "1")
    True
    """
    return uuid5(_NAMESPACE, repr(identity)).hex


def time_of_run(stored: float) -> float:
    """Return when a run started, moved to where a calendar can show it.

    >>> time_of_run(1.5), time_of_run(-1.0), time_of_run(float("nan"))
    (1.5, 0.0, 0.0)
    """
    return min(max(finite_time(stored), 0.0), _LATEST_TIME)


def name_of_run(text: str) -> str:
    """Return a text as the name of a run, changed where it has to be.

    >>> name_of_run("a" * 2000) == "a" * 1000, name_of_run("")
    (True, 'unnamed')
    """
    plain = text.encode(errors="replace").decode().replace("\0", "")
    return plain[:MAX_NAME_LENGTH] or "unnamed"


def name_of_experiment(text: str) -> str:
    """Return a text as the name of an experiment, changed where the name of a file has to be.

    >>> name_of_experiment("/Users/me/mnist: first"), name_of_experiment("..")
    ('Users-me-mnist- first', 'imported-204d04f7')
    """
    plain = re.sub(r"[/\\:\x00-\x1f\x7f-\x9f]", "-", name_of_run(text))
    short = plain.encode()[:200].decode(errors="ignore").strip("-. ")
    try:
        return checked_experiment_name(short)
    except InvalidArgumentError:  # a device's name on Windows, or nothing
        return f"imported-{uuid_of(text)[:8]}"


def number_or_text(text: str) -> object:
    """Return the number or truth that a text was made of by `str`, else the text.

    >>> [number_or_text(text) for text in ("0.1", "3", "True", "1e-3", "nan", "adam")]
    [0.1, 3, True, '1e-3', 'nan', 'adam']
    """
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number) and str(number) == text:
            return number
    return text
